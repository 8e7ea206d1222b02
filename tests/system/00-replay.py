#!/usr/bin/env python3
"""The real opitios-replay, from outside: shapes, pages, limits, faults, recordings.

OPITIOS_BUILD is the folder of the executables; OPITIOS_SHARED_DATA the folder with lean/ and alpaca-responses/
(default ../shared/data), without which those tests skip aloud.
"""
import csv
import decimal
import glob
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("OPITIOS_SHARED_DATA", os.path.join(ROOT, "..", "shared", "data"))
EVERY = os.path.join(ROOT, "tests", "recordings", "every-endpoint")
DAILY = os.path.join(ROOT, "recordings", "matplotlib-daily")
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
Decimal = decimal.Decimal


PROGRAM = str(harness.BUILD / "opitios-replay")


class Replay:
    """A running replay. The line on its standard output is what is waited for, never a time."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "--with-parent", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            self.process.wait()
            raise AssertionError("did not start: " + line + self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(self, path, method="GET", headers=None, body=None):
        self.connection.request(method, path, body=body, headers=KEYS if headers is None else headers)
        answer = self.connection.getresponse()
        answer.body = answer.read()
        return answer

    def get(self, path, status=200):
        answer = self.ask(path)
        if answer.status != status:
            raise AssertionError("%s: %d %s" % (path, answer.status, answer.body))
        return json.loads(answer.body, parse_float=Decimal)

    def fault(self, **order):
        answer = self.ask("/_replay/fault", "POST", body=json.dumps(order))
        assert answer.status == 200, answer.body

    def stats(self):
        return self.get("/_replay/stats")

    def stop(self, number=signal.SIGTERM):
        self.connection.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class Case(unittest.TestCase):
    arguments = ("--recording", EVERY, "--control", "--rate-per-minute", "0")

    @classmethod
    def setUpClass(cls):
        cls.replay = Replay(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        code = cls.replay.stop()
        assert code == 0, "ended with %d" % code

    def refused(self, path, status, message):
        body = self.replay.get(path, status)
        self.assertEqual(body["message"], message)


class Shapes(Case):
    def test_latest_quotes_of_stocks_one_sided_ones_too(self):
        body = self.replay.get("/v2/stocks/quotes/latest?symbols=AAPL,ONEB,ONEA,ZZZZ")
        self.assertEqual(sorted(body), ["quotes"])
        self.assertEqual(sorted(body["quotes"]), ["AAPL", "ONEA", "ONEB"], "unknown is left out")
        self.assertEqual(body["quotes"]["AAPL"], {
            "t": "2024-03-08T20:44:59.5Z", "bx": "K", "bp": Decimal("170.12"), "bs": 400, "ax": "V",
            "ap": Decimal("170.16"), "as": 500, "c": ["R"], "z": "C"})
        self.assertEqual((body["quotes"]["ONEB"]["ap"], body["quotes"]["ONEB"]["ax"]), (0, " "))
        self.assertEqual((body["quotes"]["ONEA"]["bp"], body["quotes"]["ONEA"]["bs"]), (0, 0))

    def test_single_forms_have_the_symbol_beside(self):
        for noun in ("quote", "trade", "bar"):
            body = self.replay.get("/v2/stocks/AAPL/%ss/latest" % noun)
            self.assertEqual(sorted(body), sorted([noun, "symbol"]))
        body = self.replay.get("/v2/stocks/AAPL/snapshot")
        self.assertEqual(body["symbol"], "AAPL")
        self.assertIn("latestQuote", body)
        self.assertEqual(self.replay.ask("/v2/stocks/ZZZZ/quotes/latest").status, 404)
        self.assertEqual(self.replay.ask("/v2/stocks/ZZZZ/snapshot").status, 404)

    def test_stock_snapshots_have_no_wrapper_and_only_what_was_recorded(self):
        body = self.replay.get("/v2/stocks/snapshots?symbols=AAPL,BRK.B,ZZZZ")
        self.assertEqual(sorted(body), ["AAPL", "BRK.B"])
        self.assertEqual(sorted(body["AAPL"]),
                         ["dailyBar", "latestQuote", "latestTrade", "minuteBar", "prevDailyBar"])
        self.assertEqual(sorted(body["BRK.B"]), ["latestQuote", "latestTrade"])
        self.assertEqual(body["AAPL"]["prevDailyBar"]["t"], "2024-03-06T05:00:00Z")

    def test_ids_of_64_bits_stay_exact(self):
        body = self.replay.ask("/v2/stocks/trades/latest?symbols=AAPL").body
        self.assertIn(b'"i":9223372036854775807', body)
        body = self.replay.ask("/v1beta3/crypto/us/trades?symbols=BTC%2FUSD&start=2024-03-08").body
        self.assertIn(b'"i":3447222699101865076', body)

    def test_options_have_text_conditions_and_greeks_where_recorded(self):
        body = self.replay.get("/v1beta1/options/snapshots?symbols=AAPL240315C00120000,AAPL240315C00122000")
        self.assertEqual(sorted(body), ["next_page_token", "snapshots"])
        self.assertIsNone(body["next_page_token"])
        first = body["snapshots"]["AAPL240315C00120000"]
        self.assertEqual(first["greeks"]["theta"], Decimal("-0.4227570279281215"), "every digit")
        self.assertEqual(first["impliedVolatility"], Decimal("0.200"))
        self.assertEqual(first["latestQuote"]["c"], "A")
        self.assertNotIn("greeks", body["snapshots"]["AAPL240315C00122000"])
        body = self.replay.get("/v1beta1/options/quotes/latest?symbols=AAPL240315C00120000")
        self.assertEqual(list(body), ["quotes"])

    def test_crypto_needs_no_key_and_takes_the_slash_both_ways(self):
        for symbol in ("BTC%2FUSD", "BTC/USD"):
            answer = self.replay.ask("/v1beta3/crypto/us/latest/quotes?symbols=" + symbol, headers={})
            self.assertEqual(answer.status, 200)
            self.assertIn("BTC/USD", json.loads(answer.body)["quotes"])
        body = self.replay.get("/v1beta3/crypto/us/snapshots?symbols=BTC/USD")
        self.assertEqual(list(body), ["snapshots"])
        body = self.replay.get("/v1beta3/crypto/us/latest/trades?symbols=BTC/USD")
        self.assertEqual(body["trades"]["BTC/USD"]["tks"], "S")

    def test_small_prices_keep_every_digit(self):
        body = self.replay.ask("/v1beta3/crypto/us/latest/quotes?symbols=SHIB/USD").body
        self.assertIn(b'"bp":0.0000305', body)

    def test_what_lies_after_the_clock_has_not_happened(self):
        body = self.replay.get("/v2/stocks/quotes?symbols=AAPL&start=2024-03-08&end=2024-03-09")
        self.assertEqual([q["bp"] for q in body["quotes"]["AAPL"]],
                         [Decimal("170.1"), Decimal("170.11"), Decimal("170.12")])

    def test_the_clock_is_the_recordings(self):
        self.assertEqual(self.replay.get("/v2/clock"), {
            "timestamp": "2024-03-08T15:45:00-05:00", "is_open": True,
            "next_open": "2024-03-11T09:30:00-04:00", "next_close": "2024-03-08T16:00:00-05:00"})

    def test_assets_are_known_or_not(self):
        self.assertEqual(self.replay.get("/v2/assets/AAPL"), {"class": "us_equity", "symbol": "AAPL"})
        self.assertEqual(self.replay.get("/v2/assets/BTC%2FUSD")["class"], "crypto")
        self.assertEqual(self.replay.get("/v2/assets/AAPL240315C00120000")["class"], "us_option")
        self.assertEqual(self.replay.get("/v2/assets/FFFFF", 404),
                         {"code": 40410000, "message": "asset not found for FFFFF"})

    def test_fields_are_alpacas_own(self):
        folder = os.path.join(SHARED, "alpaca-responses")
        if not os.path.isdir(folder):
            print("SKIPPED: %s is not there" % folder, file=sys.stderr)
            raise unittest.SkipTest(folder)
        pairs = (("TestLatestTrades", "trades", "/v2/stocks/trades/latest?symbols=AAPL", "AAPL"),
                 ("TestLatestQuotes", "quotes", "/v2/stocks/quotes/latest?symbols=AAPL", "AAPL"),
                 ("TestLatestCryptoQuotes", "quotes", "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD", "BTC/USD"),
                 ("TestLatestCryptoTrades", "trades", "/v1beta3/crypto/us/latest/trades?symbols=BTC/USD", "BTC/USD"),
                 ("TestGetLatestOptionQuote", "quotes",
                  "/v1beta1/options/quotes/latest?symbols=AAPL240315C00120000", "AAPL240315C00120000"),
                 ("TestLatestBars", "bars", "/v2/stocks/bars/latest?symbols=AAPL", "AAPL"))
        for test, wrapper, path, symbol in pairs:
            with open(glob.glob(os.path.join(folder, "*__%s.json" % test))[0]) as text:
                theirs = next(iter(json.load(text)[wrapper].values()))
            ours = self.replay.get(path)[wrapper][symbol]
            self.assertEqual({k: type(v) in (int, float, Decimal) or type(v) for k, v in ours.items()},
                             {k: type(v) in (int, float, Decimal) or type(v) for k, v in theirs.items()}, test)


class Refusals(Case):
    def test_each_as_upstream_words_it(self):
        bars = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day"
        self.refused("/v2/stocks/quotes/latest?symbols=AAPL,csp1", 400, "invalid symbol: csp1")
        self.refused("/v2/stocks/bars?symbols=AAPL&timeframe=3Fortnight", 400, "invalid timeframe: 3Fortnight")
        self.refused(bars + "&start=2024-03-08&end=2024-03-07", 400, "end should not be before start")
        self.refused("/v2/stocks/quotes/latest", 400,
                     "Invalid format for parameter symbols: query parameter 'symbols' is required")
        self.refused(bars + "&start=not-a-date", 400,
                     "Invalid format for parameter start: error parsing 'not-a-date' as RFC3339 or 2006-01-02 "
                     "time: parsing time \"not-a-date\" as \"2006-01-02\": cannot parse \"not-a-date\" as \"2006\"")
        for wrong in ("&limit=10001", "&limit=0", "&limit=x", "&sort=up", "&feed=none", "&adjustment=none",
                      "&page_token=AAAA", "&page_token=%00", "&currency=EUR"):
            self.assertEqual(self.replay.ask(bars + wrong).status, 400, wrong)
        self.assertEqual(self.replay.ask(bars + "&limit=10000").status, 200)
        self.assertEqual(self.replay.ask("/v1beta1/options/snapshots/AAPL?limit=1001").status, 400)

    def test_more_than_a_hundred_contracts_are_too_many(self):
        many = ",".join("AAPL240315C%08d" % i for i in range(101))
        self.assertEqual(self.replay.ask("/v1beta1/options/snapshots?symbols=" + many).status, 400)
        self.assertEqual(self.replay.ask("/v1beta1/options/snapshots?symbols=" + many[:-20]).status, 200)

    def test_no_key_is_nginxs_own_page(self):
        for headers in ({}, {"APCA-API-KEY-ID": "key"}, {"APCA-API-KEY-ID": "", "APCA-API-SECRET-KEY": ""}):
            answer = self.replay.ask("/v2/clock", headers=headers)
            self.assertEqual((answer.status, answer.getheader("Content-Type")), (401, "text/html"))
            self.assertIn(b"<center>nginx</center>", answer.body)

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.replay.ask("/v2/nothing").status, 404)
        self.assertEqual(self.replay.ask("/v2/clock", "DELETE").status, 405)

    def test_every_answer_is_labelled(self):
        seen = set()
        for path in ("/v2/clock", "/v2/nothing", "/v2/stocks/bars", "/v2/assets/X"):
            answer = self.replay.ask(path)
            self.assertEqual(answer.getheader("X-Opitios-Replay"), "every-endpoint")
            seen.add(answer.getheader("X-Request-ID"))
        self.assertEqual(len(seen), 4)
        self.assertNotIn(None, seen)


class Pages(Case):
    def walk(self, path, noun):
        """Every page until null; the points by symbol, and how many pages."""
        points, pages, token, last = {}, 0, "", ""
        while token is not None:
            body = self.replay.get(path + ("&page_token=" + token.replace("=", "%3D").replace("+", "%2B")
                                           if token else ""))
            for symbol, rows in body[noun].items():
                self.assertGreaterEqual(symbol, last, "by symbol")
                last = symbol
                points.setdefault(symbol, []).extend(rows)
            pages, token = pages + 1, body["next_page_token"]
            self.assertLess(pages, 2000)
        return points, pages

    def test_pages_add_up_to_the_whole_both_ways(self):
        base = "/v2/stocks/bars?symbols=MSFT,AAPL&timeframe=1Min&start=2024-03-08"
        whole = self.replay.get(base + "&limit=10000")
        self.assertIsNone(whole["next_page_token"])
        self.assertEqual({k: len(v) for k, v in whole["bars"].items()}, {"AAPL": 374, "MSFT": 125})
        for limit in (1, 7, 373, 374, 375, 498, 499, 500):
            for sort in ("asc", "desc"):
                points, pages = self.walk("%s&limit=%d&sort=%s" % (base, limit, sort), "bars")
                step = 1 if sort == "asc" else -1
                self.assertEqual(points, {k: v[::step] for k, v in whole["bars"].items()})
                self.assertEqual(pages, -(-499 // limit))

    def test_the_limit_counts_over_all_symbols(self):
        body = self.replay.get("/v2/stocks/bars?symbols=MSFT,AAPL&timeframe=1Min&start=2024-03-08&limit=374")
        self.assertEqual(list(body["bars"]), ["AAPL"], "the first page holds one symbol only")
        self.assertIsNotNone(body["next_page_token"])

    def test_ticks_of_one_instant_are_neither_lost_nor_doubled(self):
        base = "/v2/stocks/quotes?symbols=AAPL,BRK.B&start=2024-03-08"
        whole = self.replay.get(base)["quotes"]
        points, pages = self.walk(base + "&limit=1", "quotes")
        self.assertEqual((points, pages), (whole, 4))

    def test_start_and_end_are_inclusive(self):
        body = self.replay.get("/v2/stocks/bars?symbols=AAPL&timeframe=1Min"
                               "&start=2024-03-08T14:30:00Z&end=2024-03-08T09:32:00-05:00")
        self.assertEqual(len(body["bars"]["AAPL"]), 3)

    def test_a_date_is_the_whole_day_of_new_york(self):
        body = self.replay.get("/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2024-03-05&end=2024-03-06")
        self.assertEqual([b["t"][:10] for b in body["bars"]["AAPL"]], ["2024-03-05", "2024-03-06"])

    def test_unknown_and_unrecorded_are_empty_not_errors(self):
        for tail in ("symbols=ZZZZ&timeframe=1Day", "symbols=AAPL&timeframe=5Min&start=2024-03-01",
                     "symbols=AAPL&timeframe=1Day&start=2024-03-01&adjustment=split"):
            self.assertEqual(self.replay.get("/v2/stocks/bars?" + tail), {"bars": {}, "next_page_token": None})
        self.assertEqual(self.replay.get("/v2/stocks/ZZZZ/bars?timeframe=1Day"),
                         {"bars": None, "next_page_token": None, "symbol": "ZZZZ"})

    def test_a_token_of_another_walk_is_refused(self):
        token = self.replay.get("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=2024-03-08&limit=1")[
            "next_page_token"].replace("=", "%3D")
        for tail in ("symbols=AAPL&timeframe=1Day", "symbols=MSFT&timeframe=1Min",
                     "symbols=AAPL&timeframe=1Min&sort=desc"):
            self.assertEqual(self.replay.ask("/v2/stocks/bars?%s&page_token=%s" % (tail, token)).status, 400, tail)

    def test_a_chain_comes_in_pages_and_filters_hold(self):
        points, token, pages = {}, "", 0
        while token is not None:
            body = self.replay.get("/v1beta1/options/snapshots/AAPL?x=1" + ("&page_token=" + token.replace("=", "%3D")
                                                                             if token else ""))
            self.assertFalse(set(points) & set(body["snapshots"]))
            points.update(body["snapshots"])
            token, pages = body["next_page_token"], pages + 1
        self.assertEqual((len(points), pages), (301, 4), "a hundred a page unless asked otherwise")
        body = self.replay.get("/v1beta1/options/snapshots/AAPL?type=put&strike_price_gte=150&strike_price_lte=154"
                               "&expiration_date=2024-04-19")
        self.assertEqual(sorted(body["snapshots"]), ["AAPL240419P00%d000" % s for s in (150, 152, 154)])
        body = self.replay.get("/v1beta1/options/snapshots/AAPL?root_symbol=AAPL1")
        self.assertEqual(list(body["snapshots"]), ["AAPL1240419C00170000"])
        body = self.replay.get("/v1beta1/options/snapshots/AAPL?limit=1000&expiration_date_gte=2024-04-20")
        self.assertEqual({s[4:10] for s in body["snapshots"]}, {"240621"})


class SmallPages(Pages):
    """Upstream may end a page early; with --page-max this one does."""
    arguments = Case.arguments + ("--page-max", "5")

    def test_pages_add_up_to_the_whole_both_ways(self):
        base = "/v2/stocks/bars?symbols=MSFT,AAPL&timeframe=1Min&start=2024-03-08&limit=10000"
        points, pages = self.walk(base, "bars")
        self.assertEqual(({k: len(v) for k, v in points.items()}, pages), ({"AAPL": 374, "MSFT": 125}, 100))

    test_the_limit_counts_over_all_symbols = None
    test_ticks_of_one_instant_are_neither_lost_nor_doubled = None
    test_a_chain_comes_in_pages_and_filters_hold = None


class Budget(Case):
    arguments = ("--recording", EVERY, "--control", "--rate-per-minute", "6", "--key", "key", "--secret", "secret")

    def test_the_bucket_is_enforced_per_api_and_429_shows_no_budget(self):
        many = "/v2/stocks/quotes/latest?symbols=AAPL,ONEB,ONEA"
        left = []
        for _ in range(6):
            answer = self.replay.ask(many)
            self.assertEqual(answer.status, 200)
            left.append(int(answer.getheader("X-RateLimit-Remaining")))
            self.assertEqual(answer.getheader("X-RateLimit-Limit"), "6")
            self.assertGreaterEqual(int(answer.getheader("X-RateLimit-Reset")), int(time.time()))
        self.assertEqual(left, [5, 4, 3, 2, 1, 0], "one token a call, whatever its symbols")
        answer = self.replay.ask(many)
        self.assertEqual((answer.status, answer.body), (429, b'{"message": "too many requests."}'))
        for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"):
            self.assertIsNone(answer.getheader(name))
        self.assertIsNotNone(answer.getheader("X-Request-ID"))
        self.assertEqual(self.replay.ask("/v2/clock").status, 200, "the trading API has its own")
        other = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "wrong"}
        self.assertEqual(self.replay.ask(many, headers=other).status, 401)
        stats = self.replay.stats()
        self.assertEqual((stats["rate_limited"], stats["symbols_most"]), (1, 3))


class Faults(Case):
    quotes = "/v2/stocks/quotes/latest?symbols=AAPL"

    def setUp(self):
        self.replay.ask("/_replay/fault", "DELETE")
        self.replay.ask("/_replay/stats", "DELETE")

    def test_statuses(self):
        for kind, status in (("429", 429), ("500", 500), ("504", 504), ("403", 403), ("html401", 401)):
            self.replay.fault(kind=kind, count=1)
            answer = self.replay.ask(self.quotes)
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.getheader("Content-Type").startswith("text/html"), kind in ("504", "html401"))
            self.assertEqual(self.replay.ask(self.quotes).status, 200, "one was ordered")

    def test_strikes_only_its_path_and_as_often_as_told(self):
        self.replay.fault(kind=500, count=2, path="/v2/stocks")
        self.assertEqual(self.replay.ask("/v2/clock").status, 200)
        self.assertEqual([self.replay.ask(self.quotes).status for _ in range(3)], [500, 500, 200])
        self.replay.fault(kind="500", count=-1)
        self.assertEqual({self.replay.ask(self.quotes).status for _ in range(20)}, {500})
        self.assertEqual(self.replay.stats()["faults_served"], 22)

    def test_malformed_and_empty(self):
        self.replay.fault(kind="malformed")
        with self.assertRaises(ValueError):
            json.loads(self.replay.ask(self.quotes).body)
        self.replay.fault(kind="empty")
        self.assertEqual(self.replay.ask(self.quotes).body, b"")
        self.replay.fault(kind="empty", variant="map")
        self.assertEqual(self.replay.ask(self.quotes).body, b"{}")

    def test_schema_breaks_exactly_one_thing(self):
        good = self.replay.get(self.quotes)["quotes"]["AAPL"]
        for variant, name, value in (("string_price", "bp", "170.12"), ("null_price", "bp", None),
                                     ("negative_price", "bp", Decimal("-170.12")), ("bad_time", "t", "yesterday")):
            self.replay.fault(kind="schema", variant=variant)
            bad = self.replay.get(self.quotes)["quotes"]["AAPL"]
            self.assertEqual(bad.pop(name), value)
            self.assertEqual(bad, {k: v for k, v in good.items() if k != name})
        for variant, name in (("missing_time", "t"), ("missing_price", "bp")):
            self.replay.fault(kind="schema", variant=variant)
            self.assertEqual(self.replay.get(self.quotes)["quotes"]["AAPL"],
                             {k: v for k, v in good.items() if k != name})
        self.replay.fault(kind="schema", variant="missing_wrapper")
        self.assertEqual(self.replay.get(self.quotes), {"AAPL": good})
        self.replay.fault(kind="schema", variant="null_wrapper")
        self.assertEqual(self.replay.get(self.quotes), {"quotes": None})
        self.replay.fault(kind="schema", variant="array_body")
        self.assertEqual(self.replay.get(self.quotes), [])

    def test_tokens_that_end_too_early_or_never(self):
        bars = "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=2024-03-08&limit=2"
        first = self.replay.get(bars)
        for variant, token in (("null", None), ("empty", "")):
            self.replay.fault(kind="null_token", variant=variant)
            self.assertEqual(self.replay.get(bars), dict(first, next_page_token=token))
        self.replay.fault(kind="null_token", variant="absent")
        self.assertNotIn("next_page_token", self.replay.get(bars))
        self.replay.fault(kind="null_token", variant="repeat", count=3)
        token = self.replay.get(bars)["next_page_token"]
        for _ in range(2):
            self.assertEqual(self.replay.get(bars + "&page_token=" + token), dict(first, next_page_token=token))

    def test_slow_is_late_but_right(self):
        self.replay.fault(kind="slow", delay_ms=300)
        before = time.monotonic()
        self.assertIn("AAPL", self.replay.get(self.quotes)["quotes"])
        self.assertGreaterEqual(time.monotonic() - before, 0.3)

    def test_cut_and_dropped_connections(self):
        self.replay.fault(kind="cut")
        with self.assertRaises(http.client.IncompleteRead):
            self.replay.ask(self.quotes)
        self.replay.connection.close()
        self.replay.fault(kind="drop_connection")
        with self.assertRaises(http.client.RemoteDisconnected):
            self.replay.ask(self.quotes)
        self.replay.connection.close()
        self.assertEqual(self.replay.ask(self.quotes).status, 200)

    def test_hang_answers_nothing_until_the_client_goes(self):
        self.replay.fault(kind="hang")
        with socket.create_connection(("127.0.0.1", self.replay.port)) as s:
            s.settimeout(0.4)
            s.sendall(b"GET %s HTTP/1.1\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n\r\n"
                      % self.quotes.encode())
            with self.assertRaises(socket.timeout):
                s.recv(1)
            self.assertEqual(self.replay.stats()["open_connections"], 2)
        self.wait_for(lambda: self.replay.stats()["open_connections"] == 1)

    def wait_for(self, condition):
        until = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), until)

    def test_any_body_for_a_path(self):
        body = b'{"quotes":{"AAPL":{"bp":1e400}}}'
        answer = self.replay.ask("/_replay/body?path=/v2/stocks/quotes/latest&count=2&status=203&type=text/x",
                                 "POST", body=body)
        self.assertEqual(answer.status, 200)
        for _ in range(2):
            answer = self.replay.ask(self.quotes)
            self.assertEqual((answer.status, answer.getheader("Content-Type"), answer.body), (203, "text/x", body))
        self.assertEqual(self.replay.ask(self.quotes).status, 200)

    def test_orders_nobody_understands(self):
        for body in ("", "[]", "{", '{"kind":"501"}', '{"kind":"500","count":0}', '{"kind":"500","colour":1}',
                     '{"kind":"schema","variant":"nothing"}', '{"kind":"slow","delay_ms":-5000000}' * 2):
            self.assertEqual(self.replay.ask("/_replay/fault", "POST", body=body).status, 400, body)
        self.assertEqual(self.replay.ask("/_replay/body?path=x", "POST", body="x").status, 400)
        self.assertEqual(self.replay.ask("/_replay/nothing").status, 404)
        self.assertEqual(self.replay.stats()["faults"], 0)

    def test_the_clock_can_be_set(self):
        self.assertEqual(self.replay.ask("/_replay/clock?time=2024-03-08T20:46:00Z", "POST").status, 200)
        self.assertEqual(self.replay.get(self.quotes)["quotes"]["AAPL"]["bp"], Decimal("999.98"))
        self.replay.ask("/_replay/clock?time=2024-03-08T20:45:00Z", "POST")

    def test_statistics_say_what_was_asked(self):
        self.replay.get(self.quotes)
        self.replay.ask("/v2/nothing")
        stats = self.replay.stats()
        self.assertEqual(stats["calls"], {"/v2/stocks/quotes/latest": 1, "other": 1})
        self.assertEqual(stats["statuses"], {"200": 1, "404": 1})
        self.assertEqual(stats["recent"][0], "GET %s HTTP/1.1" % self.quotes)


class WithoutControl(Case):
    arguments = ("--recording", EVERY, "--fault", "500:1:/v2/clock")

    def test_there_is_no_control_path(self):
        for method, path in (("GET", "/_replay/stats"), ("POST", "/_replay/fault"), ("DELETE", "/_replay/fault")):
            self.assertIn(self.replay.ask(path, method).status, (404, 405))

    def test_faults_of_the_command_line_strike(self):
        self.assertEqual([self.replay.ask("/v2/clock").status for _ in range(2)], [500, 200])


class Hostile(Case):
    def raw(self, data, shut=False):
        """What comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.replay.port), timeout=15) as s:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            out = b""
            while True:
                try:
                    got = s.recv(65536)
                except ConnectionResetError:
                    break
                if not got:
                    break
                out += got
            return out

    def status(self, data):
        return self.raw(data)[9:12]

    def test_requests_beyond_their_bounds_are_refused_with_a_reason(self):
        self.assertEqual(self.status(b"GET /" + b"a" * 40000), b"431")
        self.assertEqual(self.status(b"GET /?" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n"), b"414")
        self.assertEqual(self.status(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 8000), b"431")
        self.assertEqual(self.status(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), b"413")
        self.assertEqual(self.status(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), b"411")
        self.assertEqual(self.status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), b"400")
        self.assertEqual(self.replay.ask("/v2/clock").status, 200, "still well")

    def test_pipelined_requests_are_answered_in_order(self):
        one = b"GET /v2/assets/%s HTTP/1.1\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n\r\n"
        last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        got = self.raw(b"".join(one % s for s in (b"AAPL", b"NOPE", b"MSFT")) + last % b"ONEA")
        places = [got.index(b"AAPL"), got.index(b"NOPE"), got.index(b"MSFT"), got.index(b"ONEA")]
        self.assertEqual(places, sorted(places))

    def test_a_client_that_shuts_its_side_still_gets_its_answer(self):
        data = b"GET /v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=2024-03-08 HTTP/1.1\r\n" \
               b"APCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n\r\n"
        for _ in range(50):
            head, body = self.raw(data, shut=True).split(b"\r\n\r\n")
            self.assertEqual(len(json.loads(body)["bars"]["AAPL"]), 374, head)

    def test_a_request_in_crumbs_is_understood(self):
        data = b"GET /v2/clock HTTP/1.1\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.replay.port), timeout=15) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(data)):
                s.sendall(data[i:i + 1])
            self.assertEqual(s.recv(12), b"HTTP/1.1 200")

    def test_a_client_that_goes_away_costs_nothing(self):
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", self.replay.port)) as s:
                s.sendall(b"GET /v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=2024-03-08 HTTP/1.1\r\n")
        until = time.monotonic() + 10
        while self.replay.stats()["open_connections"] > 1:
            self.assertLess(time.monotonic(), until)


class Crowd(Case):
    arguments = Case.arguments + ("--connections", "5")

    def test_the_rest_waits_its_turn(self):
        crowd = [socket.create_connection(("127.0.0.1", self.replay.port), timeout=10) for _ in range(8)]
        for s in crowd:
            s.sendall(b"GET /v2/clock HTTP/1.1\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n"
                      b"Connection: close\r\n\r\n")
        for s in crowd:
            self.assertEqual(s.recv(12), b"HTTP/1.1 200")
            s.close()


class Daily(Case):
    arguments = ("--recording", DAILY)

    def test_every_row_is_served_equal_as_a_decimal(self):
        for symbol, rows in (("GOOG", 1047), ("MSFT", 65)):
            with open(os.path.join(DAILY, "bars-1Day-%s.csv" % symbol)) as text:
                recorded = list(csv.DictReader(text))
            served = self.replay.get("/v2/stocks/bars?symbols=%s&timeframe=1Day&start=2003-01-01&limit=10000"
                                     % symbol)["bars"][symbol]
            self.assertEqual((len(recorded), len(served)), (rows, rows))
            for row, bar in zip(recorded, served):
                self.assertEqual(bar, {"t": row["timestamp"], "o": Decimal(row["open"]), "h": Decimal(row["high"]),
                                       "l": Decimal(row["low"]), "c": Decimal(row["close"]), "v": int(row["volume"])})

    def test_nothing_is_made_up(self):
        self.assertEqual(self.replay.get("/v2/stocks/quotes/latest?symbols=GOOG"), {"quotes": {}})
        self.assertEqual(sorted(self.replay.get("/v2/stocks/snapshots?symbols=GOOG")["GOOG"]),
                         ["dailyBar", "prevDailyBar"])
        self.assertFalse(self.replay.get("/v2/clock")["is_open"])


class Lean(unittest.TestCase):
    def lean(self, *below):
        path = os.path.join(SHARED, "lean", *below)
        if not os.path.isdir(path):
            print("SKIPPED: %s is not there" % path, file=sys.stderr)
            raise unittest.SkipTest(path)
        return path

    def rows(self, path):
        with zipfile.ZipFile(path) as archive:
            return list(csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0]), "ascii")))

    def start(self, *arguments):
        replay = Replay(*arguments, "--control", "--rate-per-minute", "0")
        self.addCleanup(replay.stop)
        return replay

    def walk(self, replay, path, noun, symbol):
        rows, token = [], ""
        while token is not None:
            body = replay.get(path + "&limit=10000" + ("&page_token=" + token.replace("=", "%3D") if token else ""))
            rows += body[noun].get(symbol, [])
            token = body["next_page_token"]
        return rows

    def stamp(self, midnight, ms):
        return int(midnight) * 1000 + int(ms)

    def millis(self, text):
        whole, _, fraction = text.rstrip("Z").partition(".")
        return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1000 \
            + int((fraction + "000")[:3])

    def test_every_tick_comes_out_exact_and_in_order(self):
        folder = self.lean("tick", "ibm")
        replay = self.start("--recording", folder, "--speed", "0")
        replay.ask("/_replay/clock?time=2013-10-08T04:00:00Z", "POST")
        midnight = 1381118400 * 1000        # 2013-10-07 00:00 in New York
        trades = [r for r in self.rows(os.path.join(folder, "20131007_trade.zip")) if r and r[5] == "0"]
        served = self.walk(replay, "/v2/stocks/trades?symbols=IBM&start=2013-10-07&end=2013-10-07", "trades", "IBM")
        self.assertEqual(len(served), len(trades))
        for row, trade in zip(trades, served):
            self.assertEqual((self.millis(trade["t"]), trade["p"] * 10000, trade["s"], trade["x"]),
                             (midnight + int(row[0]), int(row[1]), int(row[2]), row[3]))
        quotes = self.walk(replay, "/v2/stocks/quotes?symbols=IBM&start=2013-10-07&end=2013-10-07", "quotes", "IBM")
        bid, ask = (0, 0, " "), (0, 0, " ")
        expected = []
        for row in self.rows(os.path.join(folder, "20131007_quote.zip")):
            if not row or row[7] != "0":
                continue
            if row[1] != "0":
                bid = (int(row[1]), int(row[2]), row[5])
            if row[3] != "0":
                ask = (int(row[3]), int(row[4]), row[5])
            expected.append((midnight + int(row[0]),) + bid + ask)
        self.assertEqual(len(quotes), len(expected))
        for quote, want in zip(quotes, expected):
            self.assertEqual((self.millis(quote["t"]), quote["bp"] * 10000, quote["bs"], quote["bx"],
                              quote["ap"] * 10000, quote["as"], quote["ax"]), want)

    def test_the_clock_starts_at_the_open_and_moves(self):
        replay = self.start("--recording", self.lean("tick", "ibm"), "--speed", "1000")
        seen = set()
        until = time.monotonic() + 20
        while len(seen) < 5 and time.monotonic() < until:
            clock = replay.get("/v2/clock")
            self.assertGreaterEqual(clock["timestamp"], "2013-10-07T09:30:00")
            quote = replay.get("/v2/stocks/quotes/latest?symbols=IBM")["quotes"]["IBM"]
            seen.add(quote["t"])
        self.assertEqual(len(seen), 5, "the latest quote changes with the time")

    def test_the_clock_stays_at_the_end(self):
        replay = self.start("--recording", self.lean("tick", "ibm"), "--start", "19:59", "--speed", "100000")
        until = time.monotonic() + 20
        last = ""
        while time.monotonic() < until:
            now = replay.get("/v2/clock")["timestamp"]
            if now == last:
                break
            last = now
        self.assertEqual(now, last)
        self.assertTrue(now.startswith("2013-10-07T"))

    def test_minutes_become_bars_and_the_clock_stands(self):
        folder = self.lean("minute", "aapl")
        replay = self.start("--recording", folder)
        rows = self.rows(os.path.join(folder, "20140605_trade.zip"))
        served = replay.get("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=2014-06-05&limit=10000")["bars"]["AAPL"]
        self.assertEqual(len(served), len(rows))
        midnight = 1401940800 * 1000
        for row, bar in zip(rows, served):
            self.assertEqual((self.millis(bar["t"]), bar["o"] * 10000, bar["h"] * 10000, bar["l"] * 10000,
                              bar["c"] * 10000, bar["v"]), (midnight + int(row[0]),) + tuple(int(c) for c in row[1:]))
            self.assertEqual(sorted(bar), ["c", "h", "l", "o", "t", "v"])
        self.assertFalse(replay.get("/v2/clock")["is_open"])
        self.assertEqual(replay.get("/v2/stocks/bars?symbols=AAPL&timeframe=5Min&start=2014-06-05")["bars"], {},
                         "only what was recorded")

    def test_the_root_holds_everything(self):
        replay = self.start("--recording", self.lean(), "--speed", "0")
        self.assertEqual(replay.get("/v2/clock")["timestamp"][:10], "2013-10-08", "the last day with ticks")
        self.assertEqual(sorted(replay.get("/v2/stocks/snapshots?symbols=AAPL,BAC,IBM,SPY")), ["BAC", "IBM", "SPY"],
                         "AAPL was recorded later than this day")
        replay = self.start("--recording", self.lean(), "--speed", "0", "--day", "2013-10-07", "--start", "09:31")
        self.assertEqual(replay.get("/v2/clock")["timestamp"], "2013-10-07T09:31:00-04:00")


