"""stage.py - the gateway on its stage: state on a small disk, clients, a scraper; whether all is whole, and the last sum."""
import contextlib
import csv
import json
import subprocess
import time

import invariants
import kernel
import shown
from harness import BUILD, ROOT, ask, check, equal, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = 3    # in each answer: so what the journal must hold follows from the number of calls
MADE = ROOT / "tests/recordings/every-endpoint"
PATHS = [f"/api/v1/stocks/GOOG/bars?timeframe=1Day&limit={BARS}&start=2007-0{n}-01" for n in range(1, 9)]
QUOTE = "/api/v1/stocks/AAPL/quote"
HANG_S, DUMP_S = 1.0, 0.5
SETTINGS = ("--freshness.bars=0", "--freshness.closed=0", "--freshness.quote=0", "--supervisor.stable_after=10ms", "--supervisor.fail_deaths=1000",
            f"--supervisor.hang_timeout={int(HANG_S * 1e3)}ms", f"--supervisor.dump_timeout={int(DUMP_S * 1e3)}ms",
            "--supervisor.restart_ceiling=500ms", "--http.close_spread=100ms", "--journal.segment_bytes=256k", "--history.wait=0")
FREE_BYTES = 8 << 20     # what the disk must have left: else it would be full by itself
DESCRIPTORS = 2
CLIENTS = 4


def number(text):
    return int(text) if text.isdigit() else float(text)


def right_answers():
    """As the recordings have them, read here and by nothing of the program."""
    with open(DEMO / "bars-1Day-GOOG.csv") as f:
        rows = list(csv.DictReader(f))
    right = {}
    for path in PATHS:
        start = path.rsplit("start=", 1)[1]
        right[path] = [{"timestamp": r["timestamp"], **{k: number(r[k]) for k in ("open", "high", "low", "close", "volume")},
                        "trade_count": None, "vwap": None} for r in rows if r["timestamp"] >= start][:BARS]
    # Its clock stands at 20:45: what comes later has not happened.
    with open(MADE / "quotes-AAPL.csv") as f:
        q = [r for r in csv.DictReader(f) if r["timestamp"] < "2024-03-08T20:45:00"][-1]
    right[QUOTE] = {"symbol": "AAPL", **{k: q[k] if "exchange" in k else number(q[k]) for k in
                    ("bid_price", "bid_size", "bid_exchange", "ask_price", "ask_size", "ask_exchange")},
                    "conditions": [q["conditions"]], "tape": q["tape"]}
    return right


