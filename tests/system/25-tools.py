"""Tools beside a running gateway: journals looked at, recorded, replayed and exported; a range backfilled."""
import csv
import http.server
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

from harness import BUILD, ROOT, Replay, ask, check, equal, run_file, wait_for
from servers_postgres import Postgres

EVERY = ROOT / "tests/recordings/every-endpoint"
DEMO = ROOT / "recordings/matplotlib-daily"
NOW = "2024-03-08T20:45:00Z"


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(("OPITIOS_", "POSTGRES_"))}


def stand(replay):
    """The recording's clock stands from now on."""
    equal(ask(replay.port, "/_replay/clock?time=" + NOW, "POST").status, 200, "the clock")


def ctl(state, *words, code=0):
    """stdout of opitios-ctl, which must end with the code."""
    p = subprocess.run([str(BUILD / "opitios-ctl"), "--state-dir", str(state), *words], capture_output=True, text=True,
                       timeout=60, env=environment())
    equal(p.returncode, code, f"{words}: {p.stdout[-500:]}{p.stderr[-500:]}")
    return p.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def stored(g):
    """Waits until all of the journal is in the store."""
    wait_for(lambda: g.metric("opitios_journal_sequence") > 0 and g.metric("opitios_journal_lag_records") == 0, 10, "the store")
    last = int(g.metric("opitios_journal_sequence"))
    wait_for(lambda: lines(ctl(g.state, "--json", "journal", "ls"))[0]["stored"] >= last, 10, "the position")


