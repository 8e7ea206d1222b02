"""Bars and trades out of the store: what is covered is not fetched again, what is missing is, and the answer is that of one full fetch."""
import contextlib
import csv
import datetime
import http.server
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time
import urllib.parse
from zoneinfo import ZoneInfo

from harness import KEY, SECRET, ask, check, equal, run_file, wait_for

NY = ZoneInfo("America/New_York")
UTC = datetime.timezone.utc
DAYS = ("2024-03-07", "2024-03-08", "2024-03-11")      # Thursday, Friday, Monday: clocks changed in between
SETTINGS = ("--freshness.bars=0", "--freshness.closed=0")
BARS = "/api/v1/stocks/AAPL/bars?timeframe=1Min"
OPTION = "AAPL240315C00120000"


def stamp(t):
    return t.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + (f".{t.microsecond:06d}".rstrip("0") if t.microsecond else "") + "Z"


def at(day, clock, zone=NY):
    return datetime.datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone)


def table(path, head, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([head, *rows])


def record(scene):
    """A recording with minutes in which nothing was traded, and instants in which much was."""
    r, folder = random.Random(7), scene.folder / "recording"
    minutes = [at(d, "04:00") + datetime.timedelta(minutes=n) for d in DAYS for n in range(960) if r.random() < 0.6]
    bar = lambda n, t: (stamp(t), 100 + n, 102 + n, 99 + n, 101 + n, 1000 + n, n + 1, 100.5 + n)
    head = "timestamp,open,high,low,close,volume,trade_count,vwap".split(",")
    trades = sorted((at(d, "09:00") + datetime.timedelta(seconds=r.randrange(0, 28800, 60))) for d in DAYS for _ in range(300))
    table(folder / "bars-1Min-AAPL.csv", head, [bar(n, t) for n, t in enumerate(minutes)])
    table(folder / "bars-1Day-AAPL.csv", head, [bar(n, at(d, "00:00")) for n, d in enumerate(DAYS)])
    thead = "timestamp,price,size,exchange,conditions,tape,id".split(",")
    table(folder / "trades-AAPL.csv", thead, [(stamp(t), 100 + n / 8, n + 1, "Q", "@;I", "C", 1000 + n) for n, t in enumerate(trades)])
    table(folder / f"crypto/bars-1Min-BTC-USD.csv", head, [bar(n, t) for n, t in enumerate(minutes[:200])])
    table(folder / "crypto/trades-BTC-USD.csv", ["timestamp", "price", "size", "id", "taker_side"],
          [(stamp(t), 60000 + n / 8, n + 1, 5000 + n, "B") for n, t in enumerate(trades[:200])])
    table(folder / f"options/bars-1Day-{OPTION}.csv", head, [bar(n, at(d, "00:00")) for n, d in enumerate(DAYS)])
    table(folder / f"options/trades-{OPTION}.csv", thead[:5], [(stamp(t), 1 + n / 8, n + 1, "I", "a") for n, t in enumerate(trades[:50])])
    (folder / "recording.ini").write_text("[recording]\nname = history\norigin = made for this test, not market data\n"
                                          "licence = as this project\nkind = stocks\nfeed = iex\nclock_start = 2024-03-13T20:00:00-04:00\nclock_moves = no\n")
    return folder


def pair(scene, *settings, page=0, **kw):
    return scene.pair(record(scene), settings=SETTINGS + settings,
                      replay_args=("--rate-per-minute", "0", "--page-max", str(page)), **kw)


def stored(g):
    """Everything that was journalled by now is in the store."""
    last = g.metric("opitios_journal_sequence")

    def there():
        try:
            with contextlib.closing(sqlite3.connect(f"file:{g.state}/history.sqlite?mode=ro", uri=True, timeout=5)) as db:
                return db.execute("select count(*) from journal_position where journal_sequence >= ?", (last,)).fetchone()[0]
        except sqlite3.OperationalError:
            return 0    # the file or its table is just being made
    wait_for(there, 10, "the store to catch up")


def rows(a, name="bars"):
    equal(a.status, 200, a)
    return [{k: v for k, v in b.items() if k != "versions"} for b in a.json["data"][name]]


def walked(g, path, name="bars"):
    """All pages of it."""
    found, token = [], None
    for _ in range(400):
        a = g.ask(path + (f"&page_token={token}" if token else ""))
        found += rows(a, name)
        token = a.json["data"]["next_page_token"]
        equal(a.json["data"]["complete"], token is None, path)
        if token is None:
            return found
    raise AssertionError("a walk without an end: " + path)


def upstream(r, path, name, symbol, **query):
    """What one full fetch gives, in the gateway's words."""
    query = urllib.parse.urlencode({"symbols": symbol, "limit": 10000, **query})
    a = ask(r.port, f"{path}?{query}", headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET})
    equal(a.status, 200, a)
    check(a.json["next_page_token"] is None, "more than one page")
    return a.json[name].get(symbol, [])


