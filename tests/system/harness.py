"""harness.py - starts the real binaries for the system tests and talks to them.

Standard library only. OPITIOS_BUILD names the folder of the executables. Nothing here sleeps and hopes: wait_for()
polls a condition and fails loudly at its deadline.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OPITIOS_BUILD", ROOT / "build")).resolve()
SHARED = pathlib.Path(os.environ.get("OPITIOS_SHARED_DATA", ROOT.parent / "shared" / "data"))
KEY, SECRET = "PKTESTKEY0000000001", "s3cr3t-never-to-be-seen-5f1c"


class Skip(Exception):
    """Raised by a test whose input is not on this machine; said aloud."""


def wait_for(condition, seconds=10.0, what="condition", every=0.005):
    """The condition's value once it is true; AssertionError naming `what` at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(every)


def check(truth, *words):
    if not truth:
        raise AssertionError(" ".join(str(w) for w in words))


def equal(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class Answer:
    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Client:
    """One keep-alive connection."""

    def __init__(self, port, timeout=20.0):
        self.conn = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, path, method="GET", body=None, headers=None):
        begun = time.monotonic()
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        self.conn.request(method, path, body=body, headers=headers or {})
        r = self.conn.getresponse()
        data = r.read()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, data, time.monotonic() - begun)

    def close(self):
        self.conn.close()


def ask(port, path, method="GET", body=None, headers=None, timeout=20.0):
    c = Client(port, timeout)
    try:
        return c.ask(path, method, body, headers)
    finally:
        c.close()


def raw(port, data, timeout=10.0, shut=False):
    """Sends bytes on a fresh connection and reads to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while part := s.recv(65536):
                got += part
        return got


class Replay:
    """opitios-replay on a free port, with its control path."""

    def __init__(self, folder, *recordings, args=()):
        self.port_file = folder / f"replay-{time.monotonic_ns()}.port"
        self.log = open(folder / "replay.log", "ab")
        command = [str(BUILD / "opitios-replay"), "--port", "0", "--port-file", str(self.port_file), "--control",
                   "--key", KEY, "--secret", SECRET]
        for r in recordings:
            command += ["--recording", str(r)]
        self.process = subprocess.Popen(command + list(args), stdout=self.log, stderr=self.log)
        wait_for(lambda: self.port_file.exists() and self.port_file.read_text().strip() or self.process.poll() is not None,
                 10, "opitios-replay to listen")
        check(self.process.poll() is None, "opitios-replay ended:", open(self.log.name).read()[-500:])
        self.port = int(self.port_file.read_text())

    def stats(self):
        return ask(self.port, "/_replay/stats").json

    def fault(self, kind, count=-1, **more):
        a = ask(self.port, "/_replay/fault", "POST", {"kind": kind, "count": count, **more})
        check(a.status in (200, 201, 204), "fault refused:", a)

    def heal(self):
        a = ask(self.port, "/_replay/fault", "DELETE")
        check(a.status in (200, 204), "faults not cleared:", a)

    def body(self, path, body, count=1, **more):
        query = urllib.parse.urlencode({"path": path, "count": count, **more})
        a = ask(self.port, f"/_replay/body?{query}", "POST", body)
        check(a.status in (200, 201, 204), "body refused:", a)

    def calls(self, path):
        return sum(n for p, n in self.stats()["calls"].items() if p.startswith(path))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("opitios-replay ignored SIGTERM") from None
        finally:
            self.log.close()


class Children(dict):
    """pids by slot; a gateway answers as soon as one of its workers does, while others are still on their way."""

    def __init__(self, gateway):
        super().__init__()
        self.gateway = gateway

    def __missing__(self, slot):
        with contextlib.suppress(AssertionError):
            return wait_for(lambda: self.gateway.children().get(slot), 5, slot)
        raise KeyError(slot)


class Gateway:
    """opitios-alpaca with its workers, private state directory, free port."""

    def __init__(self, folder, upstream=None, workers=1, settings=(), env=None, wait=True, keys=True):
        self.state = folder / "state"
        self.log_path = folder / "gateway.log"
        self.log = open(self.log_path, "ab")
        url = f"http://127.0.0.1:{upstream}" if upstream else "http://127.0.0.1:1"
        environment = {"PATH": os.environ["PATH"], "ALPACA_DATA_URL": url, "ALPACA_TRADING_URL": url}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        if keys:
            environment |= {"ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET}
        environment |= env or {}
        command = [str(BUILD / "opitios-alpaca"), "--http.address=127.0.0.1:0", f"--http.workers={workers}",
                   f"--state.dir={self.state}", "--supervisor.drain_delay=0",
                   "--admin.address=127.0.0.1:0", *settings]
        for name in ("http.address", "admin.address"):
            (self.state / name).unlink(missing_ok=True)
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)
        self.port = self.admin = None
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=20.0):
        address = self.state / "http.address"
        wait_for(lambda: self.process.poll() is not None or (address.exists() and ":" in address.read_text()), seconds,
                 "the gateway's address")
        check(self.process.poll() is None, "the gateway ended:", self.tail())
        self.port = int(address.read_text().strip().rsplit(":", 1)[1])
        with contextlib.suppress(FileNotFoundError):
            self.admin = int((self.state / "admin.address").read_text().strip().rsplit(":", 1)[1])

        def ready():
            check(self.process.poll() is None, "the gateway ended:", self.tail())
            with contextlib.suppress(OSError, http.client.HTTPException):
                return ask(self.port, "/readyz", timeout=5).status == 200
            return False
        wait_for(ready, seconds, "readiness; " + self.tail())
        # Others were forked as well by now; on a busy machine one may not have come to its executable yet.
        with contextlib.suppress(AssertionError):
            wait_for(lambda: all(slot for slot, _ in self.processes()), 2)

    def tail(self, n=1500):
        return self.log_path.read_text(errors="replace")[-n:]

    def ask(self, path, method="GET", body=None, headers=None, timeout=20.0):
        return ask(self.port, path, method, body, headers, timeout)

    def admin_ask(self, path, method="GET", body=None, headers=None, timeout=20.0):
        """Of the master itself: answers whatever state the workers are in."""
        return ask(self.admin, path, method, body, headers, timeout)

    def workers(self):
        return {w["slot"]: w for w in self.ask("/api/v1/health/detailed").json["workers"]}

    def pid(self, slot):
        return self.workers()[slot]["pid"]

    def children(self):
        """pids by slot, read from /proc: needs no worker to answer. children()[SLOT] waits for one that is being started."""
        found = Children(self)
        found.update((slot, pid) for slot, pid in self.processes() if slot)
        return found

    def processes(self):
        """Slot and pid of each child; no slot: one that executes something else, or nothing of its own yet."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                if int(fields[1]) != self.process.pid or fields[0] == "Z":
                    continue
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                yield line[line.index(b"--slot") + 1].decode() if b"--slot" in line else None, int(pid)

    def metrics(self):
        return self.ask("/metrics").body.decode()

    def metric(self, name, **labels):
        """Sum over the series of this name that carry these labels."""
        return metric_of(self.metrics(), name, **labels)

    def stop(self, sig=signal.SIGTERM, seconds=40.0):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the gateway did not end: " + self.tail()) from None
        finally:
            self.log.close()
        return code


