"""faults.py - what may go wrong with a gateway, and how it is brought about. Each fault is a class with inject(), which
returns after it is healed; `cuts` says that clients may lose what a worker held. Skip: not on this machine."""
import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

from harness import BUILD, Skip, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD = 434, 438
HELD = 0.6  # seconds a shortage lasts


def limit(pid, what, soft):
    """The old soft limit; the hard one stays."""
    old = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, old[1]))
    return old


def ctl(g, *words, timeout=40):
    return subprocess.run([BUILD / "opitios-ctl", "--state-dir", str(g.state), *words], capture_output=True, text=True,
                          timeout=timeout)


class Fault:
    cuts = True        # an http worker may go down with requests in hand
    deaths = 1         # at least so many processes are replaced unasked
    seconds = 6.0      # in which everything must be whole again

    def __init__(self, stage, random):
        self.stage, self.random, self.what = stage, random, ""

    def victim(self, *roles):
        """A live worker: its seat's name and pid."""
        found = [(s, p) for s, p in self.stage.gateway.children().items() if not roles or s.split("-")[0] in roles]
        slot, pid = self.random.choice(sorted(found))
        self.what = slot
        self.cuts = slot.startswith("http")
        return slot, pid


class Kill(Fault):
    def inject(self):
        number = self.random.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])
        slot, pid = self.victim()
        self.what = f"{slot} {number.name}"
        os.kill(pid, number)


class Terminate(Fault):
    deaths = 1

    def inject(self):
        _, pid = self.victim()
        os.kill(pid, signal.SIGTERM)


class Stop(Fault):
    """Found by the hang detection, which also takes a stopped process for what it is."""
    def inject(self):
        _, pid = self.victim()
        os.kill(pid, signal.SIGSTOP)


class Loop(Fault):
    def inject(self):
        _, pid = self.victim()
        r = subprocess.run([str(BUILD / "inject"), str(pid)], capture_output=True, text=True)
        if r.returncode == 77 or "not permitted" in r.stderr:
            raise Skip(r.stderr.strip())


class NoDescriptors(Fault):
    """An http worker may open no descriptor more for a while: it says 503 to some, and goes on after."""
    deaths = 0

    def inject(self):
        slot, pid = self.victim("http")
        old = limit(pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd")))
        time.sleep(HELD)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, old)


class NoMemory(Fault):
    """A worker may map nothing more for a while; it may die of it."""
    deaths = 0

    def inject(self):
        _, pid = self.victim("http", "cache")
        size = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * 4096
        old = limit(pid, resource.RLIMIT_AS, size + 64 * 1024)
        time.sleep(HELD)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, old)


class NoProcesses(Fault):
    """A worker dies while the system gives the master no process."""
    def inject(self):
        group = pathlib.Path("/sys/fs/cgroup/pids")
        if not (group / "cgroup.procs").exists():
            raise Skip("there is no pids control group here")
        own = group / f"opitios-chaos-{os.getpid()}"
        try:
            own.mkdir(exist_ok=True)
            for pid in [self.stage.gateway.process.pid, *self.stage.gateway.children().values()]:
                (own / "cgroup.procs").write_text(str(pid))
        except OSError as e:
            raise Skip(f"pids control group: {e}") from e
        self.stage.groups.add(own)
        try:
            _, pid = self.victim()
            (own / "pids.max").write_text("1")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: "no process" in self.stage.gateway.tail(6000), 3, "the system's refusal")
        finally:
            (own / "pids.max").write_text("max")


class FullDisk(Fault):
    """Nothing can be written to the state directory for a while."""
    cuts, deaths, seconds = False, 0, 15.0

    def inject(self):
        if not self.stage.mounted:
            raise Skip("no file system of its own can be mounted")
        ballast, self.what = self.stage.gateway.state / "ballast", "state directory"
        with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(bytes(1 << 20))
        time.sleep(HELD)
        ballast.unlink()


def stolen_sockets(pid):
    """Duplicates of a process's Unix sockets: what is written to one its peer takes for the process's own word."""
    pidfd = LIBC.syscall(PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        raise Skip("descriptors of another process cannot be had")
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = LIBC.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            continue
        try:
            s = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            continue
        if s.family == socket.AF_UNIX and s.type == socket.SOCK_STREAM:
            found.append(s)
        else:
            s.close()
    os.close(pidfd)
    return found


class Garbage(Fault):
    """Bytes that are no message, in the name of a worker. One of its sockets may be its own affair, and nobody dies."""
    deaths = 0

    def payload(self):
        return b"\x7f" + self.random.randbytes(self.random.randrange(5, 4000))

    def inject(self):
        slot, pid = self.victim()
        sockets = stolen_sockets(pid)
        if not sockets:
            raise Skip(f"{slot} has no channel to be had")
        chosen = self.random.choice(sockets)
        self.cuts = True  # whoever is on the other side may be told to go
        chosen.setblocking(False)
        told = self.stage.gateway.log_path.stat().st_size
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            chosen.send(self.payload())
        for s in sockets:
            s.close()
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.stage.gateway.log_path.stat().st_size > told, 0.5, "what comes of it")


class Flood(Garbage):
    """A great many frames that announce more than there is."""
    def payload(self):
        return b"\x00\x00\x00\x05\xdd\xff\x00\x00\x00" * 20000


class Reload(Fault):
    cuts, deaths = False, 0

    def inject(self):
        r = ctl(self.stage.gateway, "reload")
        if r.returncode != 0 and "under way" not in r.stderr:
            raise AssertionError(f"reload: {r.stderr}")


class Upgrade(Fault):
    cuts, deaths, seconds = False, 0, 10.0

    def inject(self):
        r = ctl(self.stage.gateway, "upgrade")
        if r.returncode != 0 and "under way" not in r.stderr:
            raise AssertionError(f"upgrade: {r.stderr}")


class Restart(Fault):
    cuts, deaths = False, 0

    def inject(self):
        slot, _ = self.victim()
        self.cuts, self.what = False, slot.split(".")[0]
        r = ctl(self.stage.gateway, "restart", self.what)
        if r.returncode != 0:
            raise AssertionError(f"restart {self.what}: {r.stderr}")


class Scale(Fault):
    cuts, deaths = False, 0

    def inject(self):
        n = self.random.choice([1, 2, 3, 4])
        self.what = f"http {n}"
        r = ctl(self.stage.gateway, "scale", "http", str(n))
        if r.returncode != 0:
            raise AssertionError(f"scale {n}: {r.stderr}")
        self.stage.http_workers = n


class ReloadUnderFire(Fault):
    """A reload while workers are being killed: it succeeds or says why not, and leaves one generation."""
    def inject(self):
        p = subprocess.Popen([BUILD / "opitios-ctl", "--state-dir", str(self.stage.gateway.state), "reload"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(3):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.victim()[1], signal.SIGKILL)
            time.sleep(0.005)
        p.wait(40)
        self.cuts = True


KINDS = {c.__name__: c for c in (Kill, Terminate, Stop, Loop, NoDescriptors, NoMemory, NoProcesses, FullDisk, Garbage, Flood,
                                 Reload, Upgrade, Restart, Scale, ReloadUnderFire)}
# How often each is drawn: deaths are what a supervisor is for.
WEIGHTS = {"Kill": 6, "Terminate": 2, "Stop": 2, "Loop": 2, "Garbage": 2, "Reload": 2, "ReloadUnderFire": 2}