def same(sent, got, what):
    """The words of upstream and of the gateway for the same rows."""
    names = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trade_count", "vw": "vwap",
             "p": "price", "s": "size", "x": "exchange", "z": "tape", "i": "trade_id", "tks": "taker_side"}
    if sent and "p" in sent[0]:
        names["c"] = "conditions"
    words = lambda v: [v] if isinstance(v, str) and len(v) == 1 and v == "a" else v
    equal(len(got), len(sent), what)
    for s, b in zip(sent, got):
        equal({n: b[n] for k, n in names.items() if k in s}, {n: words(s[k]) if n == "conditions" else s[k] for k, n in names.items() if k in s}, what)


def test_what_is_covered_costs_no_call_also_after_a_restart(scene):
    r, g = pair(scene)
    day = "start=2024-03-07&end=2024-03-11"
    paths = {f"{BARS}&{day}&limit=10000": "bars", f"/api/v1/stocks/AAPL/trades?{day}&limit=10000": "trades",
             f"/api/v1/crypto/BTC-USD/bars?timeframe=1Min&{day}": "bars",
             f"/api/v1/crypto/BTC-USD/trades?{day}": "trades",
             f"/api/v1/options/{OPTION}/bars?{day}": "bars",
             f"/api/v1/options/{OPTION}/trades?{day}": "trades"}
    first = {p: g.ask(p) for p in paths}
    for p, a in first.items():
        equal((a.status, a.json["data"]["complete"], a.headers["x-cache-status"]), (200, True, "miss"), p)
        check(a.json["data"]["count"] > 2, p, a)
    stored(g)
    for restarted in (False, True):
        if restarted:
            g.stop()
            g = scene.gateway(r, settings=SETTINGS + ("--upstream.budget_per_minute=100000",))
        for p, name in paths.items():
            asked = [line for line in r.stats()["recent"] if "/bars?" in line or "/trades?" in line]
            a = g.ask(p)
            equal((rows(a, name), a.headers["x-cache-status"], a.json["metadata"]["cache"]), (rows(first[p], name), "store", "store"), p)
            equal(a.json["metadata"]["received_at"], first[p].json["metadata"]["received_at"], p)
            equal([line for line in r.stats()["recent"] if "/bars?" in line or "/trades?" in line], asked, "upstream was asked again")
            equal((a.json["metadata"]["data_source"], all(b["final"] for b in a.json["data"][name])), ("replay", True), p)
    check(g.metric("opitios_cache_requests_total", layer="store", hit="hit") >= len(paths))


