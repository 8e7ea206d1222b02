#!/usr/bin/env python3
"""make_test_recording.py - writes tests/recordings/every-endpoint, which is made up and says so.

Usage: dev/make_test_recording.py OUTPUT_DIR

Tests need every kind of answer; no recording of the market that may be shipped has them all. Nothing in here is
market data: prices are counted up so that a test can tell one row from its neighbours.
"""
import os
import sys

INI = """# Made by dev/make_test_recording.py. NOT market data: for tests only, never for a demo.
[recording]
name = every-endpoint
origin = made for tests, not market data
licence = as this project
kind = stocks
clock_start = 2024-03-08T15:45:00-05:00
clock_moves = no
"""


def write(folder, name, header, rows):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii", newline="\n") as out:
        out.write(header + "\n")
        out.writelines(row + "\n" for row in rows)


def minute(index):
    """The index-th minute from 09:30 New York, 2024-03-08 (winter: 14:30Z)."""
    total = 14 * 60 + 30 + index
    return "2024-03-08T%02d:%02d:00Z" % (total // 60, total % 60)


def bar(index, base):
    low = base + index
    return "%d.01,%d.25,%d,%d.5,%d,%d,%d.125" % (low, low + 1, low, low, 1000 + index, 10 + index, low)


def stocks(folder):
    quotes = "timestamp,bid_price,bid_size,bid_exchange,ask_price,ask_size,ask_exchange,conditions,tape"
    write(folder, "quotes-AAPL.csv", quotes, [
        "2024-03-08T20:44:58.000000001Z,170.1,100,Q,170.15,200,P,R,C",
        "2024-03-08T20:44:59.5Z,170.11,300,Q,170.15,200,P,R,C",
        "2024-03-08T20:44:59.5Z,170.12,400,K,170.16,500,V,R,C",
        "2024-03-08T20:45:30Z,999.98,1,Q,999.99,1,P,R,C"])     # after the clock: must not be seen
    write(folder, "quotes-ONEB.csv", quotes, ["2024-03-08T20:44:59Z,12.5,100,Q,,,,R,C"])
    write(folder, "quotes-ONEA.csv", quotes, ["2024-03-08T20:44:59Z,,,,12.75,100,Q,R,C"])
    write(folder, "quotes-CRSS.csv", quotes, ["2024-03-08T20:44:59Z,50.02,100,Q,50.01,100,P,R,A"])
    write(folder, "quotes-LOCK.csv", quotes, ["2024-03-08T20:44:59Z,50.01,100,Q,50.01,100,P,R,A"])
    write(folder, "quotes-BRK.B.csv", quotes, ["2024-03-08T20:44:57Z,404.1,1,N,404.55,2,N,R,A"])
    trades = "timestamp,price,size,exchange,conditions,tape,id,update"
    write(folder, "trades-AAPL.csv", trades, [
        "2024-03-08T20:44:50.123456789Z,170.13,100,Q,@,C,71697353758036,",
        "2024-03-08T20:44:51Z,170.14,7,D,@;I,C,71697353758037,canceled",
        "2024-03-08T20:44:52Z,170.125,50,V,@,C,9223372036854775807,"])
    write(folder, "trades-BRK.B.csv", trades, ["2024-03-08T20:44:40Z,404.3,10,N, ;T,A,12,"])
    bars = "timestamp,open,high,low,close,volume,trade_count,vwap"
    write(folder, "bars-1Min-AAPL.csv", bars, ["%s,%s" % (minute(i), bar(i, 170)) for i in range(374)])
    write(folder, "bars-1Min-MSFT.csv", bars,
          ["%s,%s" % (minute(i), bar(i, 400)) for i in range(0, 374, 3)])
    days = ["2024-03-%02dT05:00:00Z,%s" % (d, bar(d, 150)) for d in (4, 5, 6, 7)]
    write(folder, "bars-1Day-AAPL.csv", bars, days)
    write(folder, "bars-1Hour-AAPL.csv", bars, ["2024-03-08T1%d:00:00Z,%s" % (h, bar(h, 160)) for h in (5, 6, 7)])


def contract(expiry, right, strike):
    return "AAPL%s%s%08d" % (expiry, right, strike * 1000)


def options(folder):
    chain = sorted(contract(e, r, s) for e in ("240315", "240419", "240621") for r in "CP"
                   for s in range(120, 220, 2))
    quotes = "symbol,timestamp,bid_price,bid_size,bid_exchange,ask_price,ask_size,ask_exchange,conditions"
    write(folder, "options/quotes.csv", quotes, [
        "%s,2024-03-08T20:44:%02d.25Z,%d.05,%d,C,%d.1,%d,A,A" % (c, i % 60, i + 1, i + 2, i + 1, i + 3)
        for i, c in enumerate(chain)] + ["AAPL1240419C00170000,2024-03-08T20:44:00Z,3.05,1,C,3.1,1,A, "])
    write(folder, "options/trades.csv", "symbol,timestamp,price,size,exchange,conditions", [
        "%s,2024-03-08T19:30:00Z,%d.07,2,I,a" % (c, i + 1) for i, c in enumerate(chain) if i % 3 == 0])
    # Every fourth contract has greeks, every eighth of those only a volatility.
    write(folder, "options/greeks.csv", "symbol,timestamp,delta,gamma,rho,theta,vega,implied_volatility", [
        "%s,2024-03-08T20:44:00Z,%s,0.010515010903989475,0.004041091409185355,-0.4227570279281215,"
        "0.008131530784084512,0.%d" % (c, "-0.25" if "P0" in c else "0.9567110374646104", 200 + i)
        for i, c in enumerate(chain) if i % 4 == 0])
    bars = "timestamp,open,high,low,close,volume,trade_count,vwap"
    write(folder, "options/bars-1Day-%s.csv" % chain[0], bars, ["2024-03-07T05:00:00Z,1,1.5,0.5,1.25,12,3,1.1"])


def crypto(folder):
    write(folder, "crypto/quotes-BTC-USD.csv", "timestamp,bid_price,bid_size,ask_price,ask_size", [
        "2024-03-08T20:44:58.338903764Z,68381.18,1.522012,68463.42,0.0000005",
        "2024-03-08T20:44:59.338903764Z,68381.19,1.522012,68463.43,1.5"])
    write(folder, "crypto/trades-BTC-USD.csv", "timestamp,price,size,id,taker_side", [
        "2024-03-08T20:44:12.412144626Z,68400.5,0.0755,3447222699101865076,B",
        "2024-03-08T20:44:13Z,68400.25,18,3447222699101865077,S"])
    write(folder, "crypto/quotes-SHIB-USD.csv", "timestamp,bid_price,bid_size,ask_price,ask_size", [
        "2024-03-08T20:44:59Z,0.0000305,1000000,0.0000306,2000000"])
    bars = "timestamp,open,high,low,close,volume,trade_count,vwap"
    write(folder, "crypto/bars-1Min-BTC-USD.csv", bars, [
        "%s,68%03d.5,68%03d.75,68%03d.25,68%03d.5,0.%d,%d,68%03d.5" % (minute(i), i, i, i, i, i + 1, i, i)
        for i in range(120)])
    write(folder, "crypto/bars-1Day-BTC-USD.csv", bars, [
        "2024-03-%02dT06:00:00Z,68000.5,69000,67000.25,68%03d,12.5,900,68100.5" % (d, d) for d in (5, 6, 7)])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "recording.ini"), "w", encoding="ascii") as out:
        out.write(INI)
    stocks(folder)
    options(folder)
    crypto(folder)


if __name__ == "__main__":
    main()
