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
SLOT = re.compile(r"master|fetcher-rest|cache-writer|http-[0-3]")    # never a seat, never a process
GRACE = 0.25        # seconds after which a link between workers that was cut is there again
LOST = (OSError, http.client.HTTPException)


def documented():
    """The codes that may come with a 5xx, from the table."""
    rows = re.findall(r"^ERROR\((\w+), \d+, (5\d\d),", (ROOT / "include/tables/errors.def").read_text(), re.M)
    return {name: int(status) for name, status in rows}


class Window:
    """A time in which something is broken on purpose, and what clients may see of it."""

    def __init__(self, fault):
        self.fault, self.begin, self.end, self.lost = fault, time.monotonic(), float("inf"), 0

    def explains(self, kind, since, now):
        f = self.fault
        allowed = {"cut": f.cuts, "crossed": f.cuts or f.crosses, "refused": f.refuses}[kind]
        return allowed and self.begin <= now and since <= self.end + (GRACE if kind == "refused" else 0)


class Asker(threading.Thread):
    """One client, on a connection it keeps or on ever new ones; compares each answer with the right one."""

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


# Of a row of bars, besides what was recorded: what this gateway knows of it.
TOLD = {"final": (True,), "versions": (None, 1)}


def is_right(data, right):
    """What the recording has is the answer; each row's finality and versions are those of a day long past, never revised."""
    if not isinstance(right, list):
        return data == right
    told = [{k: row.pop(k, "missing") for k in TOLD} for row in data["bars"]]
    return data["bars"] == right and all(row[k] in TOLD[k] for row in told for k in TOLD)


class Load:
    """Clients who ask all the time; `right` has the answer to each path, as the recording has it."""

    def __init__(self, gateway, right, clients=4):
        self.port, self.paths, self.codes = gateway.port, list(right), documented()
        self.over, self.running, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.good, self.refused, self.ended, self.windows, self.problems = 0, {}, {"cut": 0, "crossed": 0}, [], []
        self.right, self.threads = right, []
        self.running.set()
        self.threads = [Asker(self, i % 2 == 0, i) for i in range(clients)]
        for t in self.threads:
            t.start()

    def judge(self, path, a, began):
        if a.status == 200:
            if not is_right(a.json["data"], self.right[path]):
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
            windows = [w for w in self.windows if w.explains(kind, since, now)]
            if windows and kind != "refused":
                windows[-1].lost += 1
        if not windows:
            self.problem(f"{path}: {how}, and no fault explains it")
        elif windows[-1].fault.kills is not None and windows[-1].lost > windows[-1].fault.kills * len(self.threads):
            self.problem(f"{path}: {how}, the {windows[-1].lost}th by {windows[-1].fault.what}: more than were in its hands")

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


class Watcher(threading.Thread):
    """Asks the master the same thing again and again, and takes what it says."""
    path, every = "/", 0.05

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.over = gateway, threading.Event()
        self.scrapes, self.missed, self.problems = 0, 0, []

    def run(self):
        client = None
        while not self.over.wait(self.every):
            try:
                client = client or Client(self.gateway.admin, 5)
                self.take(client.ask(self.path))
                self.scrapes += 1
            except LOST:
                client, self.missed = None, self.missed + 1

    def stop(self):
        self.over.set()
        self.join(10)


class Truth(Watcher):
    """What health says of each worker fits what the kernel says, and its one word fits what it says of each worker."""
    path, every, late = "/health/detailed", 0.01, 0.2

    def __init__(self, gateway):
        super().__init__(gateway)
        self.gone = {}      # by slot: the process that was told as ready and is none, and since when

    def take(self, a):
        d, now = a.json, time.monotonic()
        for w in d["workers"]:
            if w["state"] != "ready":
                self.gone.pop(w["slot"], None)
                if d["status"] == "healthy" or not d["reasons"]:
                    self.problems.append(f"health is {d['status']} while {w['slot']} is {w['state']}: {d['reasons']}")
            elif not w["pid"]:
                self.problems.append(f"health says that {w['slot']} is ready, without a process")
            elif os.path.exists(f"/proc/{w['pid']}"):
                self.gone.pop(w["slot"], None)
            else:
                pid, since = self.gone.setdefault(w["slot"], (w["pid"], now))
                if pid != w["pid"]:
                    self.gone[w["slot"]] = w["pid"], now
                elif now - since > self.late:
                    self.problems.append(f"health says that {w['slot']} is ready as pid {pid}, gone for {now - since:.2f} s")


