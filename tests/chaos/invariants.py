"""invariants.py - what has to hold whatever happens: answers, counters, health, reports, records, the log.

Whoever watches runs all the time and notes what broke in `problems`; what is asked after a fault raises AssertionError.
"""
import contextlib
import http.client
import json
import os
import re
import sqlite3
import threading
import time

from harness import ROOT, Client, check, equal, wait_for

TABLES = ("quotes", "trades", "bars", "greeks", "snapshots", "upstream_calls", "market_clocks", "coverage")
ALARMS = ('"panic"', "panic:", "Sanitizer", "runtime error", "cannot be: ignored")
KEPT = re.compile(r"^(history\.sqlite(-wal|-shm)?|journal|budget\..*|crashes)$")
GRACE = 0.25        # seconds after which a link between workers that was cut is there again
LOST = (OSError, http.client.HTTPException)


def documented():
    """The codes that may come with a 5xx, from the table."""
    rows = re.findall(r"^ERROR\((\w+), \d+, (5\d\d),", (ROOT / "include/tables/errors.def").read_text(), re.M)
    return {name: int(status) for name, status in rows}


class Window:
    """A time in which something is broken on purpose, and what clients may see of it."""

    def __init__(self, fault):
        self.fault, self.begin, self.end = fault, time.monotonic(), float("inf")

    def explains(self, kind, since, now):
        f = self.fault
        allowed = {"cut": f.cuts, "crossed": f.cuts or f.crosses, "refused": f.refuses}[kind]
        return allowed and self.begin <= now and since <= self.end + (GRACE if kind == "refused" else 0)


class Asker(threading.Thread):
    """One client, on a connection it keeps or on ever new ones; compares each answer with the first good one."""

    def __init__(self, load, keeps, index):
        super().__init__(daemon=True)
        self.load, self.keeps, self.turn = load, keeps, index
        self.client, self.used_at = None, 0.0

    def run(self):
        while not self.load.over.is_set():
            self.load.running.wait(1)
            path = self.load.paths[self.turn % len(self.load.paths)]
            self.turn += 1
            self.ask(path, time.monotonic())
            time.sleep(0.008)

    def ask(self, path, now):
        fresh = self.client is None
        since = now if fresh else self.used_at
        try:
            self.client = self.client or Client(self.load.port, 30)
            a = self.client.ask(path)
            self.used_at = time.monotonic()
            self.load.judge(path, a, now)
            if not self.keeps or a.headers.get("connection", "").lower() == "close":
                self.drop()
        except LOST as e:
            self.drop()
            # A kept connection may be closed while a request is on its way: neither side is wrong, it is sent again.
            crossed = not fresh and isinstance(e, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError))
            self.load.lost("crossed" if crossed else "cut", path, f"{type(e).__name__}: {e}", since)

    def drop(self):
        if self.client:
            self.client.close()
        self.client = None


class Load:
    def __init__(self, gateway, paths, clients=4):
        self.port, self.paths, self.codes = gateway.port, paths, documented()
        self.over, self.running, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.good, self.refused, self.ended, self.windows, self.problems = 0, {}, {"cut": 0, "crossed": 0}, [], []
        self.right = {}
        for p in paths:
            a = gateway.ask(p)
            equal(a.status, 200, p)
            self.right[p] = a.json["data"]["bars"]
            check(self.right[p], p, "has no bars:", a)
        self.running.set()
        self.threads = [Asker(self, i % 2 == 0, i) for i in range(clients)]
        for t in self.threads:
            t.start()

    def judge(self, path, a, began):
        if a.status == 200:
            if a.json["data"]["bars"] != self.right[path]:
                self.problem(f"{path}: a wrong answer: {a.body[:300]!r}")
            with self.lock:
                self.good += 1
            return
        # A worker without a descriptor to spare can say no more than that.
        code = a.json["error"]["code"] if a.body else "(no descriptors)" if a.headers.get("retry-after") else None
        if code != "(no descriptors)" and self.codes.get(code) != a.status:
            self.problem(f"{path}: not documented: {a}")
        self.note("refused", path, f"{a.status} {code}", began)
        with self.lock:
            self.refused[code] = self.refused.get(code, 0) + 1

    def lost(self, kind, path, how, since):
        self.note(kind, path, f"{how} ({kind})", since)
        with self.lock:
            self.ended[kind] += 1

    def note(self, kind, path, how, since):
        now = time.monotonic()
        with self.lock:
            explained = any(w.explains(kind, since, now) for w in self.windows)
        if not explained:
            self.problem(f"{path}: {how}, and no fault explains it")

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def window(self, fault):
        w = Window(fault)
        with self.lock:
            self.windows = self.windows[-40:] + [w]
        return w

    def goes_on(self, answers, seconds):
        wanted = self.good + answers
        wait_for(lambda: self.good >= wanted or self.problems, seconds, "right answers to go on")

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(30)
            check(not t.is_alive(), "a client still waits for its answer")
            t.drop()