def test_only_holes_are_fetched(scene):
    r, g = pair(scene)
    part = lambda a, b: f"&start=2024-03-08T{a}:00Z&end=2024-03-08T{b}:00Z&limit=10000"
    for a, b in (("15:00", "15:59"), ("17:00", "17:59")):
        equal(g.ask(BARS + part(a, b)).status, 200)
        stored(g)
    whole = g.ask(BARS + part("14:00", "18:30"))
    asked = [line for line in r.stats()["recent"] if "/v2/stocks/bars" in line][2:]
    equal([urllib.parse.unquote(line.split("start=")[1].split("&")[0]) for line in asked],
          ["2024-03-08T14:00:00Z", "2024-03-08T15:59:00.000000001Z", "2024-03-08T17:59:00.000000001Z"], asked)
    same(upstream(r, "/v2/stocks/bars", "bars", "AAPL", timeframe="1Min", start="2024-03-08T14:00:00Z", end="2024-03-08T18:30:00Z"),
         rows(whole), "pieces put together")
    stored(g)
    equal(g.ask(BARS + part("14:00", "18:30")).headers["x-cache-status"], "store")


def test_whatever_was_fetched_before_the_answer_is_that_of_one_fetch(scene):
    r, g = pair(scene, page=97)
    dice, begun = random.Random(int(os.environ.get("HISTORY_SEED", "3"))), time.monotonic()
    kinds = (("/api/v1/stocks/AAPL/bars?timeframe=1Min", "/v2/stocks/bars", "bars", "AAPL", {"timeframe": "1Min"}),
             ("/api/v1/stocks/AAPL/trades?", "/v2/stocks/trades", "trades", "AAPL", {}),
             ("/api/v1/crypto/BTC-USD/trades?", "/v1beta3/crypto/us/trades", "trades", "BTC/USD", {}))
    full = {k[0]: upstream_all(r, *k[1:4], k[4]) for k in kinds}
    checked = 0
    while time.monotonic() - begun < 3.0:
        path, _, name, _, _ = k = dice.choice(kinds)
        day = dice.choice(DAYS)
        low = at(day, "09:00") + datetime.timedelta(seconds=dice.choice((60, 1)) * dice.randrange(0, 400))
        high = low + datetime.timedelta(seconds=dice.choice((0, 60, 600, 3600, 90000)) * dice.random() // 1)
        order, limit = dice.choice(("asc", "desc")), dice.choice((1, 7, 40, 1000))
        query = f"&start={stamp(low)}&end={stamp(high)}&sort={order}&limit={limit}"
        want = [x for x in full[path] if stamp(low) <= x["t"] <= stamp(high)]
        a = g.ask(path + query)
        if not want:
            equal(a.status, 404, path + query)
            continue
        want = want[::-1] if order == "desc" else want
        same(want[:limit], rows(a, name), path + query)
        if dice.random() < 0.2 and len(want) < 60 * limit:
            same(want, walked(g, path + query, name), "pages of " + path + query)
        checked += 1
    check(checked > 30, "hardly anything was compared:", checked)
    stored(g)
    db = sqlite3.connect(f"file:{g.state}/history.sqlite?mode=ro", uri=True)
    wrong = db.execute("""select * from coverage c where what = 2 and rows <> (select count(*) from trades t where t.symbol = c.symbol
                          and t.event between c.start and c."end" and t.received = c.received)""").fetchall()
    equal(wrong, [], "coverage without its rows")
    print(f"        {checked} ranges compared, {int(g.metric('opitios_cache_requests_total', layer='store', hit='hit'))} of the store alone")


def upstream_all(r, path, name, symbol, query):
    found, token = [], ""
    while token is not None:
        q = urllib.parse.urlencode({"symbols": symbol, "start": "2024-01-01", "limit": 10000, **query, **({"page_token": token} if token else {})})
        a = ask(r.port, f"{path}?{q}", headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}).json
        found += a[name].get(symbol, [])
        token = a["next_page_token"]
    return found


def test_without_a_start_the_last_rows_come_and_pages_lead_into_the_past(scene):
    _, g = pair(scene)
    last = g.ask(BARS + "&limit=50")
    stored(g)
    again = g.ask(BARS + "&limit=50")
    equal(rows(again), rows(last))
    equal([b["timestamp"] for b in rows(last)], sorted(b["timestamp"] for b in rows(last)))
    older = g.ask(BARS + "&limit=30&page_token=" + last.json["data"]["next_page_token"])
    check(rows(older)[-1]["timestamp"] < rows(last)[0]["timestamp"], older)
    equal(rows(older) + rows(last), rows(g.ask(BARS + "&limit=80")))


