"""What the checks share: a storage of images of their own, commands with a limit of time, a private network, HTTP, and the count."""
import contextlib
import ctypes
import fcntl
import http.client
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "docker.io/library/debian:bookworm-slim"
IMAGE = "localhost/opitios-alpaca:check"
BARS = "/api/v1/stocks/GOOG/bars?timeframe=1Day&limit=5"
KEY, SECRET = "image-check-key", "image-check-secret"
REPLAY_PORT, HTTP_PORT, ADMIN_PORT = 9000, 8081, 8082
CLONE_NEWNET = 0x40000000


class Skip(Exception):
    """This machine cannot do it; the text says why."""


class Box:
    """A folder of its own, with all that buildah and podman keep; nothing is left of it afterwards."""

    def __init__(self, keep=False, within=None):
        self.deadline = time.monotonic() + within if within else None
        self.within = within
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="opitios-image-"))
        self.keep, self.passed, self.failed, self.skipped = keep, 0, 0, 0
        self.containers, self.begun, self.lock = [], time.monotonic(), threading.Lock()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.write("storage.conf", f'[storage]\ndriver = "overlay"\nrunroot = "{self.folder}/run"\ngraphroot = "{self.folder}/graph"\n')
        # Root of a confined machine may not raise a limit; crun and systemd's cgroups do not work there.
        self.write("containers.conf", f'[containers]\ndefault_ulimits = ["nofile={hard}:{hard}", "nproc=4096:4096"]\n'
                   '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
        self.env = os.environ | {"CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf", "BUILDAH_FORMAT": "docker",
                                 "CONTAINERS_CONF": f"{self.folder}/containers.conf", "BUILDAH_ISOLATION": "chroot",
                                 "TMPDIR": str(self.folder)}

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def left(self, limit):
        """Seconds that something may take; none when the time of the whole is over, which is no failure of what was not begun."""
        rest = limit if self.deadline is None else min(limit, self.deadline - time.monotonic())
        if rest <= 0:
            raise Skip(f"the {self.within} s of all checks are over")
        return rest

    def give_up(self):
        """Nothing more is begun, and what runs is ended."""
        self.deadline, self.within = time.monotonic(), 0
        for task in pathlib.Path("/proc/self/task").glob("*/children"):
            for pid in task.read_text().split():
                os.kill(int(pid), signal.SIGKILL)

    def run(self, *words, limit=300, okay=(0,), cwd=None, env=None):
        """Its output; when it ends with another code, or not in time, the tail of what it said."""
        given, limit = limit, self.left(limit)
        try:
            done = subprocess.run([str(w) for w in words], env=self.env | (env or {}), cwd=cwd, timeout=limit, text=True, errors="replace",
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        except subprocess.TimeoutExpired as e:
            if limit < given:
                raise Skip(f"the {self.within} s of all checks were over in the middle of it") from None
            said = (e.stderr or b"").decode(errors="replace") if isinstance(e.stderr, bytes) else e.stderr or ""
            raise AssertionError(f"{' '.join(map(str, words))[:150]}: not done in {limit} s: {said[-600:]}") from None
        if okay is not None and done.returncode not in okay:
            raise AssertionError(f"{' '.join(map(str, words))[:150]}: exit {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout if okay is not None else done

    def podman(self, *words, **kw):
        return self.run("podman", *words, **kw)

    def start(self, *words):
        """A container in the background, in the network of the checks; it is removed at the end."""
        name = self.podman("run", "-d", "--network", "host", *words, limit=60).strip().splitlines()[-1]
        self.containers.append(name)
        return name

    def remove(self, name):
        # Whatever the time: nothing may be left.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["podman", "rm", "-fv", "-t", "0", name], env=self.env, timeout=60, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        with contextlib.suppress(ValueError):
            self.containers.remove(name)

    def check(self, name, function, *args):
        """One line, and whether it passed."""
        begun = time.monotonic()
        try:
            self.left(1)
            word, note = "ok  ", function(*args)
        except Skip as e:
            word, note = "skip", str(e)
        except Exception as e:  # noqa: BLE001 - whatever it is, the other checks are made
            word, note = "FAIL", f"{'' if isinstance(e, AssertionError) else type(e).__name__ + ': '}{e}"
        with self.lock:
            self.passed, self.skipped, self.failed = (n + (word == w) for n, w in (
                (self.passed, "ok  "), (self.skipped, "skip"), (self.failed, "FAIL")))
        print(f"{word} {name} ({time.monotonic() - begun:.1f} s){': ' + str(note) if note else ''}", flush=True)
        return word == "ok  "

    def skip(self, names, why):
        for name in names:
            with self.lock:
                self.skipped += 1
            print(f"skip {name}: {why}", flush=True)

    def close(self):
        for name in list(self.containers):
            self.remove(name)
        if self.keep:
            print(f"kept: {self.folder}")
            return
        # What is mounted there goes first: the folder of a container must not be emptied through a mount.
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            if line.split()[1].startswith(str(self.folder)):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            print(f"could not be removed: {self.folder}")


def private_network():
    """From here on this thread and its children have a network with nothing but a loopback: every port is free there."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise Skip(f"no network namespace of one's own: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = struct.pack("16sh", b"lo", 0x1 | 0x40)           # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, name)                            # SIOCSIFFLAGS


def same(got, wanted, what=""):
    assert got == wanted, f"{what}: {got!r}, expected {wanted!r}"


def wait_for(look, seconds, what):
    """What `look` returns once it is true."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = look()
            if found:
                return found
        assert time.monotonic() < end, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.05)


def get(path, port=HTTP_PORT, timeout=10):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("GET", path)
        a = c.getresponse()
        return a.status, a.read().decode()
    finally:
        c.close()


def metric(text, name, **labels):
    """The sum over all lines of this name and these labels; None when there is none."""
    found = None
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.split("{")[0] == name and all(f'{k}="{v}"' in head for k, v in labels.items()):
            found = (found or 0) + float(value)
    return found


class Load:
    """Clients on kept connections that ask as long as the gateway says it is ready, as those behind a balancer do.

    A request may cross the close of its connection, which was at rest: HTTP's own race (RFC 9112, 9.3.1), in which a client asks
    again on another connection, once. It does, once a client; whatever else fails has failed."""

    def __init__(self, threads=8):
        self.done, self.failed, self.over, self.lock = 0, [], False, threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(threads)]
        self.threads.append(threading.Thread(target=self.balancer, daemon=True))
        for t in self.threads:
            t.start()

    def balancer(self):
        while not self.over:
            try:
                ready = get("/readyz", ADMIN_PORT)[0] == 200
            except OSError:
                ready = False
            if not ready:
                self.over = True
            time.sleep(0.05)

    def client(self):
        c = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=10)
        kept, crossed = False, False
        while not self.over:
            try:
                c.request("GET", BARS)
                a = c.getresponse()
                a.read()
                problem, kept = None if a.status == 200 else f"status {a.status}", True
            except (OSError, http.client.HTTPException) as e:
                problem = f"{type(e).__name__}: {e}"
                c.close()
                if kept and not crossed and isinstance(e, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
                    kept, crossed = False, True
                    continue
                kept = False
            with self.lock:
                self.done += 1
                if problem:
                    self.failed.append(problem)
        c.close()

    def end(self):
        self.over = True
        for t in self.threads:
            t.join(20)
        return self.done
