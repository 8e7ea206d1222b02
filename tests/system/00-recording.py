#!/usr/bin/env python3
"""test_matplotlib_recording.py - every value of recordings/matplotlib-daily against the package it came from.

Reads the package in another way than dev/convert_matplotlib.py does (rows from the end, time zones from the system),
so that a mistake there is not repeated here. Skips aloud where the package is not installed.
"""
import csv
import datetime
import decimal
import os
import struct
import sys
import unittest
import zipfile

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECORDING = os.path.join(ROOT, "recordings", "matplotlib-daily")
SOURCE = os.environ.get("OPITIOS_MATPLOTLIB_DATA", "/usr/share/matplotlib/mpl-data/sample_data")


def recorded(symbol):
    with open(os.path.join(RECORDING, "bars-1Day-%s.csv" % symbol), encoding="ascii") as text:
        return list(csv.DictReader(text))


def source(name):
    path = os.path.join(SOURCE, name)
    if not os.path.exists(path):
        print("SKIPPED: %s is not installed (Debian: python-matplotlib-data)" % path, file=sys.stderr)
        raise unittest.SkipTest(path)
    return path


def stamp(day):
    """Midnight of New York in UTC, by the system's time zone data."""
    try:
        import zoneinfo
        zone = zoneinfo.ZoneInfo("America/New_York")
    except Exception as error:  # the module or the zones are missing
        print("SKIPPED: no time zone data: %s" % error, file=sys.stderr)
        raise unittest.SkipTest("no time zone data")
    local = datetime.datetime(day.year, day.month, day.day, tzinfo=zone)
    return local.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Goog(unittest.TestCase):
    def test_every_value_is_the_packages(self):
        with zipfile.ZipFile(source("goog.npz")) as archive:
            data = archive.read("price_data.npy")
        size = struct.calcsize("<qddddqd")
        body = data[len(data) - 1047 * size:]
        rows = recorded("GOOG")
        self.assertEqual(len(rows), 1047)
        for row, raw in zip(rows, struct.iter_unpack("<qddddqd", body)):
            day = datetime.date(1970, 1, 1) + datetime.timedelta(days=raw[0])
            self.assertEqual(row["timestamp"], stamp(day))
            self.assertEqual(int(row["volume"]), raw[5])
            for name, value in zip(("open", "high", "low", "close", "adj_close"), raw[1:5] + raw[6:]):
                self.assertEqual(float(row[name]), value, "%s of %s" % (name, day))
                self.assertLessEqual(len(row[name]), len(repr(value)), "not the shortest decimal")
        self.assertEqual((rows[0]["timestamp"][:10], rows[-1]["timestamp"][:10]), ("2004-08-19", "2008-10-14"))


class Msft(unittest.TestCase):
    def test_every_value_is_the_packages(self):
        with open(source("msft.csv"), encoding="ascii") as text:
            lines = list(csv.DictReader(text))
        rows = recorded("MSFT")
        self.assertEqual((len(rows), len(lines)), (65, 65))
        for row, line in zip(rows, reversed(lines)):
            day = datetime.datetime.strptime(line["Date"], "%d-%b-%y").date()
            self.assertEqual(row["timestamp"], stamp(day))
            for name, column in (("open", "Open"), ("high", "High"), ("low", "Low"), ("close", "Close"),
                                 ("volume", "Volume"), ("adj_close", "Adj. Close*")):
                self.assertEqual(row[name], line[column], "%s of %s: digit by digit" % (name, day))
                decimal.Decimal(row[name])


if __name__ == "__main__":
    harness.run_unittest()
