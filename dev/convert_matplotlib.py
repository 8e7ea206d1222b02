#!/usr/bin/env python3
"""convert_matplotlib.py - the one-time conversion of recordings/matplotlib-daily from Debian's python-matplotlib-data.

Usage: dev/convert_matplotlib.py SAMPLE_DATA_DIR OUTPUT_DIR

goog.npz is a zip holding price_data.npy: a structured array whose floats are 64 bits wide; each is written as the
shortest decimal that reads back as the same double. msft.csv is text: its numbers are copied as they stand.
"""
import ast
import datetime
import os
import struct
import sys
import zipfile

HEADER = "timestamp,open,high,low,close,volume,adj_close"
WIDTHS = {"<M8[D]": "q", "<f8": "d", "<i8": "q"}
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def sunday(year, month, nth):
    """Day of the month's nth Sunday, or of its last with nth -1."""
    days = [d for d in range(1, 32) if d <= last_day(year, month)
            and datetime.date(year, month, d).weekday() == 6]
    return days[nth - 1] if nth > 0 else days[-1]


def last_day(year, month):
    following = datetime.date(year + month // 12, month % 12 + 1, 1)
    return (following - datetime.timedelta(days=1)).day


def midnight(day):
    """Midnight in New York as Alpaca stamps a day's bar: 04:00Z in summer, 05:00Z in winter."""
    if day.year >= 2007:
        begin = datetime.date(day.year, 3, sunday(day.year, 3, 2))
        end = datetime.date(day.year, 11, sunday(day.year, 11, 1))
    else:
        begin = datetime.date(day.year, 4, sunday(day.year, 4, 1))
        end = datetime.date(day.year, 10, sunday(day.year, 10, -1))
    # The change comes at 02:00, so the Sunday's own midnight still has the old time.
    return "%sT%s:00:00Z" % (day.isoformat(), "04" if begin < day <= end else "05")


def decimal(value):
    """Shortest decimal equal to the double, without the .0 of whole numbers and never with an exponent."""
    text = repr(value)
    if "e" in text or "n" in text:
        sys.exit("a value that is not a plain decimal: " + text)
    return text[:-2] if text.endswith(".0") else text


def read_npy(data):
    """Rows of a structured .npy of version 1, as dictionaries."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        sys.exit("not a .npy file of version 1.0")
    length = struct.unpack_from("<H", data, 8)[0]
    head = ast.literal_eval(data[10:10 + length].decode("latin-1"))
    names = [name for name, _ in head["descr"]]
    form = "<" + "".join(WIDTHS[kind] for _, kind in head["descr"])
    size = struct.calcsize(form)
    return [dict(zip(names, struct.unpack_from(form, data, 10 + length + i * size)))
            for i in range(head["shape"][0])]


def goog_rows(folder):
    with zipfile.ZipFile(os.path.join(folder, "goog.npz")) as archive:
        rows = read_npy(archive.read("price_data.npy"))
    for row in rows:
        day = datetime.date(1970, 1, 1) + datetime.timedelta(days=row["date"])
        yield [midnight(day)] + [decimal(row[k]) for k in ("open", "high", "low", "close")] + [
            str(row["volume"]), decimal(row["adj_close"])]


def msft_rows(folder):
    with open(os.path.join(folder, "msft.csv"), encoding="ascii") as source:
        lines = source.read().split("\n")
    if lines[0].strip() != "Date,Open,High,Low,Close,Volume,Adj. Close*":
        sys.exit("msft.csv has other columns than expected")
    for line in reversed([text.strip() for text in lines[1:] if text.strip()]):
        date, rest = line.split(",", 1)
        day, month, year = date.split("-")
        when = datetime.date(2000 + int(year), MONTHS.index(month) + 1, int(day))
        yield [midnight(when)] + rest.split(",")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    for symbol, rows in (("GOOG", goog_rows), ("MSFT", msft_rows)):
        path = os.path.join(sys.argv[2], "bars-1Day-%s.csv" % symbol)
        with open(path, "w", encoding="ascii", newline="\n") as out:
            out.write(HEADER + "\n")
            for row in rows(sys.argv[1]):
                out.write(",".join(row) + "\n")


if __name__ == "__main__":
    main()
