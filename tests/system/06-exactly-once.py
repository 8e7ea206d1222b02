"""Nothing lost, nothing twice: writer and fetcher are killed under load, and the history agrees with the journal."""
# Alone: its load has to keep up with the kills.
import os
import resource
import signal
import sqlite3
import time

from harness import ROOT, Load, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
TABLES = ("quotes", "trades", "bars", "greeks", "snapshots", "upstream_calls", "market_clocks", "coverage")


def rows_of(g):
    """All (source, sequence) pairs of the store."""
    db = sqlite3.connect(f"file:{g.state}/history.sqlite?mode=ro", uri=True, timeout=10)
    try:
        pairs = []
        for t in TABLES:
            pairs += db.execute(f"select journal_source, journal_sequence from {t}").fetchall()
        position = dict(db.execute("select journal_source, journal_sequence from journal_position").fetchall())
        return pairs, position
    finally:
        db.close()


def no_gap(sequences, position):
    """A journal's first sequence is the time it was begun in microseconds: from there on each number once."""
    equal((sequences[-1], len(sequences)), (position, sequences[-1] - sequences[0] + 1), "last stored and count")


def test_200_kills_of_writer_and_fetcher_leave_exactly_one_row_a_record(scene):
    r, g = scene.pair(DEMO, settings=("--history.wait=0", "--freshness.bars=0", "--freshness.closed=0", "--supervisor.stable_after=10ms",
                                         "--supervisor.fail_deaths=1000", "--supervisor.restart_floor=20ms", "--supervisor.restart_ceiling=200ms",
                                         "--journal.segment_bytes=256k"))
    load = Load(g.port, [f"/api/v1/stocks/GOOG/bars?limit={n}" for n in range(5, 15)], 2)
    wait_for(lambda: load.total() > 20, 10, "load")
    kills, begun = 0, time.monotonic()
    while kills < 200:
        slot = ("cache-writer", "fetcher-rest")[kills % 2]
        pid = wait_for(lambda: g.children().get(slot), 35, f"a {slot} to kill")
        os.kill(pid, signal.SIGKILL)
        kills += 1
        wait_for(lambda: g.children().get(slot) not in (None, pid), 35, f"a successor of {slot}")
        if kills % 4 == 0:
            reached = load.total() + 8
            wait_for(lambda: load.total() >= reached, 20, "load to go on")
    load.stop()
    equal(set(load.statuses), {200}, load.statuses)
    wait_for(lambda: g.metric("opitios_journal_sequence") > 0 and g.metric("opitios_journal_lag_records") == 0, 30,
             "the writer to catch up")
    last = int(g.metric("opitios_journal_sequence"))

    def stored():
        return rows_of(g)[1].get("fetcher-rest", 0) >= last
    wait_for(stored, 30, "the last record to be stored")
    g.stop()
    pairs, position = rows_of(g)
    sequences = sorted(s for _, s in pairs)
    check(len(sequences) > 5000, "hardly any records:", len(sequences))
    equal(len(sequences), len(set(sequences)), "rows twice")
    no_gap(sequences, position["fetcher-rest"])
    print(f"        {kills} kills in {time.monotonic() - begun:.0f} s, {len(sequences)} records, each stored once")


def test_what_is_stored_equals_the_recording(scene):
    import csv
    r, g = scene.pair(DEMO)
    g.ask("/api/v1/stocks/GOOG/bars?start=2004-01-01&limit=10000")
    wait_for(lambda: g.metric("opitios_store_rows_total") >= 1047, 15, "rows")
    g.stop()
    db = sqlite3.connect(g.state / "history.sqlite")
    rows = db.execute("select open, high, low, close, volume, vwap, source from bars where symbol = 'GOOG' order by event").fetchall()
    wanted = list(csv.DictReader(open(DEMO / "bars-1Day-GOOG.csv")))
    equal(len(rows), len(wanted), "rows")
    for row, want in zip(rows, wanted):
        equal(row[:5], tuple(float(want[k]) for k in ("open", "high", "low", "close", "volume")), want["timestamp"])
        equal(row[5], None, "vwap")
    calls = db.execute("select endpoint, status, outcome, latency_us, budget_left, request_id from upstream_calls").fetchall()
    check(any(c[0] == "stock_bars" and c[1] == 200 and c[2] == "ok" and c[3] > 0 and c[4] > 0 and c[5] for c in calls), calls)


def test_a_full_journal_is_told_and_serving_goes_on(scene):
    r, g = scene.pair(DEMO, settings=("--journal.max_bytes=64k", "--journal.segment_bytes=16k", "--history.wait=0", "--freshness.bars=0", "--freshness.closed=0"))
    pid = g.children()["cache-writer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(30):
            equal(g.ask(f"/api/v1/stocks/GOOG/bars?limit={200 + n}").status, 200)
        check(g.metric("opitios_journal_dropped_total") > 0)
        check(g.metric("opitios_journal_bytes") <= 66000, g.metric("opitios_journal_bytes"))
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_limit_of_file_size_is_a_full_disk_and_ends_nobody(scene):
    r, g = scene.pair(DEMO, settings=("--history.wait=0", "--freshness.bars=0", "--freshness.closed=0"))
    pids = g.children()
    for slot in ("fetcher-rest", "cache-writer"):
        resource.prlimit(pids[slot], resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    equal(g.ask("/api/v1/stocks/GOOG/bars?limit=500").status, 200)
    wait_for(lambda: "journal_dropped" in g.ask("/api/v1/health/detailed").json["reason_codes"], 5, "health to tell")
    equal(g.children(), pids, "nobody ended")
    for slot in ("fetcher-rest", "cache-writer"):
        resource.prlimit(pids[slot], resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: g.ask("/api/v1/stocks/GOOG/bars?limit=500").status == 200 and g.metric("opitios_store_rows_total") >= 500, 10, "rows to be kept again")


def test_a_restart_goes_on_where_it_stopped(scene):
    r, g = scene.pair(DEMO)
    g.ask("/api/v1/stocks/GOOG/bars?limit=10")
    g.stop()
    first = rows_of(g)[1]["fetcher-rest"]
    g2 = scene.gateway(r, settings=("--upstream.budget_per_minute=100000",))
    g2.ask("/api/v1/stocks/MSFT/bars?limit=10")
    g2.stop()
    pairs, position = rows_of(g2)
    check(position["fetcher-rest"] > first, position, first)
    no_gap(sorted(s for _, s in pairs), position["fetcher-rest"])


if __name__ == "__main__":
    run_file(globals())
