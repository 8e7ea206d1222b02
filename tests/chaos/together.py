"""together.py - two things at once: a reload or an upgrade while something else is wrong, shortages of the master itself.

The kinds of faults.py go wrong alone; KINDS here are those and these.
"""
import contextlib
import os
import random
import resource
import signal
import time

import faults
import invariants
import kernel
import shown
import stage as stages
from faults import CONTROL_FD, HANG_BOUND, Fault, FullDisk, NoProcesses, Reload, Stop
from harness import check, equal, wait_for


class Block(Stop):
    """A process waits for ever in a read: found, aborted, replaced."""

    def inject(self):
        kernel.inject("block", self.pid)


class KillBusy(Fault):
    """An http worker dies with requests in hand, which the upstream keeps waiting: they are in hand no more."""

    def prepare(self):
        self.victim("http")
        self.shows = shown.end_of(self.slot, r"signal 9\b")

    def in_hand(self):
        return self.stage.sum_of("http_requests_in_flight")

    def inject(self):
        self.stage.upstream.fault("slow", delay_ms=1500, path="/v2/")
        try:
            # Each client waits, in whichever worker it is; soon they do again.
            wait_for(lambda: self.in_hand() >= stages.CLIENTS, 10, "requests in hand")
            os.kill(self.pid, signal.SIGKILL)
            self.stage.changes(self.slot, self.pid, self.bound)
            wait_for(lambda: self.in_hand() <= stages.CLIENTS, 0.3, "what was in a dead worker's hands to be forgotten")
            for _ in range(10):
                check(self.in_hand() <= stages.CLIENTS, self.in_hand(), "requests in hand of", stages.CLIENTS, "clients")
                time.sleep(0.03)
        finally:
            self.stage.upstream.heal()


class StopAll(Fault):
    """Every worker is stopped: the master tells so, and replaces them all."""
    bound, kills = HANG_BOUND, 2

    def prepare(self):
        self.victim("http")
        self.what, self.cuts = "all workers", True
        self.shows = shown.all_of(*(shown.end_of(slot, "stood still") for slot in self.slots()))

    def inject(self):
        self.stopped = {seat.split(".")[0]: pid for seat, pid in self.gateway.children().items()}
        for pid in self.stopped.values():
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        for path, status in (("/livez", 200), ("/metrics", 200), ("/health/detailed", 200)):
            equal(self.gateway.admin_ask(path, timeout=2).status, status, f"{path} of the master while all workers are stopped")
        check(time.monotonic() - began < 0.5, "the master took", time.monotonic() - began, "s to answer")

    def last(self):
        for slot, pid in self.stopped.items():
            wait_for(lambda: not kernel.exists(pid), self.bound, f"the end of {slot}, which is stopped, pid {pid}")


class Upgrading:
    """An upgrade asked for by its signal: nothing says when it has ended but that it is counted."""

    def upgrade(self):
        self.upgrades = self.stage.sum_of("upgrades_total")
        self.gateway.process.send_signal(signal.SIGUSR2)

    def upgraded(self):
        with contextlib.suppress(*invariants.LOST):
            return self.stage.sum_of("upgrades_total") > self.upgrades
        return False

    def wait_upgraded(self):
        wait_for(self.upgraded, self.bound, "the upgrade to end, one way or the other")


class UpgradeUnderFire(Upgrading, Reload):
    """Workers die while the master becomes its executable anew: it ends, either way, and leaves one generation."""
    cuts = refuses = True
    bound, kills = 20.0, 6

    def prepare(self):
        self.what, self.shots = "three shots", random.Random(self.rng.random())
        self.shows = shown.end_of(None, r"signal 9\b")

    def last(self):
        self.wait_upgraded()

    def inject(self):
        self.upgrade()
        for _ in range(3):
            time.sleep(self.shots.random() * 0.03)
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.shots.choice(sorted(self.gateway.children().items()))[1], signal.SIGKILL)


