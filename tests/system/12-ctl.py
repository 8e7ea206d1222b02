"""opitios-ctl against the real gateway: every query, bad input, and answers within 10 ms while slots crash-loop."""
# Alone: answers are timed.
import contextlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

from harness import BUILD, ROOT, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=5"


def ctl(g, *words, state=None):
    r = subprocess.run([BUILD / "opitios-ctl", "--state-dir", str(state or g.state), *words], capture_output=True, text=True,
                       timeout=60, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    return r.returncode, r.stdout, r.stderr


def ctl_json(g, *words):
    code, out, _ = ctl(g, "--json", *words)
    equal(out.count("\n"), 1, f"lines of {words}")
    return code, json.loads(out)


class Socket:
    """One connection to the control socket."""

    def __init__(self, g):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(g.state / "control.sock"))
        self.file = self.socket.makefile("rb")

    def ask(self, command, *args):
        begun = time.monotonic()
        self.socket.sendall(json.dumps({"command": command, "args": args}).encode() + b"\n")
        line = self.file.readline()
        return json.loads(line), time.monotonic() - begun

    def close(self):
        self.file.close()
        self.socket.close()


def test_every_query_answers_for_people_and_as_json(scene):
    _, g = scene.pair(DEMO, workers=2)
    for _ in range(20):
        equal(g.ask(BARS).status, 200)
    wait_for(lambda: ctl_json(g, "status")[1]["slots"]["ready"] == 4, 10, "every slot, also those that /readyz does not need")
    for words in (("status",), ("workers",), ("crashes",), ("log-level", "debug"), ("log-level", "info")):
        code, out, err = ctl(g, *words)
        equal((code, err), (0, ""), words)
        check(out.strip() and "\033" not in out, "nothing, or colours where no terminal is:", words, out)
        code, answer = ctl_json(g, *words)
        equal((code, answer["ok"], answer["command"]), (0, True, words[0]))
    _, status = ctl_json(g, "status")
    equal((status["pid"], status["ready"], status["slots"]["ready"]), (g.process.pid, True, 4))
    check(status["http_address"].endswith(f":{g.port}"), status)
    _, workers = ctl_json(g, "workers")
    by_slot = {w["slot"]: w for w in workers["workers"]}
    equal(sorted(by_slot), ["cache-writer", "fetcher-rest", "http-0", "http-1"])
    equal({s: w["pid"] for s, w in by_slot.items()}, g.children())
    http = [w for s, w in by_slot.items() if s.startswith("http")]
    check(sum(w["requests_total"] for w in http) >= 20, http)
    equal(sum(sum(w["duration_buckets"]) for w in http), sum(w["requests_total"] for w in http), "buckets hold every request")
    for w in by_slot.values():
        check(w["rss_bytes"] > 500_000 and w["cpu_seconds"] >= 0 and 0 <= w["heartbeat_age_seconds"] < 10, w)


def test_health_is_an_exit_code(scene):
    _, g = scene.pair(DEMO)
    equal(ctl(g, "health")[0], 0)
    state = g.state
    g.stop()
    equal(ctl(g, "health", state=state)[0], 1)


def test_the_socket_is_private_and_goes_with_the_gateway(scene):
    _, g = scene.pair(DEMO)
    path = g.state / "control.sock"
    mode = path.stat().st_mode
    check(stat.S_ISSOCK(mode), oct(mode))
    equal(stat.S_IMODE(mode), 0o600)
    equal(g.stop(), 0)
    check(not path.exists(), "the socket is left behind")


