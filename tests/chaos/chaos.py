#!/usr/bin/env python3
"""chaos.py - random faults against the running gateway under load; after each everything must be whole, and true.

    chaos.py [--faults N] [--seed S] [--only KIND] [--list]

The seed is printed first; the same seed draws the same faults. What must hold is in Stage: no counter falls, no series goes, no
answer is wrong, no client fails that no fault explains, no zombie, no descriptor too many, every slot ready again in
time, and at the end every journalled record stored once and nothing left behind.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from faults import KINDS, WEIGHTS
from harness import ROOT, Client, Scene, Skip, check, equal, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
PATHS = [f"/api/v1/stocks/{s}/bars?timeframe=1Day&limit={n}" for s in ("GOOG", "MSFT") for n in range(3, 13)]
MAY_FAIL = {500, 503, 504}  # while something that is needed is down
TABLES = ("quotes", "trades", "bars", "greeks", "snapshots", "upstream_calls", "market_clocks")
SETTINGS = ("--freshness.bars=50ms", "--freshness.closed=50ms", "--freshness.stale_if_error=0", "--supervisor.stable_after=10ms",
            "--supervisor.fail_deaths=1000", "--supervisor.hang_timeout=500ms", "--supervisor.dump_timeout=500ms",
            "--supervisor.restart_ceiling=500ms", "--http.close_spread=100ms", "--journal.segment_bytes=256k")
KEPT = ("history.sqlite", "journal", "budget.", "crashes")
TOLERATED_DESCRIPTORS = 4


class Asking(threading.Thread):
    """One client; keeps its connection or not. Compares every answer with the recording's."""

    def __init__(self, stage, keeps, index):
        super().__init__(daemon=True)
        self.stage, self.keeps, self.index = stage, keeps, index
        self.good = self.refused = 0

    def run(self):
        client, n, used = None, self.index, False
        while not self.stage.done.is_set():
            path = PATHS[n % len(PATHS)]
            n += 1
            began = time.monotonic()
            try:
                client, used = client or Client(self.stage.gateway.port, 30), client is not None and used
                self.judge(path, client.ask(path), began)
                used = True
                if not self.keeps:
                    client.close()
                    client = None
            except (OSError, http.client.HTTPException) as e:
                # A kept connection may be closed under a request that no answer began for: it is sent again.
                if not (used and isinstance(e, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError))):
                    self.stage.failed(path, f"{type(e).__name__}: {e}", began, cut=True)
                client = None
            time.sleep(0.002)

    def judge(self, path, a, began):
        if a.status == 200:
            self.good += 1
            if a.json["data"]["bars"] != self.stage.right[path]:
                self.stage.problems.append(f"{path}: a wrong answer: {a.body[:200]!r}")
        elif a.status == 503 and not a.body and a.headers.get("retry-after"):
            self.refused += 1  # a worker without a descriptor to spare
            self.stage.failed(path, "503 without descriptors", began, cut=False)
        elif a.status in MAY_FAIL and a.json["error"]["code"]:
            self.refused += 1
            self.stage.failed(path, f"{a.status} {a.json['error']['code']}", began, cut=False)
        else:
            self.stage.problems.append(f"{path}: {a}")