class Stage:
    def __init__(self, scene, workers=2):
        self.workers, self.disk = workers, kernel.Disk(scene.folder / "state")
        self.load = self.scraper = self.truth = self.forks = None
        self.shown = []     # seconds until a cause showed everywhere
        try:
            self.upstream, self.gateway = scene.pair(MADE, DEMO, workers=workers, settings=SETTINGS)
            self.master = self.gateway.process.pid
            wait_for(self.is_whole, 20, "the start")
            self.forks = kernel.Fork([self.master, *self.gateway.children().values()])
            self.load = invariants.Load(self.gateway, right_answers(), CLIENTS)
            self.scraper = invariants.Scraper(self.gateway)
            self.scraper.start()
            self.truth = invariants.Truth(self.gateway)
            self.truth.start()
            wait_for(lambda: self.scraper.scrapes > 2, 5, "scrapes")
            self.load.goes_on(20, 10)
            self.baseline = len(kernel.descriptors(self.master))
            self.most = {self.role(seat): len(kernel.descriptors(pid)) + CLIENTS + DESCRIPTORS
                         for seat, pid in self.gateway.children().items()}
        except BaseException:
            self.close()
            raise

    def problems(self):
        return self.load.problems + self.scraper.problems + self.truth.problems

    def ctl(self, *words, timeout=40):
        return subprocess.run([BUILD / "opitios-ctl", "--state-dir", str(self.gateway.state), *words], capture_output=True,
                              text=True, timeout=timeout)

    def sum_of(self, name, **labels):
        return invariants.sum_of(self.gateway, name, **labels)

    @staticmethod
    def role(seat):
        return seat.split("-")[0]

    def too_many_descriptors(self):
        found = {}
        for seat, pid in self.gateway.children().items():
            with contextlib.suppress(FileNotFoundError):
                if (n := len(kernel.descriptors(pid))) > self.most[self.role(seat)]:
                    found[seat] = n
        return found

    def told(self):
        """What health says of each slot; None while it cannot be asked, which is short."""
        with contextlib.suppress(*invariants.LOST, KeyError, ValueError):
            return self.gateway.admin_ask("/health/detailed", timeout=5).json

    @staticmethod
    def is_well(d):
        """Healthy, but for what health goes on telling for a minute after it is over."""
        return d["status"] == "healthy" or d["status"] == "degraded" and set(d["reason_codes"]) <= set(shown.CODES.values())

    def is_whole(self):
        for who, process in (("master", self.gateway.process), ("upstream, which no fault here touches,", self.upstream.process)):
            check(process.poll() is None, "the", who, "ended: status", process.returncode)
        d = self.told()
        if d is None or not self.is_well(d) or d["draining"] or len(d["workers"]) != self.workers + 2:
            return False
        ready = {w["slot"]: w["pid"] for w in d["workers"] if w["state"] == "ready"}
        seats = self.gateway.children()
        alive = {seat.split(".")[0]: pid for seat, pid in seats.items()}
        if len(ready) != self.workers + 2 or ready != alive or len(seats) != len(alive):
            return False
        with contextlib.suppress(*invariants.LOST):
            return (self.gateway.admin_ask("/readyz", timeout=5).status == 200 and
                    all(ask(self.gateway.port, PATHS[0], timeout=5).status == 200 for _ in range(2 * self.workers)))
        return False

    def changes(self, slot, pid, seconds):
        """Waits until health tells that this process is not the slot's ready one any more; it may not after it is gone."""
        def changed():
            gone = not kernel.exists(pid)
            d = self.told()
            if d is None:
                return False
            for w in d["workers"]:
                if w["slot"] == slot and w["pid"] == pid and w["state"] == "ready":
                    check(not gone, f"health says that {slot} is ready as pid {pid}, which is gone")
                    return False
            return True
        wait_for(changed, seconds, f"health to tell of {slot}, pid {pid}", 0.002)

    def one(self, fault):
        """Brings the fault about, heals it, waits until all is whole, and asks whether all that must hold held."""
        window = self.load.window(fault)
        watch = shown.Shown(fault)
        watch.start()
        begun = time.monotonic()
        try:
            fault.inject()
            if fault.dies:
                self.changes(fault.slot, fault.pid, fault.bound)
            fault.last()
        finally:
            fault.heal()
        healed = time.monotonic()
        wait_for(self.is_whole, fault.bound, f"all to be whole: {fault.what}", 0.005)
        window.end = time.monotonic()
        watch.end()
        equal(sorted(watch.missing), [], f"where the cause did not show within {shown.BOUND:.0f} s: {fault.what}")
        if fault.shows:
            self.shown.append(watch.took)
        self.judge(fault)
        return window.end - begun, window.end - healed

    def judge(self, fault):
        fault.judge()
        wait_for(lambda: not kernel.zombies_of(self.master), 1, "the dead to be reaped")
        wait_for(lambda: abs(len(kernel.descriptors(self.master)) - self.baseline) <= DESCRIPTORS, 3,
                 f"the master's {self.baseline} descriptors")
        wait_for(lambda: not self.too_many_descriptors(), 3, f"workers with more descriptors than {self.most}: {self.too_many_descriptors()}")
        wait_for(lambda: self.sum_of("http_requests_in_flight") <= CLIENTS + 1, 1, "no more requests in flight than there are clients")
        r = self.ctl("workers", "--json")
        equal(r.returncode, 0, f"opitios-ctl workers: {r.stderr}")
        told = {w["slot"]: w["state"] for w in json.loads(r.stdout)["workers"]}
        equal((len(told), set(told.values())), (self.workers + 2, {"ready"}), f"opitios-ctl workers: {told}")
        self.load.goes_on(8, 10)
        check(self.disk.why or self.disk.free() > FREE_BYTES, "the disk of the test itself is full: fewer faults a seed")
        equal(self.problems(), [], "problems")

    def finish(self):
        """Without load: gauges fall to nothing, everything is stored, and the gateway ends without a trace."""
        g = self.gateway
        self.load.stop()
        wait_for(lambda: self.sum_of("http_requests_in_flight") == 0, 5, "no request in flight")
        wait_for(lambda: self.sum_of("fetch_waiting") == 0, 5, "no fetch waited for")
        wait_for(lambda: self.sum_of("journal_lag_records") == 0, 30, "the writer to catch up")
        dropped, kept = (self.sum_of(f"journal_{what}_total") for what in ("dropped", "records"))
        for watcher in (self.scraper, self.truth):
            watcher.stop()
        equal(g.stop(), 0, "exit code")
        stored = invariants.stored_once(g.state)
        # A fetcher that was killed between writing and counting makes it more, nothing makes it less.
        check(stored >= kept, "of", kept, "records told as kept only", stored, "are stored")
        invariants.nothing_left(g.state)
        invariants.alarms(g.log_path)
        equal(self.problems(), [], "problems")
        causes = f"{len(self.shown)} causes shown in health, metrics, log and status page within {max(self.shown, default=0):.1f} s; "
        return (f"{causes}{self.load.good} right answers, refused {self.load.refused or 'none'}, {self.load.ended} connections lost; "
                f"{self.scraper.scrapes} scrapes, {self.scraper.missed} missed; {stored} records stored once each, {dropped:.0f} told as dropped")

    def close(self):
        """Whatever has happened: nothing of ours stays."""
        for thing in (self.load, self.scraper, self.truth):
            if thing:
                with contextlib.suppress(AssertionError):
                    thing.stop()
        if hasattr(self, "gateway"):
            with contextlib.suppress(AssertionError, ValueError):
                self.gateway.stop()
        if self.forks:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not self.forks.group.exists() or self.forks.close() or not self.forks.group.exists(), 3, "the group")
        self.disk.close()