def test_bad_input_is_one_clear_line_and_a_documented_exit_code(scene):
    _, g = scene.pair(DEMO)
    for wanted, words, part in (
            (64, ("statsu",), "did you mean status?"), (64, ("frobnicate",), "frobnicate"), (64, (), "no command"),
            (64, ("restart",), "restart takes SLOT"), (64, ("--bogus", "status"), "--bogus"),
            (64, ("--timeout", "soon", "status"), "soon"), (1, ("restart", "http-99"), "http-99"),
            (1, ("scale", "http", "0"), "1 to 256"), (1, ("scale", "fetcher", "2"), "fetcher"),
            (1, ("log-level", "loud"), "loud"), (1, ("crashes", "123456"), "123456")):
        code, out, err = ctl(g, *words)
        equal((code, out, err.count("\n")), (wanted, "", 1), words)
        check(part in err, words, err)
    code, answer = ctl_json(g, "restart", "http-99")
    equal((code, answer["ok"], answer["name"]), (1, False, "ABSENT"))
    nowhere = scene.folder / "nowhere"
    code, out, err = ctl(g, "status", state=nowhere)
    equal((code, out, err.count("\n")), (69, "", 1))
    check(str(nowhere) in err, err)
    code, out, _ = ctl(g, "--json", "status", state=nowhere)
    equal((code, json.loads(out)["ok"]), (69, False))


def test_the_state_directory_is_found_by_environment_and_file(scene):
    _, g = scene.pair(DEMO)
    file = scene.folder / "gateway.conf"
    file.write_text(f"[state]\ndir = {g.state}\n")
    for words, env in ((["--config", str(file)], {}), ([], {"OPITIOS_STATE_DIR": str(g.state)}),
                       (["--config", str(file)], {"OPITIOS_STATE_DIR": "/nonexistent"})):
        r = subprocess.run([BUILD / "opitios-ctl", *words, "health"], capture_output=True, text=True, timeout=20, env=env)
        equal(r.returncode, 1 if "/nonexistent" in env.values() else 0, (words, env, r.stderr))


def p99(times):
    return sorted(times)[int(len(times) * 0.99) - 1]


def test_every_command_answers_within_10_ms_while_a_slot_crash_loops(scene):
    """One http worker is killed again and again, the cache-writer fails at once each time it is started."""
    folder = scene.folder / "workers"
    folder.mkdir()
    for name in ("fetcher", "http"):
        (folder / name).symlink_to(BUILD / name)
    switch = scene.folder / "broken"
    script = folder / "cache-writer"
    script.write_text(f"#!/bin/sh\n[ -e {switch} ] && exit 1\nexec {BUILD}/cache-writer \"$@\"\n")
    script.chmod(0o755)
    _, g = scene.pair(DEMO, workers=4, settings=(f"--supervisor.worker_dir={folder}", "--supervisor.restart_floor=1ms",
                                                 "--supervisor.restart_ceiling=20ms", "--supervisor.stable_after=10s",
                                                 "--supervisor.fail_timeout=0"))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 30, "every slot to be ready before")
    switch.touch()
    os.kill(g.children()["cache-writer"], signal.SIGKILL)
    killer = os.fork()  # a process of its own: a thread would hold up the one that measures
    if killer == 0:
        while os.getppid() != 1:
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.kill(g.children()["http-3"], signal.SIGKILL)
            time.sleep(0.05)
        os._exit(0)
    s = Socket(g)
    restarts = lambda: {w["slot"]: w["restarts"] for w in s.ask("workers")[0]["workers"]}
    try:
        wait_for(lambda: restarts()["cache-writer"] > 5 and restarts()["http-3"] > 1, 20, "crash loops")
        before = restarts()
        for command, args in (("status", ()), ("workers", ()), ("crashes", ()), ("log-level", ("info",)),
                              ("restart", ("http-99",))):
            for _ in range(3):  # a machine that is busy with something else may have another try
                times = []
                for _ in range(200):
                    answer, seconds = s.ask(command, *args)
                    equal(answer["command"], command)
                    times.append(seconds)
                    time.sleep(0.001)
                if p99(times) <= 0.010:
                    break
            print(f"        {command}: p99 {p99(times) * 1e3:.2f} ms, worst {max(times) * 1e3:.2f} ms")
            check(p99(times) <= 0.010, command, "p99 above 10 ms:", sorted(times)[-5:])
        after = restarts()
        for slot in ("cache-writer", "http-3"):
            check(after[slot] > before[slot], slot, "did not crash meanwhile:", before, after)
    finally:
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)
        s.close()
        switch.unlink()
    code, out, _ = ctl(g, "workers")
    equal(code, 0)
    check("exit 1" in out or "signal 9" in out, out)


