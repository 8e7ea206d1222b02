"""faults.py - what may go wrong, a class each.

inject() brings it about, last() is how long it stays, heal() ends it. `bound`: seconds from then until all is whole.
`dies`: the process `pid` of `slot` is replaced, and health has to tell. `cuts`, `refuses`: what clients may see meanwhile: a
connection that ends without an answer, an error with a documented code; `crosses`: one that was kept and at rest is closed
just as its next request is on its way; both no more than `kills` times a client. judge() asks what this fault alone promises.
"""
import contextlib
import os
import random
import re
import resource
import signal
import socket
import time

import invariants
import kernel
import shown
import stage as stages
from harness import BUILD, Skip, check, equal, wait_for

DEADLY = [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL]
# Sanitizers report the others as the program's own, and map more than any limit allows.
SANITIZED = b"__asan_init" in (BUILD / "http").read_bytes()
CONTROL_FD = 3
HANG_BOUND = stages.HANG_S + stages.DUMP_S + 2


class Fault:
    weight, bound, hold, dies = 1, 8.0, 0.0, True
    cuts, crosses, refuses = False, False, True
    shows = {}      # where its cause has to show within seconds, and how: shown.py
    kills = 1       # how often each client may lose its connection by it; None: as often as may be

    def __init__(self, stage, rng):
        self.stage, self.rng, self.gateway = stage, rng, stage.gateway
        self.seat, self.slot, self.pid, self.what = None, None, None, ""
        self.prepare()

    def prepare(self):
        self.victim()

    def slots(self):
        return sorted({seat.split(".")[0] for seat in self.gateway.children()})

    def victim(self, *roles):
        """A slot drawn by its name, so that the same seed draws the same; its process of the moment."""
        seats = {seat.split(".")[0]: (seat, pid) for seat, pid in self.gateway.children().items()}
        self.slot = self.rng.choice(sorted(s for s in seats if not roles or s.startswith(roles)))
        self.seat, self.pid = seats[self.slot]
        self.what, self.cuts = self.slot, self.slot.startswith("http")

    def inject(self):
        pass

    def last(self):
        time.sleep(self.hold)

    def heal(self):
        pass

    def judge(self):
        pass


class Kill(Fault):
    """A slot's process dies of a signal."""
    weight = 6

    def prepare(self):
        self.victim()
        self.signal = self.rng.choice(DEADLY[:2] if SANITIZED else DEADLY)
        self.what = f"{self.slot} {self.signal.name}"
        self.shows = shown.end_of(self.slot, rf"signal {int(self.signal)}\b")

    def inject(self):
        os.kill(self.pid, self.signal)

    def judge(self):
        wait_for(lambda: invariants.crash_reported(self.gateway.state, self.pid, int(self.signal)), 3,
                 f"the report of pid {self.pid}, {self.signal.name}")


class Terminate(Fault):
    """Somebody other than the master asks a worker to end: it drains, and another comes."""
    weight = 2

    def prepare(self):
        self.victim()
        self.cuts, self.crosses = False, True
        self.shows = shown.end_of(self.slot, r"exit 0\b")

    def inject(self):
        os.kill(self.pid, signal.SIGTERM)


class Stop(Fault):
    """A process is stopped: found, aborted, replaced."""
    weight, bound = 2, HANG_BOUND

    def prepare(self):
        self.victim()
        self.shows = shown.end_of(self.slot, "stood still")

    def inject(self):
        os.kill(self.pid, signal.SIGSTOP)

    def judge(self):
        wait_for(lambda: invariants.hang_reported(self.gateway.state, self.pid), 3,
                 f"the report of {self.slot}, pid {self.pid}, that stood still")


class Loop(Stop):
    """A process runs in circles: found, aborted, replaced."""

    def inject(self):
        kernel.inject("spin", self.pid)


def crowd(port, request, number, seconds):
    """So many clients at once, each with this request; what those that got an answer read, after so many seconds."""
    sockets, found = [], []
    try:
        for _ in range(number):
            with contextlib.suppress(OSError):
                sockets.append(socket.create_connection(("127.0.0.1", port), timeout=2))
                sockets[-1].setblocking(False)
                sockets[-1].send(request)
        time.sleep(seconds)
        for s in sockets:
            with contextlib.suppress(OSError):
                found.append(s.recv(1 << 16))
    finally:
        for s in sockets:
            s.close()
    return found