class ReloadOfStopped(Stop):
    """A reload is asked for while a worker stands still: both come to their end."""
    bound, kills = HANG_BOUND + 5, 4

    def prepare(self):
        super().prepare()
        self.cuts, self.crosses = self.cuts, True
        # Which of the two ends it first is open.
        self.shows = shown.end_of(self.slot, "stood still|did not finish in time|replaced by an? (reload|upgrade)")

    def inject(self):
        os.kill(self.pid, signal.SIGSTOP)
        self.gateway.process.send_signal(signal.SIGHUP)


class RenewalWithoutProcesses(NoProcesses):
    """No process can be had for a reload or an upgrade: it fails and says so, and everybody serves on. No client may see it."""
    dies, refuses, kills = False, False, 0

    def prepare(self):
        self.what, self.cuts = self.rng.choice(["reload", "upgrade"]), False
        self.shows = shown.trouble("processes", "no process", "refused a process", "master")

    def inject(self):
        self.before = self.gateway.children()
        self.stage.forks.allow(1)

    def last(self):
        r = self.stage.ctl(self.what)
        check(r.returncode != 0 and r.stderr.count("\n") == 1 and "refused a process" in r.stderr, f"a {self.what} without a process said", r.returncode, r.stdout, r.stderr)

    def judge(self):
        equal(self.gateway.children(), self.before, f"who serves after a {self.what} that failed")


class FullDiskAnd(FullDisk):
    """The state directory is full, and somebody has to start on it."""
    refuses, crosses, bound, kills = True, True, 20.0, 2

    def prepare(self):
        super().prepare()
        self.shows = shown.low_disk()       # where nobody writes meanwhile the journal does not notice
        self.what = self.rng.choice(["fetcher dies", "cache-writer dies", "reload", "upgrade"])

    def inject(self):
        self.stage.disk.fill()
        time.sleep(self.rng.random() * 0.3)
        if self.what in ("reload", "upgrade"):
            self.stage.ctl(self.what)      # it may fail; what counts is how all is afterwards
        else:
            role = self.what.split()[0]
            os.kill(next(pid for seat, pid in self.gateway.children().items() if seat.startswith(role)), signal.SIGKILL)

    def judge(self):
        wait_for(lambda: self.stage.sum_of("journal_lag_records") < 2000, 15, "the store to follow the journal again")


class MasterNoDescriptors(Fault):
    """The master may have no descriptor more, or hardly one, when a process is needed: it comes once there are some."""
    dies, hold = False, 0.5

    def prepare(self):
        self.victim()
        self.spare = self.rng.choice([None, 0, 1, 2, 3])     # None: not even one of those that become free
        # The end itself, or that of successors which get no descriptor.
        self.shows = shown.end_of(self.slot, r"signal 9\b|refused a process|\(SYSTEM\)")
        # With more to spare some connection that ends just then may make it enough: then nothing was wanting, and nothing shows.
        if not self.spare:
            self.shows = shown.all_of(self.shows, shown.trouble("descriptors", "Too many open files|descriptors", "Too many open files"))
        self.what += f", {'none' if self.spare is None else self.spare} to spare"

    def inject(self):
        self.told = self.gateway.log_path.stat().st_size
        limit = CONTROL_FD if self.spare is None else len(kernel.descriptors(self.stage.master)) + self.spare
        self.shortage = kernel.soft_limit(self.stage.master, resource.RLIMIT_NOFILE, limit)
        self.shortage.__enter__()
        os.kill(self.pid, signal.SIGKILL)

    def last(self):
        def noticed():
            with open(self.gateway.log_path, "rb") as log:
                log.seek(self.told)
                return b"Too many open files" in log.read()
        if self.spare is None:
            wait_for(noticed, 3, "the shortage to be logged")
        super().last()

    def heal(self):
        self.shortage.__exit__(None, None, None)


class UpgradeOfStopped(Upgrading, ReloadOfStopped):
    """An upgrade is asked for while a worker stands still: both come to their end."""
    bound = HANG_BOUND + 15

    def inject(self):
        os.kill(self.pid, signal.SIGSTOP)
        self.upgrade()

    def last(self):
        self.wait_upgraded()