def test_tokens_are_bound_to_their_question(scene):
    _, g = pair(scene)
    base = BARS + "&start=2024-03-07&end=2024-03-08"
    token = g.ask(base + "&limit=5").json["data"]["next_page_token"]
    equal(g.ask(f"{base}&limit=500&page_token={token}").status, 200)
    for path in (f"{base}&sort=desc", f"{base}&feed=sip", f"{base}&session=regular", base.replace("1Min", "5Min"), base.replace("AAPL", "MSFT")):
        a = g.ask(f"{path}&page_token={token}")
        equal((a.status, a.json["error"]["details"]["parameter"]), (400, "page_token"), path)
    for bad in ("x", token[:-1] + ("1" if token[-1] != "1" else "2"), token.replace("h1", "h2"), token + ".0"):
        equal(g.ask(f"{base}&page_token={bad}").status, 400, bad)


def test_sessions_filter_by_the_clock_of_new_york(scene):
    _, g = pair(scene)
    base = "&start=2024-03-07&end=2024-03-11&limit=10000"
    every = rows(g.ask(BARS + base))
    stored(g)
    wall = lambda b: datetime.datetime.fromisoformat(b["timestamp"].replace("Z", "+00:00")).astimezone(NY)
    within = lambda low, high: [b for b in every if low <= wall(b).strftime("%H:%M") < high]
    for name, low, high in (("regular", "09:30", "16:00"), ("extended", "04:00", "20:00"), ("all", "00:00", "24:00")):
        a = g.ask(f"{BARS}{base}&session={name}")
        equal((rows(a), a.json["data"]["session"]), (within(low, high), name), name)
        equal(walked(g, f"{BARS}{base[:-5]}100&session={name}"), within(low, high), "pages of " + name)
        equal(walked(g, f"{BARS}{base[:-5]}300&session={name}&sort=desc"), within(low, high)[::-1], "pages backwards of " + name)
    trades = rows(g.ask("/api/v1/stocks/AAPL/trades?start=2024-03-08&end=2024-03-11&session=regular&limit=10000"), "trades")
    check(trades and all("09:30" <= wall(t).strftime("%H:%M") < "16:00" for t in trades), trades[:3])
    equal(g.ask("/api/v1/stocks/AAPL/bars?timeframe=1Day&session=regular").status, 400)
    equal(g.ask(BARS + "&session=lunch").status, 400)


def test_a_minute_without_trades_is_told_where_it_is_proven(scene):
    _, g = pair(scene)
    base = BARS + "&start=2024-03-08&end=2024-03-11&limit=10000"
    first = g.ask(base + "&gaps=true")
    equal((first.status, first.json["data"]["gaps"]), (200, []), "nothing is claimed without coverage in the store")
    stored(g)
    a = g.ask(base + "&gaps=true&session=regular").json["data"]
    have = {b["timestamp"] for b in a["bars"]}
    wanted = [stamp(at(d, "09:30") + datetime.timedelta(minutes=n)) for d in DAYS[1:] for n in range(390)]
    told = []
    for gap in a["gaps"]:
        equal(gap["reason"], "no_trade")
        t, end = (datetime.datetime.fromisoformat(gap[k].replace("Z", "+00:00")) for k in ("start", "end"))
        equal((end - t).total_seconds() / 60 + 1, gap["intervals"], gap)
        while t <= end:
            told.append(stamp(t))
            t += datetime.timedelta(minutes=1)
    equal(told, [w for w in wanted if w not in have], "gaps")
    equal(g.ask(base + "&gaps=true&sort=desc&session=regular").json["data"]["gaps"], a["gaps"], "backwards")
    equal(g.ask("/api/v1/stocks/AAPL/bars?timeframe=1Day&gaps=true").status, 400)


