"""A systemd made of a socket and a few descriptors: what it hears, and what it keeps while the gateway is away."""
import array
import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import BUILD, KEY, ROOT, SECRET, Skip, ask, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=5"
FULL = os.environ.get("OPITIOS_FULL") == "1"

# Between fork and exec, as systemd does it: descriptors from 3 on, and the pid that only the child knows.
STARTER = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",") if n]
high = [os.dup(f) for f in fds]
high = [os.dup2(f, 100 + i) for i, f in enumerate(high)]
os.closerange(3, 100)
for i, f in enumerate(high):
    os.dup2(f, 3 + i, inheritable=True)
os.closerange(3 + len(high), 200)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """Listens at NOTIFY_SOCKET, stores what it is given, starts the gateway with it."""

    def __init__(self, scene, upstream, settings=(), watchdog=None, sockets=()):
        self.folder, self.upstream, self.settings, self.watchdog = scene.folder, upstream, list(settings), watchdog
        self.state = scene.folder / "state"
        self.log_path = scene.folder / "gateway.log"
        self.log = open(self.log_path, "ab")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.path = str(scene.folder / "notify")
        self.socket.bind(self.path)
        self.heard, self.lock, self.process = [], threading.Lock(), None
        self.stored = list(sockets)                     # (name, descriptor)
        self.ended = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        scene.started.append(self)

    def listen(self):
        while not self.ended:
            try:
                data, parts, _, _ = self.socket.recvmsg(4096, 1024)
            except OSError:
                return
            now = time.monotonic()
            lines = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            fds, pid = array.array("i"), None
            for level, kind, body in parts:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(body[:len(body) // 4 * 4])
                elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid = array.array("i", body)[0]
            with self.lock:
                if lines.get("FDSTORE") == "1":
                    self.stored += [(lines["FDNAME"], fd) for fd in fds]
                self.heard.append((now, pid, lines))

    def lines(self, key):
        """(when, value) of every datagram that has this key."""
        with self.lock:
            return [(t, lines[key]) for t, _, lines in self.heard if key in lines]

    def count(self, key):
        return len(self.lines(key))

    def start(self):
        env = {"PATH": os.environ["PATH"], "ALPACA_DATA_URL": self.upstream, "ALPACA_TRADING_URL": self.upstream,
               "ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET, "NOTIFY_SOCKET": self.path}
        env |= {n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ}
        if self.watchdog:
            env["WATCHDOG_USEC"] = str(int(self.watchdog * 1e6))
        with self.lock:
            stored = list(self.stored)
        if stored:
            env |= {"LISTEN_FDS": str(len(stored)), "LISTEN_FDNAMES": ":".join(n for n, _ in stored)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER, ",".join(str(fd) for _, fd in stored), str(BUILD / "opitios-alpaca"),
             "--http.address=127.0.0.1:0", "--http.workers=2", f"--state.dir={self.state}", "--supervisor.drain_delay=0",
             "--admin.address=127.0.0.1:0", "--upstream.budget_per_minute=100000", *self.settings],
            env=env, stdout=self.log, stderr=self.log, pass_fds=[fd for _, fd in stored], start_new_session=True)
        return self

    def wait_ready(self, readies=1, seconds=20):
        wait_for(lambda: self.process.poll() is not None or self.count("READY") >= readies, seconds, "READY=1; " + self.tail())
        check(self.process.poll() is None, "the gateway ended:", self.tail())
        return self

    def port(self):
        return int((self.state / "http.address").read_text().strip().rsplit(":", 1)[1])

    def tail(self):
        return self.log_path.read_text(errors="replace")[-1500:]

    def children(self):
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
                line = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
                if int(fields[1]) == self.process.pid and fields[0] != "Z" and b"--slot" in line:
                    found[line[line.index(b"--slot") + 1].decode()] = int(pid)
        return found

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(30)

    def stop(self):
        """At the end of the scene."""
        if self.process and self.process.poll() is None:
            for pid in self.children().values():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("the gateway did not end: " + self.tail()) from None
        self.ended = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()
        self.log.close()
        for _, fd in self.stored:
            with contextlib.suppress(OSError):
                os.close(fd)


def systemd(scene, **kw):
    replay = scene.replay(DEMO, args=("--rate-per-minute", "0"))
    return Systemd(scene, f"http://127.0.0.1:{replay.port}", **kw)


def test_ready_comes_after_every_required_worker_and_from_the_main_process(scene):
    s = systemd(scene).start().wait_ready()
    equal(ask(s.port(), "/readyz").status, 200, "at READY=1")
    log = s.log_path.read_text()
    begun = len(re.findall(r": ready after", log))
    check(begun >= 4, "workers ready in the log:", begun)
    with s.lock:
        pids = {pid for _, pid, _ in s.heard}
        states = [lines for _, _, lines in s.heard if "READY" in lines]
    equal(pids, {s.process.pid}, "senders")
    equal(states[0]["MAINPID"], str(s.process.pid))
    check(re.search(r"^serving on 127\.0\.0\.1:\d+: 4 of 4 workers ready", states[0]["STATUS"]), states[0])
    equal(s.end(), 0)
    equal(s.count("STOPPING"), 1)
    check(s.lines("STOPPING")[0][0] > s.lines("READY")[0][0], "order")
    stops = [lines for _, _, lines in s.heard if "STOPPING" in lines]
    check(int(stops[0]["EXTEND_TIMEOUT_USEC"]) > 30e6, stops[0])


def test_ready_does_not_come_while_one_worker_is_not(scene):
    folder = scene.folder / "workers"
    folder.mkdir()
    for name in ("fetcher", "http"):
        (folder / name).symlink_to(BUILD / name)
    # Never says that it is ready, whether or not the master executes a script.
    (folder / "cache-writer").write_text("#!/bin/sh\nexec sleep 3 <&-\n")
    (folder / "cache-writer").chmod(0o755)
    s = systemd(scene, settings=[f"--supervisor.worker_dir={folder}", "--supervisor.ready_timeout=20s",
                             "--supervisor.hang_timeout=0"]).start()
    wait_for(lambda: len(re.findall(r": ready after", s.log_path.read_text())) >= 3, 20, "the others")
    wait_for(lambda: any("3 of 4" in v for _, v in s.lines("STATUS")), 5, "a status that tells so")
    equal(s.count("READY"), 0, "READY=1 with a worker missing")


def test_status_follows_what_happens(scene):
    s = systemd(scene, settings=["--supervisor.hang_timeout=0"]).start().wait_ready()
    before = s.count("STATUS")
    pid = s.children()["cache-writer"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: s.children().get("cache-writer") not in (None, pid), 10, "a successor")
    time.sleep(2.5)
    equal(s.lines("STATUS")[-1][1].split(": ")[1][:20], "4 of 4 workers ready", "status")
    check(s.count("STATUS") - before <= 3, "told too often:", s.lines("STATUS")[before:])


def test_a_reload_is_framed_by_reloading_and_ready(scene):
    s = systemd(scene).start().wait_ready()
    s.process.send_signal(signal.SIGHUP)
    said = wait_for(lambda: re.findall(r'"message":"(reload|Hangup)\b(.*)', s.log_path.read_text()), 5, "a word about the reload")
    if any("not built in" in rest for _, rest in said):
        raise Skip("SIGHUP: reload is not built in")
    wait_for(lambda: s.count("READY") >= 2, 20, "READY=1 after the reload; " + s.tail())
    with s.lock:
        order = [next(k for k in ("RELOADING", "READY") if k in lines) for _, _, lines in s.heard
                 if "RELOADING" in lines or "READY" in lines]
        when, lines = next((t, lines) for t, _, lines in s.heard if "RELOADING" in lines)
    equal(order, ["READY", "RELOADING", "READY"])
    apart = when - int(lines["MONOTONIC_USEC"]) / 1e6
    check(-0.01 <= apart < 0.5, "MONOTONIC_USEC is", apart, "s from now")


def test_a_refused_reload_is_framed_too(scene):
    conf = scene.folder / "conf"
    conf.write_text("")
    s = systemd(scene, settings=[f"--config={conf}"]).start().wait_ready()
    conf.write_text("[http]\nno_such_key = 1\n")
    s.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: refused" in s.log_path.read_text(), 5, "the refusal")
    wait_for(lambda: s.count("READY") >= 2, 5, "READY=1 after the refusal; " + s.tail())
    equal(s.count("RELOADING"), 1, "RELOADING=1")


def test_an_upgrade_keeps_pid_sockets_and_pings(scene):
    s = systemd(scene, watchdog=1.0, settings=["--supervisor.drain_timeout=5s"]).start().wait_ready()
    port, stored = s.port(), s.count("FDSTORE")
    s.process.send_signal(signal.SIGUSR2)
    said = wait_for(lambda: re.findall(r'"message":"(upgrade: .*?|User defined signal 2.*?)"', s.log_path.read_text()), 20, "the upgrade")
    if any("not built in" in line for line in said):
        raise Skip("SIGUSR2: upgrade is not built in")
    wait_for(lambda: "going on as" in s.log_path.read_text(), 20, "the next image; " + s.tail())
    count = s.count("WATCHDOG")
    wait_for(lambda: s.count("WATCHDOG") >= count + 4, 10, "pings of the next image; " + s.tail())
    check(s.process.poll() is None, "the main process ended:", s.tail())
    equal((s.port(), s.count("FDSTORE")), (port, stored), "address, stored sockets")
    equal(ask(port, BARS).status, 200)
    equal(s.end(), 0)


def test_the_watchdog_stops_with_a_required_worker_and_goes_on_with_it(scene):
    period = 2.0                    # of pings: half of what systemd waits
    s = systemd(scene, watchdog=2 * period, settings=["--supervisor.hang_timeout=0"]).start().wait_ready()
    wait_for(lambda: s.count("WATCHDOG") >= 3, 4 * period, "pings")
    times = [t for t, _ in s.lines("WATCHDOG")]
    gaps = [b - a for a, b in zip(times, times[1:])]
    check(max(gaps) < 1.5 * period, "pings", gaps)
    pid = s.children()["cache-writer"]
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    wait_for(lambda: "watchdog: no ping" in s.log_path.read_text(), 4 * period, "pings to be withheld")
    time.sleep(2 * period)
    last = s.lines("WATCHDOG")[-1][0]
    print(f"        last ping {last - stopped:.2f} s after SIGSTOP, period {period} s")
    check(last - stopped < 2 * period, "last ping", last - stopped, "s after the worker stood still")
    count = s.count("WATCHDOG")
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: s.count("WATCHDOG") >= count + 2, 4 * period, "pings to go on")
    # The master itself: no ping either.
    s.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    count = s.count("WATCHDOG")
    time.sleep(1.5 * period)
    equal(s.count("WATCHDOG"), count, "pings of a master that stands still")
    s.process.send_signal(signal.SIGCONT)
    wait_for(lambda: s.count("WATCHDOG") > count, 2 * period, "the first ping after")


def listening(name):
    with socket.socket() as l:
        l.bind(("127.0.0.1", 0))
        l.listen(64)
        return (name, os.dup(l.fileno())), l.getsockname()[1]


def test_sockets_of_a_unit_are_taken_by_name_and_win_over_the_address(scene):
    mine, port = listening("http")
    other, other_port = listening("metrics")
    s = systemd(scene, sockets=[other, mine]).start().wait_ready()
    equal(s.port(), port)
    equal(ask(port, BARS).status, 200)
    check("metrics" in s.log_path.read_text(), "a word about the other one")
    check("http" not in [n for n, _ in s.stored[2:]], "a socket of systemd's own given back:", s.stored)
    for pid in s.children().values():
        check(int(max(os.listdir(f"/proc/{pid}/fd"), key=int)) < 100, "descriptors left in a worker")
    equal(s.end(), 0)
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass                        # the socket outlives the gateway: systemd holds it


class NewConnections:
    """Threads that ask on a connection of its own each time."""

    def __init__(self, port, count, threads=8):
        self.port, self.left, self.lock = port, count, threading.Lock()
        self.done, self.refused, self.failed, self.slowest = 0, 0, [], 0.0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def run(self):
        while True:
            with self.lock:
                if self.left == 0:
                    return
                self.left -= 1
            begun = time.monotonic()
            try:
                a = ask(self.port, BARS, headers={"Connection": "close"}, timeout=30)
                problem = None if a.status == 200 else f"status {a.status} {a.body[:120]!r}"
            except ConnectionRefusedError:
                problem = "refused"
            except (OSError, http.client.HTTPException) as e:
                problem = f"{type(e).__name__}: {e}"
            with self.lock:
                self.done += 1
                self.refused += problem == "refused"
                self.slowest = max(self.slowest, time.monotonic() - begun)
                if problem:
                    self.failed.append(problem)


def test_full_restarts_with_stored_sockets_refuse_nobody(scene):
    wanted, restarts = (50000, 20) if FULL else (5000, 5)
    s = systemd(scene).start().wait_ready()
    wait_for(lambda: any(n == "http" for n, _ in s.stored), 5, "FDSTORE")
    port = s.port()
    equal(ask(port, BARS).status, 200)
    load, away = NewConnections(port, wanted), []
    for i in range(restarts):
        reached = load.done + wanted // (restarts + 1)
        wait_for(lambda: load.done >= min(reached, wanted), 300, "requests to be answered; " + s.tail())
        equal(s.end(), 0, "exit code")
        begun = time.monotonic()
        s.start().wait_ready(readies=i + 2)
        away.append(time.monotonic() - begun)
        equal(s.port(), port, "the same socket")
    for t in load.threads:
        t.join(300)
    print(f"        {load.done} requests on new connections over {restarts} restarts: {load.refused} refused, "
          f"{len(load.failed)} failed; slowest {load.slowest:.2f} s, away up to {max(away):.2f} s")
    equal((load.done, load.refused, load.failed[:5]), (wanted, 0, []))
    equal(sum(n == "http" for n, _ in s.stored), 1, "stored once")


def test_no_systemd_and_a_dead_one_change_nothing(scene):
    s = systemd(scene)
    s.ended = True
    s.socket.shutdown(socket.SHUT_RDWR)
    s.thread.join(5)
    s.socket.close()
    os.unlink(s.path)
    s.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.start()
    wait_for(lambda: "serving on" in s.log_path.read_text(), 20, "the start; " + s.tail())
    equal(ask(s.port(), BARS).status, 200)
    equal(len(re.findall("NOTIFY_SOCKET", s.log_path.read_text())), 1, "one line about it")
    equal(s.end(), 0)


if __name__ == "__main__":
    run_file(globals())