class NoDescriptors(Fault):
    """An http worker may have one descriptor more, for a second, while more clients come."""
    dies, hold, kills = False, 1.0, None

    def prepare(self):
        self.victim("http")
        self.shows = shown.trouble("descriptors", "descriptors|Too many open files", "descriptors: |no connection can be accepted", self.slot)

    def inject(self):
        self.before = self.refusals()
        self.shortage = kernel.soft_limit(self.pid, resource.RLIMIT_NOFILE, len(kernel.descriptors(self.pid)) + 1)
        self.shortage.__enter__()

    def refusals(self):
        return invariants.sum_of(self.gateway, "http_connections_dropped_total", worker=self.slot, drop="limit")

    def accepted(self):
        return invariants.sum_of(self.gateway, "http_connections_accepted_total", worker=self.slot)

    def last(self):
        """Which worker takes a client is not for us to say: crowds come until it had one too many."""
        end, self.crowds, self.taken = time.monotonic() + self.hold, 0, self.accepted()
        while self.crowds < 6 and (time.monotonic() < end or self.refusals() == self.before):
            self.crowds += 1
            for got in crowd(self.gateway.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 24, self.hold / 3):
                check(got == b"" or got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), "an answer:", got[:80])

    def heal(self):
        self.shortage.__exit__(None, None, None)

    def judge(self):
        check(self.refusals() > self.before, self.slot, "counts nobody whom it refused, of", self.crowds, "times 24 that came and",
              self.accepted() - self.taken, "whom it took")
        check(kernel.exists(self.pid), self.slot, "died for want of a descriptor")


class NoMemory(Fault):
    """A worker gets no memory, for a second, while it needs some; it may die of it."""
    dies, hold = False, 1.5     # each looks at its limits once a second

    def prepare(self):
        if SANITIZED:
            raise Skip("sanitizers want more address space than there is")
        self.victim()
        self.shows = shown.trouble("memory", "address space|refused", "bytes of address space|out of memory", self.slot)

    def inject(self):
        self.shortage = kernel.soft_limit(self.pid, resource.RLIMIT_AS, kernel.mapped_bytes(self.pid) + (64 << 10))
        self.shortage.__enter__()

    def last(self):
        """Clients who ask for a great deal and do not read."""
        crowd(self.gateway.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 60, 16, self.hold)

    def heal(self):
        """Its next look finds it well, so that the next shortage is news to it."""
        self.shortage.__exit__(None, None, None)
        time.sleep(1.25)
        self.what += "" if kernel.exists(self.pid) else " died"


class NoProcesses(Fault):
    """The system refuses a new process when one is needed."""

    def prepare(self):
        self.victim()
        self.shows = shown.all_of(shown.end_of(self.slot, r"signal 9\b|refused a process"),
                                  shown.trouble("processes", rf"^{self.slot}\b.*no process", "no process", "master"))

    def inject(self):
        self.told = self.gateway.log_path.stat().st_size
        self.stage.forks.allow(1)
        os.kill(self.pid, signal.SIGKILL)

    def last(self):
        def refused():
            with open(self.gateway.log_path, "rb") as log:
                log.seek(self.told)
                return b"no process" in log.read()
        wait_for(refused, 3, "the refusal to be logged")

    def heal(self):
        with contextlib.suppress(Skip):
            self.stage.forks.allow("max")


class FullDisk(Fault):
    """The state directory is full: what is not kept is counted."""
    dies, bound = False, 15.0

    def prepare(self):
        self.what, self.hold = "state directory", 1 + self.rng.random()
        self.shows = shown.full_disk()

    def inject(self):
        self.before = invariants.unaccounted(self.gateway, stages.BARS)
        self.stage.disk.fill()

    def heal(self):
        self.stage.disk.empty()

    def judge(self):
        now = lambda: invariants.unaccounted(self.gateway, stages.BARS)
        wait_for(lambda: now() == self.before, 5, f"as many records to be kept or told as dropped as there were; {now() - self.before:.0f} were lost")
        wait_for(lambda: invariants.sum_of(self.gateway, "journal_lag_records") < 2000, 15, "the store to follow the journal again")


class Channel(Fault):
    """What is said in a worker's name on one of its channels."""
    bound = 8.0

    def prepare(self):
        self.victim()
        fds = kernel.channels(self.pid)
        check(CONTROL_FD in fds, f"{self.slot}: descriptor 3 is not its control channel: {fds}")
        # Half of it on the control channel: there the master listens.
        self.fd = CONTROL_FD if self.rng.random() < 0.5 else fds[self.rng.randrange(len(fds))]
        self.dies, self.cuts = self.fd == CONTROL_FD, True
        self.what = f"{self.slot} fd {self.fd}"
        self.told = self.gateway.log_path.stat().st_size
        self.shows = shown.trouble("channel", rf"channel (to|of) {self.slot}(\.\d+)?: ", r"refused: |floods")
        if self.dies:
            self.shows = shown.all_of(self.shows, shown.end_of(self.slot, "broke the protocol"))

    def last(self):
        """Whoever listens says so."""
        def refused():
            with open(self.gateway.log_path, "rb") as log:
                log.seek(self.told)
                return re.search(rb"refused: |floods", log.read())
        wait_for(refused, 3, f"somebody to refuse what {self.what} says")

    def say(self, data, seconds=3.0):
        """All of it, as long as the other side listens; the description is the worker's: it stays as it is."""
        end = time.monotonic() + seconds
        with kernel.stolen_socket(self.pid, self.fd) as s, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data and time.monotonic() < end:
                try:
                    data = data[s.send(data, 0x40):]        # MSG_DONTWAIT
                except BlockingIOError:
                    time.sleep(0.001)