class CommandLine(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=20)

    def test_mistakes_are_one_line_and_64(self):
        for arguments in ((), ("--recording",), ("--port", "x", "--recording", EVERY), ("--nonsense",),
                          ("--recording", EVERY, "--fault", "501")):
            done = self.run_it(*arguments)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (64, "", 1), arguments)

    def test_help_and_version(self):
        self.assertIn("--port-file", self.run_it("--help").stdout)
        self.assertTrue(self.run_it("--version").stdout.startswith("opitios-replay "))

    def test_a_bad_recording_is_66_with_file_row_and_reason(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        shutil.copy(os.path.join(DAILY, "recording.ini"), folder)
        with open(os.path.join(folder, "bars-1Day-A.csv"), "w") as out:
            out.write("timestamp,open,high,low,close,volume\n2008-10-14T04:00:00Z,1,2,3,four,5\n")
        done = self.run_it("--recording", folder)
        self.assertEqual(done.returncode, 66)
        self.assertIn("bars-1Day-A.csv: row 2: close", done.stderr)
        self.assertEqual(self.run_it("--recording", "/nonexistent").returncode, 66)

    def test_an_address_in_use_is_77(self):
        replay = Replay("--recording", DAILY)
        done = self.run_it("--recording", DAILY, "--port", str(replay.port))
        self.assertEqual((done.returncode, replay.stop(signal.SIGINT)), (77, 0))
        self.assertIn("in use", done.stderr)

    def test_the_port_is_written_where_asked(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "port")
            replay = Replay("--recording", DAILY, "--port-file", path)
            with open(path) as text:
                self.assertEqual(int(text.read()), replay.port)
            self.assertEqual(replay.stop(), 0)

    def test_it_ends_with_its_parent(self):
        script = ("import subprocess, sys\n"
                  "p = subprocess.Popen([sys.argv[1], '--with-parent', '--recording', sys.argv[2]],"
                  " stdout=subprocess.PIPE)\n"
                  "p.stdout.readline()\nprint(p.pid, flush=True)\n")
        pid = int(subprocess.run([sys.executable, "-c", script, PROGRAM, DAILY], capture_output=True, text=True,
                                 timeout=20).stdout)
        until = time.monotonic() + 10
        while self.is_running(pid):
            self.assertLess(time.monotonic(), until, "outlived its parent")

    def is_running(self, pid):
        try:
            with open("/proc/%d/stat" % pid) as text:
                return text.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False


if __name__ == "__main__":
    harness.run_unittest()