class Scraper(Watcher):
    """No counter falls, no series goes, but for the gauges of a slot that was scaled away: those go all at once."""
    path = "/metrics"

    def __init__(self, gateway):
        super().__init__(gateway)
        self.kinds, self.last = {}, {}

    def is_counter(self, series):
        name = series.split("{")[0]
        return self.kinds.get(name) == "counter" or (name.endswith(("_bucket", "_count", "_sum")) and
                                                    self.kinds.get(name.rsplit("_", 1)[0]) == "histogram")

    @staticmethod
    def worker(series):
        m = re.search(r'\bworker="([^"]*)"', series)
        return m[1] if m else ""

    def take(self, a):
        text = a.body.decode()
        self.kinds.update(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        now = {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.M)}
        for worker in set(re.findall(r'\bworker="([^"]*)"', text)):
            if not SLOT.fullmatch(worker):
                self.problems.append(f"series of a worker that is no slot: {worker}")
        shown = {self.worker(series) for series in now if not self.is_counter(series)}
        for series, before in self.last.items():
            if series not in now:
                if self.is_counter(series) or self.worker(series) in shown:
                    self.problems.append(f"series gone: {series}")
            elif now[series] < before and self.is_counter(series):
                self.problems.append(f"{series} fell from {before} to {now[series]}")
        self.last = now


def sum_of(gateway, name, **labels):
    """Over all series of that name, as the master tells it now."""
    text, total = gateway.admin_ask("/metrics", timeout=5).body.decode(), 0.0
    for more, value in re.findall(rf"^opitios_{name}(\{{.*\}})? (\S+)$", text, re.M):
        if all(f'{k}="{v}"' in more for k, v in labels.items()):
            total += float(value)
    return total


def crash_report(state, pid):
    """What is told of the end of that process; None: nothing."""
    folder = state / "crashes"
    for name in sorted(os.listdir(folder), reverse=True)[:20] if folder.exists() else ():
        with contextlib.suppress(OSError, ValueError):
            report = json.loads((folder / name).read_text())
            if report.get("pid") == pid:
                return report
    return None


def crash_reported(state, pid, signal):
    if report := crash_report(state, pid):
        equal(report.get("signal"), signal, f"signal in report {report['id']}")
    return report is not None


def hang_reported(state, pid):
    """A report with what the kernel saw and, of one that could be asked, where it stood; none yet: False."""
    report = crash_report(state, pid)
    if report is None:
        return False
    seen = report["hang"]
    check(report["cause"] == "hang" and seen and seen["state"] and seen["wchan"] and seen["syscall"], "a hang without a trace:", report)
    # One that does not come out of its circles in time is killed, and could not say where it was.
    check(report["frames"] or report["signal"] == 9, "a hang without a backtrace:", report)
    return True


def unaccounted(gateway, bars):
    """Records that upstream calls must have made and the journal neither holds nor counts as dropped; each call for bars
    brings so many, and one of coverage. A fetcher's death may add to it, nothing else. The least of some looks: then none is on its way."""
    def look():
        text = gateway.admin_ask("/metrics", timeout=5).body.decode()
        total = lambda pattern: sum(map(float, re.findall(rf"^opitios_{pattern} (\S+)$", text, re.M)))
        calls = total(r"upstream_requests_total\{.*\}")
        check(total(r'journal_records_total\{.*kind="call".*\}') > 0, "calls are journalled under another name")
        return (calls + (bars + 1) * total(r'upstream_requests_total\{.*endpoint="stock_bars",outcome="ok".*\}') +
                total(r'upstream_requests_total\{.*endpoint="(?:clock|stock_quote)",outcome="ok".*\}') -
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


def complaints(log_path):
    """Lines of level error and above by kind: the text without what differs from one to the next."""
    found = {}
    for line in log_path.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            if entry["level"] in ("error", "fatal", "panic"):
                kind = re.sub(r"/\S+/", "/.../", re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "N", entry["message"]))
                kind = f"{entry['level']}: " + re.sub(r"^(fetcher-rest|cache-writer|http-N)(\.N)?(: pid N)?:?", "SLOT:", kind)[:150]
                found[kind] = found.get(kind, 0) + 1
    return found
