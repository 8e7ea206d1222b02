"""./run as a new user types it: first answer within a second, says that it is not live, ends with Ctrl-C and leaves nobody behind."""
# Alone: a first answer is timed.
import contextlib
import os
import signal
import socket
import subprocess
import time

from harness import BUILD, ROOT, SHARED, Skip, ask, check, equal, run_file, wait_for
from ports import free_port


class Run:
    def __init__(self, scene, *args, **env):
        self.port = free_port()
        self.folder = str(scene.folder).encode()
        self.out = open(scene.folder / "run.out", "w+b")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ALPACA_", "OPITIOS_"))}
        self.begun = time.monotonic()
        self.process = subprocess.Popen([str(ROOT / "run"), "--port", str(self.port), "--state-dir", str(scene.folder / "state"), *args],
                                        env=clean | {"OPITIOS_BUILD": str(BUILD), "OPITIOS_ADMIN_ADDRESS": "127.0.0.1:0"} | env, stdout=self.out, stderr=self.out,
                                        start_new_session=True)

    def first(self, path):
        def answer():
            check(self.process.poll() is None, "run ended:", self.text())
            with contextlib.suppress(OSError):
                a = ask(self.port, path)
                return a if a.status != 503 else None
        return wait_for(answer, 20, "an answer; " + self.text())

    def text(self):
        self.out.flush()
        with open(self.out.name) as f:
            return f.read()

    def members(self):
        """Processes of this run: each has its state folder in its arguments, or is a worker of one that has."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if self.folder in f.read():
                        found.append(int(pid))
        return found


def test_run_answers_within_a_second_and_says_that_it_is_not_live(scene):
    r = Run(scene)
    try:
        a = r.first("/api/v1/stocks/GOOG/bars?timeframe=1Day&limit=5")
        seconds = time.monotonic() - r.begun
        print(f"        first answer {seconds * 1e3:.0f} ms after ./run was typed")
        equal((a.status, a.json["metadata"]["data_source"], a.json["data"]["count"]), (200, "replay", 5), a)
        check("NOT LIVE" in r.text() and "replay" in r.text(), r.text())
        check(seconds < (10 if b"__asan_init" in (BUILD / "http").read_bytes() else 1), seconds)
        equal(ask(r.port, "/api/v1/stocks/GOOG/quote").json["error"]["code"], "REAL_DATA_UNAVAILABLE")
    finally:
        os.killpg(r.process.pid, signal.SIGINT)
    equal(r.process.wait(15), 0, "exit code after Ctrl-C: " + r.text())
    wait_for(lambda: not r.members(), 5, "everything to end")


def test_run_serves_a_folder_of_ticks(scene):
    folder = SHARED / "lean/tick/ibm"
    if not folder.is_dir():
        raise Skip(f"{folder} is not here")
    r = Run(scene, "--recording", str(folder), "--speed", "60")
    try:
        r.first("/livez")
        a = wait_for(lambda: (q := ask(r.port, "/api/v1/stocks/IBM/quote")).status == 200 and q, 15, "a quote")
        first = a.json["metadata"]["event_time"]
        check(first.startswith("2013-10-07"), a)
        wait_for(lambda: ask(r.port, "/api/v1/stocks/IBM/quote?max_age_seconds=0").json["metadata"]["event_time"] > first, 15,
                 "the recording's clock to go on")
    finally:
        os.killpg(r.process.pid, signal.SIGTERM)
        r.process.wait(40)


def test_run_explains_itself_and_refuses_what_it_does_not_know(scene):
    p = subprocess.run([str(ROOT / "run"), "--help"], capture_output=True, text=True, timeout=20)
    check(p.returncode == 0 and "--recording" in p.stdout, p)
    for args in (["--port", "many"], ["--nonsense"], ["--recording", "/nowhere"], ["--port"]):
        p = subprocess.run([str(ROOT / "run"), *args], capture_output=True, text=True, timeout=20)
        equal((p.returncode, len(p.stderr.strip().splitlines())), (64, 1), args)


def test_with_a_key_run_is_live_and_never_starts_a_recording(scene):
    r = Run(scene, ALPACA_API_KEY="k", ALPACA_SECRET_KEY="s", ALPACA_DATA_URL="http://127.0.0.1:1", ALPACA_TRADING_URL="http://127.0.0.1:1")
    try:
        r.first("/livez")
        a = wait_for(lambda: (q := ask(r.port, "/api/v1/stocks/AAPL/quote")).status == 503 and q, 10, "the upstream's absence")
        equal(a.json["error"]["code"], "UPSTREAM_SERVICE_ERROR", a)
        check("NOT LIVE" not in r.text() and not (scene.folder / "state/replay.port").exists(), r.text())
    finally:
        os.killpg(r.process.pid, signal.SIGINT)
        r.process.wait(20)


if __name__ == "__main__":
    run_file(globals())
