"""The master's own death, life as pid 1, and what a worker is born with."""
# Alone: starts are timed.
import contextlib
import ctypes
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

from harness import BUILD, KEY, ROOT, SECRET, Skip, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
FULL = os.environ.get("OPITIOS_FULL") == "1"
PR_SET_CHILD_SUBREAPER = 36


def command(scene, upstream, *settings):
    return [str(BUILD / "opitios-alpaca"), "--http.address=127.0.0.1:0", "--http.workers=2", f"--state.dir={scene.folder}/state",
            "--supervisor.drain_delay=0", "--admin.address=127.0.0.1:0", f"--alpaca.data_url=http://127.0.0.1:{upstream}",
            f"--alpaca.trading_url=http://127.0.0.1:{upstream}", *settings]


def environment():
    env = {"PATH": os.environ["PATH"], "ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET}
    return env | {n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ}


def stat_of(pid):
    """(state, parent) or None."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return fields[0], int(fields[1])
    return None


def children_of(parent):
    """{pid: state} of every child, zombies too."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        s = stat_of(pid)
        if s and s[1] == parent:
            found[int(pid)] = s[0]
    return found


def test_a_killed_master_leaves_nobody_whenever_it_dies(scene):
    # Orphans come to this process, so that none can hide, whatever it has become.
    equal(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0, "prctl")
    replay = scene.replay(DEMO)
    log = open(scene.folder / "gateway.log", "ab")
    chance, times, alive_at_kill = random.Random(22), [], {}
    mine = set(children_of(os.getpid()))

    def orphans():
        left = []
        for pid in set(children_of(os.getpid())) - mine:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    continue
            if stat_of(pid):
                left.append(pid)
        return left

    for i in range(1000 if FULL else 100):
        p = subprocess.Popen(command(scene, replay.port), env=environment(), stdout=log, stderr=log, start_new_session=True)
        # Every other one in the milliseconds in which it forks.
        time.sleep(chance.uniform(0, 0.03) if i % 2 else chance.uniform(0.001, 0.007))
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            born = len(f.read().split())
        p.kill()
        killed = time.monotonic()
        p.wait()
        alive_at_kill[born] = alive_at_kill.get(born, 0) + 1
        wait_for(lambda: not orphans(), 5, f"the children of master {i} to end", every=0.001)
        times.append(time.monotonic() - killed)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    log.close()
    print(f"        {len(times)} kills: all gone after {sorted(times)[len(times) // 2] * 1e3:.1f} ms median, {max(times) * 1e3:.1f} ms worst; "
          f"by children born: {dict(sorted(alive_at_kill.items()))}")
    check(len(alive_at_kill) > 2, "no kill in the midst of starting:", alive_at_kill)
    check(max(times) <= 1.0, "worst", max(times))


class PidOne:
    """The master as pid 1 of a namespace of its own."""

    def __init__(self, scene, *settings):
        self.log_path = scene.folder / "gateway.log"
        self.log = open(self.log_path, "ab")
        self.replay = scene.replay(DEMO)
        self.outer = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command(scene, self.replay.port, *settings)],
                                      env=environment(), stdout=self.log, stderr=self.log, start_new_session=True)
        scene.started.append(self)
        self.pid = None

    def wait_ready(self):
        wait_for(lambda: self.outer.poll() is not None or "serving on" in self.text(), 20, "the start; " + self.text()[-800:])
        check(self.outer.poll() is None, "the gateway ended:", self.text()[-800:])
        self.pid = next(iter(children_of(self.outer.pid)))
        with open(f"/proc/{self.pid}/status") as f:
            equal(re.search(r"NSpid:.*\t(\d+)", f.read())[1], "1", "its pid inside")
        return self

    def text(self):
        return self.log_path.read_text(errors="replace")

    def kill(self, sig):
        os.kill(self.pid, sig)

    def ends(self, seconds=10):
        return self.outer.wait(seconds)

    def stop(self):
        if self.outer.poll() is None:
            self.outer.kill()
            self.outer.wait(10)
        self.log.close()


def may_unshare():
    r = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
    if r.returncode != 0:
        raise Skip("a pid namespace is not permitted here: " + r.stderr.strip())


ORPHANS = """
import os, sys, time
for i in range(int(sys.argv[1])):
    if os.fork() == 0:
        if os.fork() == 0:
            while os.getppid() != 1:
                time.sleep(0.001)
            os._exit(i % 256)
        os._exit(0)
    os.wait()
"""