def metric_of(text, name, **labels):
    total = 0.0
    for line in text.splitlines():
        m = re.match(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$", line)
        if m and m[1] == name:
            have = dict(re.findall(r'([a-z_0-9]+)="([^"]*)"', m[2] or ""))
            if all(have.get(k) == v for k, v in labels.items()):
                total += float(m[3])
    return total


def series_of(text):
    """Every sample of an exposition as {series: value}."""
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.M)}


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


class Scene:
    """A folder of its own, and what was started in it; everything is stopped at the end."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"opitios-{name}-"))
        self.expected = ()  # words of alert lines that the test itself brings about
        self.started = []

    def replay(self, *recordings, args=()):
        r = Replay(self.folder, *(recordings or [ROOT / "tests/recordings/every-endpoint"]), args=args)
        self.started.append(r)
        return r

    def gateway(self, upstream=None, **kw):
        g = Gateway(self.folder, upstream.port if isinstance(upstream, Replay) else upstream, **kw)
        self.started.append(g)
        return g

    def pair(self, *recordings, replay_args=("--rate-per-minute", "0"), **kw):
        """A replay without a rate limit, and a gateway that may spend accordingly."""
        r = self.replay(*recordings, args=replay_args)
        settings = tuple(kw.pop("settings", ())) + ("--upstream.budget_per_minute=100000",)
        return r, self.gateway(r, settings=settings, **kw)

    def close(self):
        problem = None
        for thing in reversed(self.started):
            try:
                thing.stop()
            except AssertionError as e:
                problem = e
        if problem:
            raise problem
        lines = [line for line in sanitizer_lines(self.folder) if not any(e in line for e in self.expected)]
        check(not lines, "alert lines in the logs:", lines[:3])


def sanitizer_lines(folder):
    words = ("AddressSanitizer", "LeakSanitizer", "runtime error:", '"panic"', "Segmentation fault", "Aborted")
    found = []
    for path in folder.rglob("*.log*"):
        found += [f"{path.name}: {line.strip()}" for line in path.read_text(errors="replace").splitlines()
                  if any(w in line for w in words)]
    return found


class Load:
    """Keep-alive clients in threads asking the same things until stopped; counts what they saw."""

    def __init__(self, port, paths, clients=4):
        self.port, self.paths, self.done, self.lock = port, paths, threading.Event(), threading.Lock()
        self.statuses, self.failures, self.slowest = {}, [], 0.0
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(clients)]
        for t in self.threads:
            t.start()

    def run(self, index):
        client, n = None, index
        while not self.done.is_set():
            path = self.paths[n % len(self.paths)]
            n += 1
            try:
                client = client or Client(self.port)
                a = client.ask(path)
                with self.lock:
                    self.statuses[a.status] = self.statuses.get(a.status, 0) + 1
                    self.slowest = max(self.slowest, a.seconds)
                if a.headers.get("connection", "").lower() == "close":
                    client.close()
                    client = None
            except (OSError, http.client.HTTPException) as e:
                with self.lock:
                    self.failures.append(f"{type(e).__name__}: {e}")
                client = None

    def total(self):
        with self.lock:
            return sum(self.statuses.values())

    def stop(self):
        self.done.set()
        for t in self.threads:
            t.join(30)
        return self


class NewConnections:
    """newconn: requests that each come on a connection of their own, at full speed, until stop(); its sum as JSON."""

    def __init__(self, port, path, requests=0, clients=8, step=0):
        self.said, self.result = [], None
        self.process = subprocess.Popen([str(BUILD / "newconn"), str(port), path, str(requests), str(clients), str(step)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reached(self):
        """Waits until another `step` requests have ended; the number of them so far."""
        line = self.process.stdout.readline()
        check(line.startswith("at "), "newconn ended:", line)
        return int(line[3:])

    def stop(self):
        """It goes on until its requests have ended; what it counted."""
        if self.result is None:
            self.process.stdin.close()
            lines = [line for line in self.process.stdout if line.startswith("{")]
            equal((self.process.wait(60), len(lines)), (0, 1), "newconn")
            self.result = json.loads(lines[0])
        return self.result

    def failed(self):
        r = self.stop()
        return r["requests"] - r["good"]


class LogTail:
    """A log from here on, line by line as it grows."""

    def __init__(self, path):
        self.file, self.rest = open(path, "rb"), b""
        self.skip()

    def skip(self):
        self.file.seek(0, os.SEEK_END)
        self.rest = b""

    def wait(self, pattern, seconds=30.0):
        """The match of the first line with this pattern, and the monotonic time at which it was seen."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                if m := re.search(pattern, line):
                    return m, time.monotonic()
            if more := self.file.read():
                self.rest += more
                continue
            check(time.monotonic() < end, f"waited {seconds} s for {pattern} in {self.file.name}")
            time.sleep(0.0002)


