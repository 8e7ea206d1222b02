"""What is asked of the supervisor through opitios-ctl, and what it promises of time: gauges, failed roles, stops."""
# Alone: promises of time.
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time

from harness import BUILD, ROOT, Load, NewConnections, Skip, check, equal, metric_of, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?timeframe=1Day&limit=5"
SLOTS = ("fetcher-rest", "cache-writer", "http-0", "http-1")
# What a stop may leave: data, and the reports of those that died.
KEPT = ("history.sqlite", "journal", "budget.", "crashes")


def ctl(g, *words):
    r = subprocess.run([BUILD / "opitios-ctl", "--state-dir", str(g.state), *words], capture_output=True, text=True, timeout=60)
    return r.returncode, r.stdout, r.stderr


def ready(g):
    """Every slot that is wanted is ready, told by the master itself."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        roles = g.admin_ask("/readyz").json["roles"]
        return all(r["ready"] == r["workers"] for r in roles.values())
    return False


def wrapped(scene, name, condition):
    """A folder of workers of which one is a script that does something else while a file is there."""
    folder, switch = scene.folder / "workers", scene.folder / "switch"
    folder.mkdir()
    for other in ("fetcher", "cache-writer", "http"):
        if other != name:
            (folder / other).symlink_to(BUILD / other)
    script = folder / name
    script.write_text(f"#!/bin/sh\n[ -e {switch} ] && {condition}\nexec {BUILD}/{name} \"$@\"\n")
    script.chmod(0o755)
    return folder, switch


def test_reload_by_ctl_blocks_until_all_are_ready_and_says_what_became_of_it(scene):
    conf = scene.folder / "conf"
    conf.write_text("[http]\nbody_max = 1k\n")
    _, g = scene.pair(DEMO, workers=2, settings=(f"--config={conf}",))
    wait_for(lambda: ready(g), 30, "every slot to be ready before")
    before = g.children()
    equal(g.ask("/api/v1/stocks/quotes/batch", "POST", "x" * 2000).status, 413)
    conf.write_text("[http]\nbody_max = 8k\n")
    code, out, err = ctl(g, "reload")
    equal((code, err), (0, ""), out)
    check("generation 2: 2 workers replaced" in out, out)
    check(ready(g), "it came back before all were ready:", g.admin_ask("/readyz").body)
    equal(g.ask("/api/v1/stocks/quotes/batch", "POST", "x" * 2000).status, 400, "the new limit is in force")
    conf.write_text("[http]\nbody_max = many\n")
    serving = {s: p for s, p in g.children().items() if p not in before.values()}
    code, out, err = ctl(g, "reload")
    equal((code, out), (1, ""))
    check(err.count("\n") == 1 and "http.body_max" in err and "many" in err, err)
    now = g.children()
    equal({s: now[s] for s in serving}, serving, "nobody was replaced")
    conf.write_text("[http]\nbody_max = 8k\nbacklog = 99\n")
    code, out, err = ctl(g, "--json", "reload")
    equal(code, 0, err)
    check("only a restart changes http.backlog" in json.loads(out)["text"], out)


def test_restart_scale_and_upgrade_by_ctl_fail_no_new_connection(scene):
    _, g = scene.pair(DEMO, workers=2)
    wait_for(lambda: ready(g), 30, "every slot to be ready before")
    g.ask(BARS)
    load = NewConnections(g.port, BARS)
    for slot in SLOTS:
        old = {s.split(".")[0]: p for s, p in g.children().items()}[slot]
        code, out, err = ctl(g, "restart", slot)
        equal(code, 0, (slot, err))
        check(ready(g), slot, "it came back before the successor was ready")
        wait_for(lambda: old not in g.children().values(), 10, f"the end of the old {slot}")
    for n in (5, 1, 3):
        code, out, err = ctl(g, "scale", "http", str(n))
        equal(code, 0, err)
        equal(g.admin_ask("/readyz").json["roles"]["http"]["workers"], n)
        equal(metric_of(g.admin_ask("/metrics").body.decode(), "opitios_http_workers"), n)
    code, out, err = ctl(g, "restart", "http-4")
    check(code == 1 and "scaled away" in err, code, err)
    pid = g.process.pid
    code, out, err = ctl(g, "upgrade")
    equal(code, 0, err)
    check("generation 2" in out, out, "the image that took over answers")
    equal(g.process.poll(), None)
    equal(json.loads(ctl(g, "--json", "status")[1])["pid"], pid)
    equal(g.admin_ask("/readyz").json["roles"]["http"]["workers"], 3, "scaled as before")
    equal(load.failed(), 0, load.stop())
    code, out, err = ctl(g, "restart", "http-77")
    check(code == 1 and "http-77" in err and err.count("\n") == 1, code, err)


def test_gauges_are_exact_within_100_ms_of_a_kill(scene):
    r, g = scene.pair(DEMO, workers=1, settings=("--http.fetch_timeout=30s", "--upstream.timeout=30s",
                                                 "--supervisor.drain_timeout=100ms"))
    r.fault("hang", path="/v2/")
    load = Load(g.port, [f"/api/v1/stocks/GOOG/bars?limit={n}" for n in range(100, 108)], 8)
    series = lambda name: metric_of(g.admin_ask("/metrics").body.decode(), name)
    try:
        wait_for(lambda: series("opitios_http_requests_in_flight") >= 6, 10, "requests in hand")
        held = g.children()["http-0"]
        os.kill(held, signal.SIGSTOP)
        load.done.set()
        os.kill(held, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: series("opitios_http_requests_in_flight") == 0, 0.1, "the gauge to be right", 0.001)
        print(f"        right after {(time.monotonic() - killed) * 1e3:.1f} ms")
    finally:
        load.done.set()  # its threads end with their requests, which nobody waits for
        r.heal()


def test_a_failed_role_is_in_readyz_within_200_ms_and_leaves_it_when_it_works_again(scene):
    folder, switch = wrapped(scene, "cache-writer", "exit 70")
    _, g = scene.pair(DEMO, workers=1, settings=(f"--supervisor.worker_dir={folder}", "--supervisor.restart_floor=1ms",
                                                 "--supervisor.restart_ceiling=300ms", "--supervisor.stable_after=500ms",
                                                 "--supervisor.fail_timeout=0"))
    equal(g.admin_ask("/readyz").status, 200)
    switch.touch()
    os.kill(g.children()["cache-writer"], signal.SIGKILL)
    wait_for(lambda: "cache-writer: has failed: 5 deaths" in g.tail(4000), 10, "the failure", 0.001)
    told = time.monotonic()
    answer = wait_for(lambda: (a := g.admin_ask("/readyz")).status == 503 and a, 0.2, "readiness to fall", 0.001)
    equal(answer.json["roles"]["cache-writer"]["failed"], 1)
    check("cache-writer" in answer.json["reason"] or "writer" in answer.json["reason"], answer)
    print(f"        told after {(time.monotonic() - told) * 1e3:.1f} ms")
    equal(metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_failed", worker="cache-writer"), 1)
    switch.unlink()
    wait_for(lambda: g.admin_ask("/readyz").status == 200, 10, "readiness once it is steady")


def test_a_worker_the_kernel_killed_for_want_of_memory_is_told_as_that(scene):
    group = pathlib.Path(f"/sys/fs/cgroup/memory/opitios-oom-{os.getpid()}")
    _, g = scene.pair(DEMO, workers=2)
    pid = g.children()["http-0"]
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(256 * 1024))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as e:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise Skip(f"no memory control group to be had: {e}") from e
    try:
        for n in range(2000):
            with contextlib.suppress(OSError, http.client.HTTPException):
                g.ask(f"/api/v1/stocks/GOOG/bars?limit={900 + n % 100}", timeout=5)
            if g.children().get("http-0") != pid:
                break
        wait_for(lambda: g.children().get("http-0") not in (None, pid), 10, "a successor")
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text(), 5, "the group to be empty")
        group.rmdir()
    report = json.loads((g.state / "crashes/000001.json").read_text())
    equal((report["slot"], report["cause"], report["signal"]), ("http-0", "oom", signal.SIGKILL))
    equal(metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_restarts_total", worker="http-0", cause="oom"), 1)


def processes_of(pid):
    """Its children, whatever they execute."""
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            fields = pathlib.Path(f"/proc/{other}/stat").read_text().rsplit(") ", 1)[1].split()
            if int(fields[1]) == pid:
                found.append(other)
    return found


def ends(g, seconds, what):
    """Ends in time, with nobody and nothing left."""
    began, children = time.monotonic(), g.children()
    g.process.send_signal(signal.SIGTERM)
    equal(g.process.wait(seconds + 10), 0, what)
    took = time.monotonic() - began
    check(took <= seconds, what, "took", took, "s")
    for slot, pid in children.items():
        wait_for(lambda: not pathlib.Path(f"/proc/{pid}/cmdline").exists() or
                 not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes(), 1, f"{what}: {slot} to be gone")
    stray = [n for n in os.listdir(g.state) if not n.startswith(KEPT)]
    equal(stray, [], f"{what}: files left")
    return took


def test_a_stop_ends_in_time_from_every_state_and_leaves_nothing(scene):
    scene.expected = ("Aborted",)  # workers that were made to hang
    folder, switch = wrapped(scene, "http", "exec sleep 60")
    drain = "--supervisor.drain_timeout=2s"

    def start(**kw):
        return scene.pair(DEMO, workers=2, settings=(drain, f"--supervisor.worker_dir={folder}", "--supervisor.hang_timeout=1s",
                                                     "--supervisor.dump_timeout=500ms", *kw.pop("settings", ())), **kw)[1]
    switch.touch()
    g = start(wait=False)
    wait_for(lambda: len(g.children()) >= 2, 10, "births")
    print(f"        while starting: {ends(g, 7, 'while starting'):.2f} s")
    switch.unlink()
    g = start()
    print(f"        serving: {ends(g, 7, 'serving'):.2f} s")
    g = start()
    os.kill(g.children()["fetcher-rest"], signal.SIGSTOP)
    os.kill(g.children()["http-0"], signal.SIGSTOP)
    print(f"        with stopped workers: {ends(g, 7, 'with stopped workers'):.2f} s")
    g = start(settings=("--supervisor.restart_floor=5s", "--supervisor.stable_after=60s"))
    for _ in range(2):
        pid = wait_for(lambda: g.children().get("cache-writer"), 10, "a cache-writer")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.children().get("cache-writer") != pid, 5, "its end")
    print(f"        in a crash loop: {ends(g, 7, 'in a crash loop'):.2f} s")
    g = start()
    switch.touch()
    g.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(processes_of(g.process.pid)) == 6, 10, "successors that do not get ready")
    print(f"        in a reload: {ends(g, 7, 'in a reload'):.2f} s")
    switch.unlink()
    g = start()
    os.kill(g.children()["http-1"], signal.SIGSTOP)
    g.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "draining" in g.tail(3000), 5, "the drain")
    began = time.monotonic()
    g.process.send_signal(signal.SIGTERM)
    equal(g.process.wait(10), 0)
    check(time.monotonic() - began <= 2, "asked twice it took", time.monotonic() - began)


if __name__ == "__main__":
    run_file(globals())