def rows(state, sql):
    db = sqlite3.connect(f"file:{state}/history.sqlite?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def test_journals_are_listed_printed_and_verified_while_they_are_written(scene):
    r, g = scene.pair(DEMO, settings=("--freshness.bars=0", "--freshness.closed=0", "--journal.segment_bytes=64k"))
    for n in range(5, 60):
        equal(g.ask(f"/api/v1/stocks/GOOG/bars?limit={n}").status, 200, "status")
        if n % 20 == 0:
            check("good" in ctl(g.state, "journal", "verify"), "verify beside the writer")
    source = lines(ctl(g.state, "--json", "journal", "ls"))[0]
    equal(source["source"], "fetcher-rest", "source")
    equal((source["damage"], source["missing"]), (None, 0), "damage")
    stored(g)
    sums = lines(ctl(g.state, "--json", "journal", "verify"))[-1]
    check(sums["good"] and sums["records"] > 0, sums)
    bars = lines(ctl(g.state, "--json", "journal", "cat", "fetcher-rest", "--type", "bar", "--symbol", "GOOG"))
    kept = {s: c for s, c in rows(g.state, "select journal_sequence, close from bars")}
    check(bars and all(kept[b["sequence"]] == b["close"] for b in bars), "a record differs from its row")
    follower = subprocess.Popen([str(BUILD / "opitios-ctl"), "--state-dir", str(g.state), "journal", "cat", "fetcher-rest",
                                 "--follow", "--type", "call", "--from", str(bars[-1]["sequence"]), "--json"],
                                stdout=subprocess.PIPE, text=True, env=environment())
    g.ask("/api/v1/stocks/MSFT/bars?limit=77")
    while "limit=77" not in (line := follower.stdout.readline()):
        check(line, "the follower ended")
    follower.send_signal(signal.SIGINT)
    equal(follower.wait(5), 0, "the follower's end")
    follower.stdout.close()
    g.stop()
    segment = sorted((g.state / "journal/fetcher-rest").glob("*.seg"))[-1]
    whole = segment.read_bytes()
    segment.write_bytes(whole[:1000] + b"rotten" + whole[1006:])
    check("DAMAGED" in ctl(g.state, "journal", "verify", code=65), "damage is not told")
    segment.write_bytes(whole[:-3])
    check("torn end" in ctl(g.state, "journal", "verify"), "a torn end is no damage")


def test_recording_keeps_what_is_stored_and_makes_room_for_what_is_new(scene):
    r, g = scene.pair(EVERY, settings=("--journal.segment_bytes=16k", "--journal.max_bytes=128k", "--journal.record=true",
                                       "--journal.sync_interval=50ms"))
    stand(r)
    for n in range(210):
        equal(g.ask("/api/v1/stocks/AAPL/snapshot?max_age_seconds=0").status, 200, "status")
        if n % 70 == 69:
            wait_for(lambda: g.metric("opitios_journal_bytes") - g.metric("opitios_journal_kept_bytes") < 20000, 10, "the store's word")
    equal(g.metric("opitios_journal_dropped_total"), 0, "records dropped although stored ones could go")
    wait_for(lambda: g.metric("opitios_journal_kept_bytes") > 60000, 5, "recorded segments")
    check(g.metric("opitios_journal_bytes") <= 128 * 1024, "the bound", g.metric("opitios_journal_bytes"))
    check(len(lines(ctl(g.state, "--json", "journal", "ls", "fetcher-rest"))) > 4, "segments")
    first = lines(ctl(g.state, "--json", "journal", "ls"))[0]["first"]
    check(rows(g.state, "select min(journal_sequence) from bars")[0][0] < first, "the oldest went, and are stored")
    check("good" in ctl(g.state, "journal", "verify"), "verify")


PATHS = [
    "/api/v1/stocks/AAPL/quote?feed=iex", "/api/v1/stocks/AAPL/trade?feed=iex", "/api/v1/stocks/AAPL/snapshot?feed=iex",
    "/api/v1/stocks/BRK.B/quote?feed=sip", "/api/v1/stocks/BRK.B/trade?feed=sip", "/api/v1/stocks/ONEA/quote?feed=iex",
    "/api/v1/stocks/ONEB/quote?feed=iex",
    "/api/v1/stocks/AAPL/bars?timeframe=1Min&start=2024-03-08&feed=iex",
    "/api/v1/stocks/AAPL/bars?timeframe=1Day&start=2024-03-01&end=2024-03-09&feed=iex",
    "/api/v1/stocks/AAPL/bars?timeframe=1Hour&start=2024-03-01&end=2024-03-09&feed=sip",
    "/api/v1/crypto/BTC-USD/quote", "/api/v1/crypto/BTC-USD/trade", "/api/v1/crypto/BTC-USD/bars?timeframe=1Min&start=2024-03-08",
]


def told(g, path):
    a = g.ask(path)
    m = a.json.get("metadata", {})
    return a.status, a.json.get("data"), m.get("event_time"), m.get("feed"), a.json.get("error", {}).get("code")


def test_what_was_recorded_is_replayed_value_by_value(scene):
    r, g = scene.pair(EVERY, settings=("--journal.record=true",))
    stand(r)
    options = sorted({p.name.split("-", 1)[1][:-4] for p in (EVERY / "options").glob("quotes-*.csv")})
    paths = PATHS + [f"/api/v1/options/{o}/snapshot" for o in options] + [f"/api/v1/options/{o}/quote" for o in options]
    before = {p: told(g, p) for p in paths}
    check(sum(t[0] == 200 for t in before.values()) > len(paths) // 2, {p: t[0] for p, t in before.items()})
    stored(g)
    g.stop()
    recorded = scene.folder / "recorded"
    g.state.rename(recorded)
    again = Replay(scene.folder, args=("--rate-per-minute", "0", "--journal", str(recorded)))
    scene.started.append(again)
    stand(again)
    h = scene.gateway(again, settings=("--upstream.budget_per_minute=100000",))
    for p in paths:
        if before[p][0] == 200:
            equal(told(h, p), before[p], p)
    equal(h.ask("/api/v1/stocks/AAPL/quote?feed=otc").status, 404, "a feed that was not recorded")


def test_export_is_the_rows_of_the_store(scene):
    r, g = scene.pair(EVERY)
    stand(r)
    for p in PATHS:
        g.ask(p)
    stored(g)
    text = ctl(g.state, "export", "bars", "--symbol", "AAPL", "--timeframe", "1Min", "--feed", "iex", "--versions")
    have = list(csv.DictReader(io.StringIO(text)))
    want = rows(g.state, "select open, high, low, close, volume, trade_count, vwap, journal_sequence from bars where part = 0 "
                         "and symbol = 'AAPL' and timeframe = '1Min' and feed = 'iex' order by event, received, journal_sequence")
    check(want, "no rows")
    equal([tuple(float(b[n]) if b[n] else None for n in ("open", "high", "low", "close", "volume", "trade_count", "vwap"))
           for b in have], [w[:7] for w in want], "bars")
    equal([b["event"] for b in have], sorted(b["event"] for b in have), "order")
    quote = lines(ctl(g.state, "export", "quotes", "--symbol", "ONEA", "--format", "jsonl"))[0]
    equal((quote["bid_price"], quote["ask_price"]), (None, 12.75), "a side that is not there")
    out = scene.folder / "trades.csv"
    ctl(g.state, "export", "trades", "--symbol", "BRK.B", "--output", str(out))
    equal(len(list(csv.DictReader(out.open()))), 1, "one trade, however often it was received")
    ctl(g.state, "export", "bars", "--symbol", "ZZZZ", code=1)


BARS = ("create table bars (asset bigint, source bigint, part bigint, symbol text, feed text, timeframe text, adjustment text, event bigint, "
        "received bigint, open double precision, high double precision, low double precision, close double precision, volume double precision, "
        "trade_count double precision, vwap double precision, journal_source text not null, journal_sequence bigint not null);"
        "insert into bars select 1, 3, 0, 'AAPL', 'iex', '1Min', 'raw', 1700000000000000000 + n * 60000000000, 1800000000000000000 + v, 1, 2, 0.1, "
        "n + v * 0.1, 100, null, 1.25, 'n0de/fetcher-rest', n * 2 + v from generate_series(0, 19999) n, generate_series(0, 1) v;"
        "create table journal_position (journal_source text not null primary key, journal_sequence bigint not null, stored_ns bigint not null);"
        "insert into journal_position values ('n0de/fetcher-rest', 4711, 0), ('other/fetcher-rest', 5, 0);"
        "alter table bars owner to gateway; alter table journal_position owner to gateway")


def test_export_reads_postgresql_row_by_row_and_never_tells_the_password(scene):
    with Postgres() as pg:
        pg.sql(BARS, "history")
        state = scene.folder / "state"
        (state / "journal/fetcher-rest").mkdir(parents=True)
        (state / "node").write_text("n0de\n")
        env = environment() | {"POSTGRES_URL": "postgresql://127.0.0.1:1/none", "POSTGRES_READ_URL": pg.url(user="reader")}

        def run(*words):
            return subprocess.run([str(BUILD / "opitios-ctl"), "--state-dir", str(state), *words], capture_output=True, text=True, timeout=60, env=env)
        p = run("export", "bars", "--symbol", "AAPL", "--timeframe", "1Min")
        equal(p.returncode, 0, p.stderr)
        have = list(csv.DictReader(io.StringIO(p.stdout)))
        equal([b["close"] for b in have[:3]], ["0.1", "1.1", "2.1"], "the newest of each")
        equal((len(have), have[0]["trade_count"], have[0]["event"]), (20000, "", "2023-11-14T22:13:20Z"), "rows")
        equal(run("export", "bars", "--symbol", "AAPL", "--timeframe", "1Min", "--versions", "--limit", "5").stdout.count("\n"), 6, "a limit")
        equal(lines(run("--json", "journal", "ls").stdout)[0]["stored"], 4711, "stored, by the name this node has")
        env["POSTGRES_READ_URL"] = pg.url(user="reader", password="wr0ng")
        p = run("export", "bars", "--symbol", "AAPL")
        equal((p.returncode, p.stderr.count("\n"), "wr0ng" in p.stderr, "reader" in p.stderr), (66, 1, False, True), p.stderr)


def backfill(state, *words):
    return subprocess.Popen([str(BUILD / "opitios-ctl"), "--state-dir", str(state), "backfill", *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


RANGE = ("GOOG", "--from", "2004-08-19", "--to", "2008-10-14", "--timeframe", "1Day", "--feed", "sip")


def test_a_backfill_fills_the_store_and_waits_for_what_fails(scene):
    r, g = scene.pair(DEMO)
    r.fault("500", count=3, path="/v2/stocks/bars")
    p = backfill(g.state, *RANGE, "--json")
    out, err = p.communicate(timeout=30)
    equal(p.returncode, 0, err)
    done = lines(out)
    equal([d["event"] for d in done], ["chunk"] * (len(done) - 1) + ["done"], "events")
    check(len(done) > 4 and done[-1]["done"] == 1 and done[-1]["waits"] >= 1, done[-1])
    check("waiting" in err, err)
    stored(g)
    equal(rows(g.state, "select count(distinct event) from bars where symbol = 'GOOG'")[0][0], done[-1]["rows_total"], "rows kept")
    check(re.search(r'opitios_upstream_requests_total\{[^}]*endpoint="stock_bars"', g.metrics()), "calls")
    p = backfill(g.state, "GOOG", "--from", "2008-01-01", "--to", "nonsense")
    equal((p.wait(10), "YYYY-MM-DD" in p.stderr.read()), (64, True), "a bad day")
    p = backfill(g.state, "ZZZZ", "--from", "2008-01-01", "--to", "2008-02-01")
    p.communicate(timeout=20)
    equal(g.ask("/api/v1/stocks/GOOG/bars?lane=sideways").status, 400, "a lane that does not exist")


def test_a_backfill_waits_for_budget_as_long_as_it_is_told(scene):
    r = scene.replay(DEMO, args=("--rate-per-minute", "0"))
    g = scene.gateway(r, settings=("--upstream.budget_per_minute=120", "--upstream.budget_reserve=119", "--http.fetch_timeout=100ms"))
    before = r.calls("/v2/stocks/bars")
    p = backfill(g.state, "GOOG", "--from", "2005-01-01", "--to", "2006-10-01", "--json")
    out, err = p.communicate(timeout=30)
    equal(p.returncode, 0, err)
    done = lines(out)[-1]
    check(done["waits"] >= 1 and done["rows_total"] > 300, done)
    check("429" in err or "503" in err, err)
    equal(r.calls("/v2/stocks/bars") - before, 2, "calls: no more than chunks")


def test_a_backfill_outlives_the_gateway_and_says_how_to_go_on(scene):
    r, g = scene.pair(DEMO)
    r.fault("slow", count=-1, path="/v2/stocks/bars", delay_ms=120)
    p = backfill(g.state, *RANGE)
    check("GOOG" in p.stdout.readline(), "a line a chunk")
    g.stop(signal.SIGKILL)
    h = scene.gateway(r, settings=("--upstream.budget_per_minute=100000",))
    out, err = p.communicate(timeout=30)
    equal(p.returncode, 0, err)
    check("100%" in out, out)
    p = backfill(h.state, "MSFT", "--from", "2003-01-01", "--to", "2008-10-14", "--feed", "iex")
    check("MSFT" in p.stdout.readline(), "a line a chunk")
    time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=10)
    equal(p.returncode, 1, err)
    check(re.search(r"go on with: opitios-ctl backfill MSFT --from 200\d-\d\d-\d\d --to 2008-10-14 --timeframe 1Day --feed iex", err), err)


class Circle(http.server.BaseHTTPRequestHandler):
    """A gateway whose page token is always the same."""
    asked = 0

    def do_GET(self):
        Circle.asked += 1
        body = json.dumps({"data": {"bars": [{}], "next_page_token": "h1.0.0.0"}, "metadata": {"cache": "store"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_backfill_ends_when_a_token_leads_nowhere(scene):
    server = http.server.HTTPServer(("127.0.0.1", 0), Circle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        p = backfill(scene.folder, *RANGE, "--url", f"http://127.0.0.1:{server.server_port}")
        out, err = p.communicate(timeout=10)
    finally:
        p.kill()
        server.shutdown()
    equal((p.returncode, Circle.asked), (1, 2), err)
    check("the same one twice" in err and "2004-08-19" in err, err)


run_file(globals())