class Stage:
    def __init__(self, scene, http_workers=2):
        self.http_workers, self.groups, self.problems, self.seen = http_workers, set(), [], ""
        self.done, self.windows, self.lock = threading.Event(), [], threading.Lock()
        self.mounted = self.mount(scene.folder / "state")
        self.replay, self.gateway = scene.pair(DEMO, workers=http_workers, settings=SETTINGS)
        self.right = {p: self.gateway.ask(p).json["data"]["bars"] for p in PATHS}
        self.counters, self.series, self.scrapes = {}, set(), 0
        self.clients = [Asking(self, keeps, i) for i, keeps in enumerate((True, True, False, False))]
        self.scraper = threading.Thread(target=self.scrape, daemon=True)
        for t in (*self.clients, self.scraper):
            t.start()
        self.settle(10)
        self.descriptors = self.master_descriptors()

    def mount(self, folder):
        """A small file system for the state, so that it can be filled."""
        folder.mkdir()
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], capture_output=True)
        self.folder = folder
        return r.returncode == 0

    def failed(self, path, how, began, cut):
        """Explained by a fault that was there between the request's begin and now, or a problem."""
        with self.lock:
            now = time.monotonic()
            if not any(w["from"] <= now and began <= w["to"] and (w["cuts"] or not cut) for w in self.windows):
                self.problems.append(f"{path}: {how}, and no fault explains it")

    def scrape(self):
        while not self.done.wait(0.05):
            try:
                text = self.gateway.admin_ask("/metrics", timeout=5).body.decode()
            except (OSError, http.client.HTTPException):
                continue  # an image of the master takes over from another; whether it is back is asked elsewhere
            kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
            now = {m[1]: float(m[2]) for m in re.finditer(r"^(\S+?\{.*\}) (\S+)$", text, re.M)}
            self.scrapes += 1
            for name, value in now.items():
                base = re.sub(r"(_bucket|_sum|_count)?\{.*", "", name)
                if kinds.get(base, kinds.get(name.split("{")[0])) not in ("counter", "histogram"):
                    continue
                if value < self.counters.get(name, 0):
                    self.problems.append(f"{name} fell from {self.counters[name]} to {value}")
                self.counters[name] = value
            gone = self.series - set(now)
            if gone:
                self.problems.append(f"series gone: {sorted(gone)[:3]}")
            self.series |= set(now)

    def master_descriptors(self):
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))

    def is_whole(self):
        g = self.gateway
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError, ValueError):
            a = g.admin_ask("/health/detailed", timeout=5).json
            told = {w["slot"]: w["pid"] for w in a["workers"] if w["state"] == "ready"}
            alive = {s.split(".")[0]: p for s, p in g.children().items()}
            self.seen = f"told {[(w['slot'], w['state'], w['pid']) for w in a['workers']]}, draining {a['draining']}, alive {g.children()}"
            return (len(told) == self.http_workers + 2 and told == alive and a["draining"] == [] and
                    len(g.children()) == len(alive) and g.admin_ask("/readyz").status == 200)
        return False

    def settle(self, seconds):
        check(self.gateway.process.poll() is None, "the gateway ended:", self.gateway.tail())
        try:
            wait_for(self.is_whole, seconds, "everything to be whole and health to say so", 0.01)
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.seen}; {self.gateway.admin_ask('/readyz')}") from None

    def zombies(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                if int(fields[1]) == self.gateway.process.pid and fields[0] == "Z":
                    found.append(pid)
        return found

    def deaths(self):
        a = self.gateway.admin_ask("/health/detailed").json
        return sum(w["restarts"] for w in a["workers"] + a["draining"])

    def one(self, kind, rng):
        """Brings a fault about; how long it took until all was whole."""
        fault, before, scaled = KINDS[kind](self, rng), self.deaths(), self.http_workers
        window = {"from": time.monotonic(), "to": float("inf"), "cuts": True}
        with self.lock:
            self.windows = self.windows[-50:] + [window]
        began = time.monotonic()
        fault.inject()
        if fault.deaths:
            wait_for(lambda: self.told_deaths(before, fault.deaths), fault.seconds, f"the death of {fault.what} to be told", 0.005)
        self.settle(fault.seconds)
        took = time.monotonic() - began
        with self.lock:
            window["to"], window["cuts"] = time.monotonic(), fault.cuts
        self.judge(kind, scaled)
        return fault.what, took

    def told_deaths(self, before, wanted):
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError, ValueError):
            return self.deaths() >= before + wanted

    def judge(self, kind, scaled):
        equal(self.problems, [], "problems")
        wait_for(lambda: not self.zombies(), 1, "zombies to be reaped")
        if kind == "Scale":
            self.descriptors += self.http_workers - scaled
        wait_for(lambda: self.master_descriptors() <= self.descriptors + TOLERATED_DESCRIPTORS, 3,
                 f"the master's descriptors to be {self.descriptors} again")

    def rows(self):
        with sqlite3.connect(f"file:{self.folder}/history.sqlite?mode=ro", uri=True, timeout=10) as db:
            pairs = []
            for t in TABLES:
                pairs += [s for _, s in db.execute(f"select journal_source, journal_sequence from {t}")]
            return sorted(pairs), dict(db.execute("select journal_source, journal_sequence from journal_position"))["fetcher-rest"]

    def finish(self):
        """Load off: gauges are zero. Then a drain, and the sum of it all."""
        self.done.set()
        for t in self.clients:
            t.join(30)
        gauge = lambda n: sum(float(v) for v in re.findall(rf"^opitios_{n}\{{.*\}} (\S+)$",
                                                          self.gateway.admin_ask("/metrics").body.decode(), re.M))
        wait_for(lambda: gauge("http_requests_in_flight") == 0, 5, "no request in flight")
        wait_for(lambda: gauge("journal_lag_records") == 0, 30, "the writer to catch up")
        dropped = gauge("journal_dropped_total")
        equal(self.gateway.stop(), 0, "exit code")
        sequences, position = self.rows()
        equal(len(sequences), len(set(sequences)), "rows twice")
        equal((sequences[-1], len(sequences)), (position, sequences[-1] - sequences[0] + 1), "last stored and count")
        equal([n for n in os.listdir(self.folder) if not n.startswith(KEPT)], [], "files left behind")
        log = self.gateway.log_path.read_text(errors="replace")
        for word in ('"panic"', "Sanitizer", "runtime error", "cannot be: ignored"):
            check(word not in log, f"{word} in the log:", next((x for x in log.splitlines() if word in x), ""))
        equal(self.problems, [], "problems")
        good = sum(c.good for c in self.clients)
        refused = sum(c.refused for c in self.clients)
        print(f"  {good} right answers, {refused} refused while something was down, {self.scrapes} scrapes, {len(sequences)} records "
              f"stored once each, {dropped:.0f} told as not kept")

    def close(self):
        self.done.set()
        with contextlib.suppress(Exception):
            self.gateway.stop()
        for g in self.groups:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    g.rmdir()
                    break
                time.sleep(0.05)
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], capture_output=True)