class UpgradeLosesProcesses(Upgrading, NoProcesses):
    """Processes run out in the middle of an upgrade: it ends, either way, and nobody's request with it."""
    dies, crosses, bound, kills = False, True, 25.0, 4

    def prepare(self):
        self.what, self.cuts = "upgrade", False
        # When processes run out all that the upgrade wants may have been born: then it shows, else that one was refused.
        self.shows = shown.any_of(shown.end_of(None, "replaced by an upgrade"),
                                  shown.trouble("processes", "no process", "no process|refused a process", "master"))
        self.after = self.rng.random() * 0.06

    def inject(self):
        self.upgrade()
        time.sleep(self.after)
        self.stage.forks.allow(1)

    def last(self):
        time.sleep(0.3)

    def heal(self):
        super().heal()
        self.wait_upgraded()


class Upstream(Fault):
    """The upstream breaks off, hangs, fails or tells what is none: nothing is invented, all comes back with it."""
    dies, hold, bound = False, 1.0, 20.0

    def prepare(self):
        self.what, why = self.rng.choice([("500", "upstream answered 500"), ("504", "upstream answered 504"), ("malformed", "is not JSON"),
                                          ("cut", ""), ("drop_connection", "Empty reply")])
        self.shows = shown.failing_upstream(self.gateway, why)

    def inject(self):
        self.stage.upstream.fault(self.what, path="/v2/")

    def heal(self):
        self.stage.upstream.heal()


class StopMaster(Fault):
    """The master is stopped for longer than a worker may stand still, and goes on: nobody notices, nobody is replaced."""
    dies, refuses, hold, kills = False, False, stages.HANG_S * 1.5, 0

    def prepare(self):
        self.what, self.shows = "master", shown.trouble("stall", "stood still", "the master stood still", "master")

    def inject(self):
        self.before = self.gateway.children()
        self.gateway.process.send_signal(signal.SIGSTOP)
        self.stage.load.goes_on(20, 5)

    def heal(self):
        self.gateway.process.send_signal(signal.SIGCONT)

    def judge(self):
        equal(self.gateway.children(), self.before, "who serves after the master stood still")


class Signals(Fault):
    """Whatever signal means something to the master, in any order, at once: but those that end it."""
    dies, crosses, bound, kills = False, True, 25.0, 8

    def prepare(self):
        self.drawn = self.rng.choices([signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE], k=6)
        self.what = " ".join(s.name[3:] for s in self.drawn)
        self.shows = {}     # none of them is a fault, and some do nothing: there is nothing to show

    def inject(self):
        for s in self.drawn:
            self.gateway.process.send_signal(s)
            time.sleep(self.rng.random() * 0.02)

    def heal(self):
        """A reload is refused as long as anything of that is under way."""
        wait_for(lambda: self.stage.ctl("reload").returncode == 0, 20, "a reload after all those signals")


class ScaleUnderFire(faults.Scale):
    """Workers die while their number changes."""
    cuts = refuses = True
    kills = 8

    def prepare(self):
        super().prepare()
        self.shots = random.Random(self.rng.random())
        self.shows = shown.end_of(None, r"signal 9\b")

    def inject(self):
        self.shoot()
        super().inject()

    def shoot(self):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.shots.choice(sorted(self.gateway.children().items()))[1], signal.SIGKILL)

    def told(self, r):
        """It may fail when a successor died; then it is asked for again."""

    def heal(self):
        self.shoot()
        wait_for(lambda: self.stage.ctl("scale", "http", str(self.wanted)).returncode == 0, 10, "the scaling back")


KINDS = faults.KINDS | {c.__name__: c for c in (
    Block, KillBusy, StopAll, StopMaster, Upstream, UpgradeUnderFire, ReloadOfStopped, UpgradeOfStopped, RenewalWithoutProcesses,
    UpgradeLosesProcesses, FullDiskAnd, MasterNoDescriptors, Signals, ScaleUnderFire)}