def test_pid_1_reaps_strangers(scene):
    may_unshare()
    count = 1000 if FULL else 100
    g = PidOne(scene, "--log.level=debug").wait_ready()
    workers = set(children_of(g.pid))
    equal(len(workers), 4, workers)
    r = subprocess.run(["nsenter", "-t", str(g.pid), "--pid", "--mount", sys.executable, "-c", ORPHANS, str(count)],
                       capture_output=True, text=True, timeout=60)
    equal((r.returncode, r.stderr), (0, ""), "the helper")
    begun = time.monotonic()
    wait_for(lambda: set(children_of(g.pid)) == workers, 5, "every orphan to be reaped", every=0.002)
    took = time.monotonic() - begun
    print(f"        {count} orphans, the last reaped {took * 1e3:.0f} ms after the helper's end")
    check(took <= 1.0, "took", took)
    wait_for(lambda: g.text().count("which is no worker") >= count, 5, "a line for each")
    equal(g.text().count("which is no worker"), count)


def test_pid_1_obeys_signals(scene):
    may_unshare()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        g = PidOne(scene).wait_ready()
        g.kill(sig)
        equal(g.ends(), 0, sig.name)
        g.stop()
        g.log_path.unlink()
    # None of these ends it.
    g = PidOne(scene).wait_ready()
    for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
        g.kill(sig)
    time.sleep(0.3)
    check(g.outer.poll() is None, "ended by a signal that is none to end by:", g.text()[-800:])
    g.kill(signal.SIGTERM)
    equal(g.ends(), 0)


def test_pid_1_ends_at_once_when_asked_twice(scene):
    may_unshare()
    for second in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        g = PidOne(scene, "--supervisor.drain_delay=60s").wait_ready()
        g.kill(signal.SIGTERM)
        wait_for(lambda: "stopping: accepting" in g.text(), 5, "the first to be heard")
        begun = time.monotonic()
        g.kill(second)
        equal(g.ends(5), 0, second.name)
        check(time.monotonic() - begun < 2, second.name, "took", time.monotonic() - begun)
        g.stop()
        g.log_path.unlink()


def test_pid_1_ends_with_the_code_of_the_cause(scene):
    may_unshare()
    equal(PidOne(scene, "--http.workers=many").ends(), 78, "a bad value")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        equal(PidOne(scene, f"--http.address=127.0.0.1:{taken.getsockname()[1]}").ends(), 77, "an address in use")
    # A worker that refuses what it was given: the master itself, which knows no --slot.
    folder = scene.folder / "workers"
    folder.mkdir()
    for name, program in (("fetcher", "fetcher"), ("http", "http"), ("cache-writer", "opitios-alpaca")):
        (folder / name).symlink_to(BUILD / program)
    equal(PidOne(scene, f"--supervisor.worker_dir={folder}").ends(), 64, "a worker that cannot")


def program_base(pid):
    """Where the executable is loaded; 0 while it cannot be told."""
    with contextlib.suppress(OSError):
        exe = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/maps") as f:
            for line in f:
                if line.rstrip().endswith(exe):
                    return int(line.split("-")[0], 16)
    return 0


def test_every_worker_has_addresses_of_its_own_and_is_born_fast(scene):
    _, g = scene.pair(DEMO, workers=1, settings=("--supervisor.stable_after=10ms", "--log.level=debug"))

    def worker():
        return next((p for s, p in g.children().items() if s.split(".")[0] == "http-0"), None)

    bases, open_first, open_last = [], None, None
    for i in range(100):
        ready = g.log_path.read_text().count("http-0: ready after")
        pid = wait_for(worker, 10, "a worker")
        bases.append(wait_for(lambda: program_base(pid), 10, "its map"))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.log_path.read_text().count("http-0: ready after") > ready, 10, "its successor")
        time.sleep(0.03)
        if i in (0, 99):
            pid = wait_for(worker, 10, "a worker")
            kinds = sorted(re.sub(r"\d+", "", os.readlink(f"/proc/{pid}/fd/{n}")) for n in os.listdir(f"/proc/{pid}/fd"))
            open_first, open_last = open_first or kinds, kinds
    times = sorted(float(ms) for ms in re.findall(r"spawned in ([0-9.]+) ms", g.log_path.read_text()))
    p99 = times[int(len(times) * 0.99) - 1]
    print(f"        {len(set(bases))} addresses of {len(bases)} processes; {len(times)} spawns: median {times[len(times) // 2]:.2f} ms, p99 {p99:.2f} ms")
    equal(len(set(bases)), len(bases), "different load addresses")
    equal(open_last, open_first, "descriptors of the last and the first")
    check(p99 <= 5.0, "p99 of spawning", p99, "ms")


if __name__ == "__main__":
    run_file(globals())