def test_revised_rows_keep_their_versions(scene):
    r, g = pair(scene, "--history.final_after=87600h")
    base = BARS + "&start=2024-03-08T15:00:00Z&end=2024-03-08T15:10:00Z"
    before = rows(g.ask(base))
    stored(g)
    sent = upstream(r, "/v2/stocks/bars", "bars", "AAPL", timeframe="1Min", start="2024-03-08T15:00:00Z", end="2024-03-08T15:10:00Z")
    sent[1]["c"] += 0.5
    r.body("/v2/stocks/bars", json.dumps({"bars": {"AAPL": sent}, "next_page_token": None}))
    a = g.ask(base)
    equal((a.headers["x-cache-status"], rows(a)[1]["close"], rows(a)[1]["final"]), ("miss", before[1]["close"] + 0.5, False), "not final: asked again")
    stored(g)
    g.stop()
    g = scene.gateway(r, settings=SETTINGS)
    a = g.ask(base).json
    equal([b["versions"] for b in a["data"]["bars"]], [1, 2] + [1] * (len(before) - 2), "versions")
    equal((a["data"]["bars"][1]["close"], a["metadata"]["quality"], a["metadata"]["cache"]), (before[1]["close"] + 0.5, ["revised"], "store"))


def test_adjusted_rows_that_changed_make_those_before_them_void(scene):
    r, g = pair(scene)
    base = "/api/v1/stocks/AAPL/bars?timeframe=1Day&adjustment=split&limit=100"
    def bodies(factor):
        rows = [{"t": f"2024-02-{d:02d}T05:00:00Z", "o": 8 * factor, "h": 8 * factor, "l": 4 * factor, "c": 4 * factor + d, "v": 10, "n": 1, "vw": 5}
                for d in (5, 6, 7)]
        return lambda low, high: r.body("/v2/stocks/bars", json.dumps({"bars": {"AAPL": [x for x in rows if low <= x["t"][:10] <= high]}, "next_page_token": None}))
    old, new = bodies(2), bodies(1)
    ask_for = lambda a, b: g.ask(f"{base}&start={a}&end={b}")
    old("2024-02-05", "2024-02-06")
    equal(ask_for("2024-02-05", "2024-02-06").headers["x-cache-status"], "miss")
    stored(g)
    equal(ask_for("2024-02-05", "2024-02-06").headers["x-cache-status"], "store")
    # What upstream gives for a start within a day is asked of it, and the row has changed.
    new("2024-02-06", "2024-02-06")
    ask_for("2024-02-06T12:00:00Z", "2024-02-06T20:00:00Z")
    stored(g)
    new("2024-02-05", "2024-02-06")
    a = ask_for("2024-02-05", "2024-02-06")
    equal((a.headers["x-cache-status"], [b["close"] for b in rows(a)]), ("miss", [9, 10]), "all of before is void")
    stored(g)
    equal(ask_for("2024-02-05", "2024-02-06").headers["x-cache-status"], "store")