class Scraper(threading.Thread):
    """Asks the master every 50 ms: no counter falls, no series goes."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.over = gateway, threading.Event()
        self.kinds, self.last, self.scrapes, self.missed, self.problems = {}, {}, 0, 0, []

    def run(self):
        client = None
        while not self.over.wait(0.05):
            try:
                client = client or Client(self.gateway.admin, 5)
                self.take(client.ask("/metrics"))
            except LOST:
                client, self.missed = None, self.missed + 1

    def is_counter(self, series):
        name = series.split("{")[0]
        return self.kinds.get(name) == "counter" or (name.endswith(("_bucket", "_count", "_sum")) and
                                                    self.kinds.get(name.rsplit("_", 1)[0]) == "histogram")

    def take(self, a):
        text = a.body.decode()
        self.kinds.update(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        now = {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.M)}
        for series, before in self.last.items():
            if series not in now:
                self.problems.append(f"series gone: {series}")
            elif now[series] < before and self.is_counter(series):
                self.problems.append(f"{series} fell from {before} to {now[series]}")
        self.last, self.scrapes = now, self.scrapes + 1

    def stop(self):
        self.over.set()
        self.join(10)


def sum_of(gateway, name, **labels):
    """Over all series of that name, as the master tells it now."""
    text, total = gateway.admin_ask("/metrics", timeout=5).body.decode(), 0.0
    for more, value in re.findall(rf"^opitios_{name}(\{{.*\}})? (\S+)$", text, re.M):
        if all(f'{k}="{v}"' in more for k, v in labels.items()):
            total += float(value)
    return total


def crash_reported(state, pid, signal):
    """A report of that process and signal is among the state; there may be no such folder."""
    folder = state / "crashes"
    if not folder.exists():
        return True
    for name in sorted(os.listdir(folder), reverse=True)[:20]:
        with contextlib.suppress(OSError, ValueError):
            report = json.loads((folder / name).read_text())
            if report.get("pid") == pid:
                equal(report.get("signal"), signal, f"signal in {name}")
                return True
    return False


def unaccounted(gateway, bars):
    """Records that upstream calls must have made and the journal neither holds nor counts as dropped; each call for bars
    brings so many, and one of coverage. A fetcher's death may add to it, nothing else. The least of some looks: then none is on its way."""
    def look():
        text = gateway.admin_ask("/metrics", timeout=5).body.decode()
        total = lambda pattern: sum(map(float, re.findall(rf"^opitios_{pattern} (\S+)$", text, re.M)))
        calls = total(r"upstream_requests_total\{.*\}")
        check(total(r'journal_records_total\{.*kind="call".*\}') > 0, "calls are journalled under another name")
        return (calls + (bars + 1) * total(r'upstream_requests_total\{.*endpoint="stock_bars",outcome="ok".*\}') +
                total(r'upstream_requests_total\{.*endpoint="clock",outcome="ok".*\}') -
                total(r"journal_records_total\{.*\}") - total(r"journal_dropped_total\{.*\}"))
    return min(look() for _ in range(6))


def stored_once(state, source="fetcher-rest"):
    """Every sequence of the journal is in the store exactly once, from the first to the position; how many."""
    db = sqlite3.connect(f"file:{state}/history.sqlite?mode=ro", uri=True, timeout=10)
    try:
        found = sorted(s for t in TABLES for (s,) in db.execute(
            f"select journal_sequence from {t} where journal_source = ?", (source,)))
        (position,), = db.execute("select journal_sequence from journal_position where journal_source = ?", (source,)).fetchall()
    finally:
        db.close()
    check(found, "nothing is stored")
    equal(len(found), len(set(found)), "records stored twice")
    equal((found[-1], len(found)), (position, found[-1] - found[0] + 1), "last stored and number without a gap")
    return len(found)


def nothing_left(state):
    equal([n for n in sorted(os.listdir(state)) if not KEPT.match(n)], [], "files left in the state directory")


def alarms(log_path):
    lines = log_path.read_text(errors="replace").splitlines()
    found = [x for x in lines if any(a in x for a in ALARMS)]
    check(not found, len(found), "alarms in the log:", found[:3])