def test_drain_ends_the_gateway(scene):
    _, g = scene.pair(DEMO)
    code, out, _ = ctl(g, "drain")
    equal(code, 0, out)
    equal(g.process.wait(20), 0)


def test_a_crash_report_is_listed_and_shown(scene):
    _, g = scene.pair(DEMO)
    folder = g.state / "crashes"
    folder.mkdir(exist_ok=True)
    (folder / "000041.json").write_text(json.dumps({
        "id": 41, "time": "2026-01-05T14:30:00.123Z", "slot": "http-0", "role": "http", "pid": 4711, "cause": "signal",
        "signal": 11, "address": "0x10", "executable": "/x/http", "build_id": "00", "log": ["the last line\x1b[2J"],
        "frames": [{"address": "0x7f00", "module": "/lib/libc.so.6", "offset": "0x10"},
                   {"address": "0x5500", "module": "/x/http", "offset": "0x1234"}],
        "doing": {"text": "GET /api/v1/health", "in_hand": True}}, indent=1))
    code, out, _ = ctl(g, "crashes")
    equal(code, 0)
    check("000041" in out and "SIGSEGV" in out and "http+0x1234" in out, out)
    code, out, _ = ctl(g, "crashes", "41")
    equal(code, 0)
    check("the last line?[2J" in out and "GET /api/v1/health" in out and "libc.so.6+0x10" in out, out)


def screen_of(master, seconds, until):
    """What a terminal was sent, until it holds a text."""
    got, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and until.encode() not in got:
        if select.select([master], [], [], 0.1)[0]:
            try:
                got += os.read(master, 65536)
            except OSError:
                break
    return got.decode(errors="replace")


def test_top_shows_rates_as_text_and_survives_another_master(scene):
    replay, g = scene.pair(DEMO, workers=2)
    done = threading.Event()
    load = threading.Thread(target=lambda: [g.ask(BARS) for _ in iter(lambda: done.is_set(), True)], daemon=True)
    load.start()
    try:
        code, out, err = ctl(g, "top", "-n", "2", "-d", "0.3")
    finally:
        done.set()
        load.join(20)
    equal((code, err), (0, ""))
    check("\033" not in out and out.count("opitios-alpaca ") == 2 and "http-1" in out, out)
    check(float(out.splitlines()[1].split()[0].replace("k", "e3")) > 0, "no requests were seen:", out)
    master, slave = pty.openpty()
    p = subprocess.Popen([BUILD / "opitios-ctl", "--state-dir", str(g.state), "top", "-d", "0.2"], stdin=slave, stdout=slave,
                         stderr=slave, env={"TERM": "xterm", "LC_ALL": "C.UTF-8"}, start_new_session=True)
    try:
        text = screen_of(master, 10, "http-1")
        check("\033[?1049h" in text and "http-1" in text, text[-500:])
        g.stop()
        check("no answer" in screen_of(master, 10, "no answer"), "the end was not told")
        scene.gateway(replay, workers=2)
        check("started anew" in screen_of(master, 15, "started anew"), "the new master was not told")
        os.write(master, b"q")
        text = screen_of(master, 10, "\033[?1049l")
        check(text.endswith("\033[?1049l"), "the terminal is not restored:", text[-200:])
        equal(p.wait(10), 0)
    finally:
        p.kill()
        p.wait()
        os.close(master)
        os.close(slave)


def test_the_completion_names_commands_and_slots(scene):
    _, g = scene.pair(DEMO, workers=2)
    if not shutil.which("bash"):
        return
    script = (f'. {ROOT}/completions/opitios-ctl.bash; t() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _opitios_ctl; '
              f'echo "${{COMPREPLY[*]}}"; }}; t opitios-ctl rel; t opitios-ctl --state-dir {g.state} restart http; '
              't opitios-ctl log-level ""')
    r = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30,
                       env={"PATH": f"{BUILD}:{os.environ['PATH']}"})
    equal(r.stdout.splitlines(), ["reload", "http-0 http-1", "debug info warn error"], r.stderr)


if __name__ == "__main__":
    run_file(globals())