def test_answers_come_whatever_the_store_does(scene):
    r, g = pair(scene, "--history.wait=100ms")
    base = BARS + "&start=2024-03-08T15:00:00Z&end=2024-03-08T16:00:00Z"
    want = rows(g.ask(base))
    stored(g)
    equal(g.ask(base).headers["x-cache-status"], "store")
    pid = g.children()["cache-writer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        equal(rows(g.ask(base)), want, "the writer stands still")
        fresh = g.ask(BARS + "&start=2024-03-07T15:00:00Z&end=2024-03-07T16:00:00Z")
        equal((fresh.status, fresh.headers["x-cache-status"]), (200, "miss"))
    finally:
        os.kill(pid, signal.SIGCONT)
    stored(g)
    lock = sqlite3.connect(g.state / "history.sqlite", timeout=5, isolation_level=None)
    lock.execute("begin immediate")
    equal((rows(g.ask(base)), g.ask(base).status), (want, 200), "another one writes")
    lock.execute("rollback")
    lock.close()
    for name in ("history.sqlite-wal", "history.sqlite-shm"):
        (g.state / name).unlink(missing_ok=True)
    (g.state / "history.sqlite").write_bytes(b"\xff" * 65536)
    equal(rows(g.ask(base)), want, "a damaged file, or what is still in memory of it")
    pid = g.children()["http-0"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: g.children().get("http-0") not in (None, pid), 10, "another worker")
    for _ in range(5):
        equal(rows(g.ask(base)), want, "a damaged file")
    check(g.metric("opitios_cache_requests_total", layer="store", hit="failed") > 0)
    for name in ("history.sqlite", "history.sqlite-wal", "history.sqlite-shm"):
        (g.state / name).unlink(missing_ok=True)
    equal(rows(g.ask(base)), want, "no file")
    scene.expected = ("history", "store", "cache-writer", "SIGKILL", "signal 9")


def test_a_fetcher_that_dies_within_a_walk_leaves_no_false_coverage(scene):
    r, g = pair(scene, "--supervisor.stable_after=10ms", page=50)
    base = BARS + "&start=2024-03-08&end=2024-03-08&limit=10000"
    r.fault("slow", count=-1, path="/v2/stocks/bars", delay_ms=60)
    got = []
    asking = threading.Thread(target=lambda: got.append(g.ask(base)))
    asking.start()
    wait_for(lambda: r.calls("/v2/stocks/bars") >= 3, 5, "some pages")
    os.kill(g.children()["fetcher-rest"], signal.SIGKILL)
    r.heal()
    asking.join(20)
    whole = upstream_all(r, "/v2/stocks/bars", "bars", "AAPL", {"timeframe": "1Min"})
    whole = [x for x in whole if stamp(at("2024-03-08", "00:00")) <= x["t"] < stamp(at("2024-03-09", "00:00"))]
    same(whole, rows(got[0]), "after the death")
    stored(g)
    a = g.ask(base)
    equal((rows(a), a.headers["x-cache-status"]), (rows(got[0]), "store"))


def test_a_backfill_lane_is_understood(scene):
    _, g = pair(scene)
    equal(g.ask(BARS + "&start=2024-03-08&lane=backfill").status, 200)
    equal(g.ask(BARS + "&start=2024-03-08&lane=fast").status, 400)


class Market(http.server.BaseHTTPRequestHandler):
    """The recording's answers as if they were the market's, with a clock that may differ from ours."""
    upstream, behind_s, calls = None, 0, 0

    def do_GET(self):
        a = ask(Market.upstream.port, self.path, headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET})
        Market.calls += self.path.startswith("/v2/stocks/bars")
        self.send_response(a.status)
        self.send_header("Content-Length", str(len(a.body)))
        self.end_headers()
        self.wfile.write(a.body)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() - Market.behind_s)

    def log_message(self, *_):
        pass


def test_a_clock_that_is_ahead_of_the_market_s_proves_nothing(scene):
    Market.upstream = scene.replay(record(scene), args=("--rate-per-minute", "0"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Market)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        Market.behind_s = 8 * 3600
        g = scene.gateway(server.server_port, settings=SETTINGS + ("--upstream.budget_per_minute=100000",))
        path = BARS + f"&start={DAYS[0]}&end={DAYS[1]}"
        for calls in (1, 2):
            equal((g.ask(path).json["metadata"]["cache"], Market.calls), ("miss", calls), "nothing is covered")
            stored(g)
        check(re.search(r"2880\d s ahead of upstream's", g.log_path.read_text()), "the clock is told of")
        Market.behind_s = 0
        g.ask(path)
        stored(g)
        a = g.ask(path).json["metadata"]
        equal((a["cache"], a["data_source"], Market.calls), ("store", "alpaca_historical", 3), "covered")
        check("agrees with upstream's again" in g.log_path.read_text(), "once they agree")
    finally:
        server.shutdown()


if __name__ == "__main__":
    run_file(globals())