def summary(times):
    print(f"  {'fault':16} {'count':>5} {'whole again after p50':>22} {'p99':>8} {'worst':>8}")
    for kind, all_ in sorted(times.items()):
        all_.sort()
        at = lambda q: all_[min(len(all_) - 1, int(len(all_) * q))]
        print(f"  {kind:16} {len(all_):5} {at(0.5) * 1e3:19.0f} ms {at(0.99) * 1e3:5.0f} ms {all_[-1] * 1e3:5.0f} ms")


def run(seed, faults, only=None, quiet=False):
    """Passed, failed."""
    print(f"  seed {seed}, {faults} faults", flush=True)
    rng, scene, times, passed, skipped = random.Random(seed), Scene("chaos"), {}, 0, {}
    scene.expected = ("Aborted", "Segmentation fault", "SIG")
    stage, index, kind = None, -1, "start"
    names = [only] if only else sorted(KINDS)
    try:
        stage = Stage(scene)
        for index in range(faults):
            kind = rng.choices(names, [WEIGHTS.get(n, 1) for n in names])[0]
            own = random.Random(rng.getrandbits(64))
            try:
                what, took = stage.one(kind, own)
            except Skip as e:
                skipped[kind] = str(e)
                continue
            times.setdefault(kind, []).append(took)
            passed += 1
            if not quiet:
                print(f"  {index + 1:4} {kind:16} {what:24} whole after {took * 1e3:5.0f} ms", flush=True)
        index, kind = faults, "end"
        stage.finish()
        passed += 1
        failed = 0
    except Exception as e:  # whatever it is: it has to be told with what repeats it
        failed = 1
        print(f"  FAIL at fault {index + 1} ({kind}): {type(e).__name__}: {e}")
        if stage:
            print("  " + "\n  ".join(stage.problems[:10]))
            print("\n".join(x[:240] for x in stage.gateway.tail(20000).splitlines()[-30:]))
        print(f"  to repeat it: tests/chaos/chaos.py --seed {seed} --faults {faults}" + (f" --only {only}" if only else ""))
    finally:
        if stage:
            stage.close()
    summary(times)
    for name, why in skipped.items():
        print(f"  skip  {name}: {why}")
    with contextlib.suppress(AssertionError):
        scene.close()
    if not failed:
        shutil.rmtree(scene.folder, ignore_errors=True)
    return passed, failed


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--faults", type=int, default=100)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--only", choices=sorted(KINDS))
    p.add_argument("--list", action="store_true")
    a = p.parse_args()
    if a.list:
        print("\n".join(f"{n:16} {(c.__doc__ or '').splitlines()[0] if c.__doc__ else ''}" for n, c in sorted(KINDS.items())))
        return
    passed, failed = run(a.seed, a.faults, a.only)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