def run_file(namespace):
    """Runs every test_* function of a file, each in a scene of its own; prints a line each and the sum."""
    import sys
    names = [n for n in namespace if n.startswith("test_") and callable(namespace[n])]
    chosen = [n for n in names if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
    passed = failed = skipped = 0
    for name in chosen:
        scene, begun = Scene(name[5:25]), time.monotonic()
        words = name[5:].replace("_", " ")
        try:
            try:
                namespace[name](scene)
            finally:
                scene.close()
            shutil.rmtree(scene.folder, ignore_errors=True)
            passed += 1
            print(f"  ok    {words} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Skip as e:
            skipped += 1
            print(f"  skip  {words}: {e}", flush=True)
        except Exception as e:
            failed += 1
            print(f"  FAIL  {words}: {e}\n        kept in {scene.folder}", flush=True)
            if not isinstance(e, AssertionError):
                traceback.print_exc()
            else:
                frame = traceback.extract_tb(e.__traceback__)
                print("        " + " < ".join(f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in reversed(frame)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


def run_unittest():
    """unittest's own main, closed by the plain line ./test adds up."""
    import unittest
    result = unittest.main(module="__main__", exit=False, verbosity=1).result
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test, why in result.skipped:
        print(f"  skip  {test}: {why}")
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, {len(result.skipped)} skipped")
    raise SystemExit(1 if bad else 0)