class Garbage(Channel):
    """Random bytes."""
    weight = 2

    def inject(self):
        # The first four are a length above the limit: what is no message is known at once.
        self.say(bytes([self.rng.randrange(0x20, 0x80)]) + self.rng.randbytes(self.rng.randrange(8, 20000)))


class Flood(Channel):
    """A great many messages that are right, each for itself."""
    weight = 2

    def inject(self):
        # ready, of generation 1; or peer_lost, of link 32767, which nobody has, with no error
        one = bytes([0x92, 37, 1]) if self.rng.random() < 0.5 else bytes([0x93, 44, 0xCD, 0x7F, 0xFF, 0])
        frame = (len(one) * 50).to_bytes(4, "big") + one * 50
        self.say(frame * 2000)


class Reload(Fault):
    """Every http worker is replaced, and whoever a new setting concerns. No client may see it."""
    weight, dies, crosses, refuses, kills = 2, False, True, False, 4

    def prepare(self):
        self.what, self.shows = "all", shown.end_of(None, "replaced by a reload")

    def inject(self):
        self.told(self.stage.ctl("reload"))

    def told(self, r):
        equal(r.returncode, 0, f"opitios-ctl: {r.stdout}{r.stderr}")


class Upgrade(Reload):
    """The master becomes its executable anew, and so do the workers; the fetcher is gone for a moment."""
    refuses, bound = True, 12.0

    def prepare(self):
        self.what, self.shows = "all", shown.end_of(None, "replaced by an upgrade")

    def inject(self):
        self.told(self.stage.ctl("upgrade"))


class Restart(Reload):
    """opitios-ctl restart SLOT: it is another process, without a client's noticing when it is an http worker."""

    def prepare(self):
        self.victim()
        self.cuts, self.refuses = False, not self.slot.startswith("http")
        self.shows = shown.end_of(self.slot, "replaced as asked")

    def inject(self):
        self.told(self.stage.ctl("restart", self.slot))
        self.stage.changes(self.slot, self.pid, 5)


class Scale(Reload):
    """More or fewer http workers, for long enough to be seen, and then as many as before."""
    hold = 0.25

    def prepare(self):
        self.wanted = self.stage.workers
        self.number = self.rng.choice([n for n in (1, 2, 3, 4) if n != self.wanted])
        self.what, self.shows = f"http {self.number}", shown.scaled(self.number)

    def inject(self):
        self.told(self.stage.ctl("scale", "http", str(self.number)))
        self.stage.workers = self.number
        try:
            wait_for(self.stage.is_whole, 8, f"{self.number} http workers", 0.005)
        finally:
            self.stage.workers = self.wanted

    def heal(self):
        self.told(self.stage.ctl("scale", "http", str(self.wanted)))


class KillAll(Fault):
    """Everybody dies at once."""
    kills = 2

    def prepare(self):
        self.victim("http")
        self.what = "all workers"
        self.shows = shown.all_of(*(shown.end_of(slot, r"signal 9\b") for slot in self.slots()))

    def inject(self):
        for pid in self.gateway.children().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class ReloadUnderFire(Reload):
    """Workers die while others are being replaced: the reload ends, either way, and leaves one generation."""
    cuts = refuses = True
    kills = 6

    def prepare(self):
        self.what, self.shots = "three shots", random.Random(self.rng.random())
        self.shows = shown.end_of(None, r"signal 9\b")      # of one of them: another may be shot before it is anybody

    def inject(self):
        self.gateway.process.send_signal(signal.SIGHUP)
        for _ in range(3):
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.shots.choice(sorted(self.gateway.children().items()))[1], signal.SIGKILL)
            time.sleep(self.shots.random() * 0.02)


KINDS = {c.__name__: c for c in (Kill, Terminate, Stop, Loop, NoDescriptors, NoMemory, NoProcesses, FullDisk, Garbage, Flood,
                                 Reload, Upgrade, Restart, Scale, KillAll, ReloadUnderFire)}
