"""Any one process may die: what is lost, who comes back, and how fast."""
# Alone: how fast somebody comes back is timed.
import os
import signal
import subprocess
import time

from harness import ROOT, Load, check, equal, run_file, series_of, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=5"
FULL = os.environ.get("OPITIOS_FULL") == "1"


def back_after(g, slot, sig=signal.SIGKILL):
    """Kills a slot's process; seconds from the kill to a ready successor, by the master's own page (no polling error)."""
    old = g.workers()[slot]
    begun = time.time()
    os.kill(old["pid"], sig)

    def successor():
        w = g.workers()[slot]
        return w if w["pid"] not in (0, None, old["pid"]) and w["state"] == "ready" else None
    w = wait_for(successor, 10, f"a successor of {slot}", every=0.001)
    equal(w["restarts"], old["restarts"] + 1, slot)
    return time.time() - begun


def test_a_killed_worker_is_back_within_50_ms(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.stable_after=10ms",))
    for slot in ("fetcher-rest", "cache-writer", "http-1"):
        times = []
        for _ in range(20 if FULL else 8):
            wait_for(lambda: g.workers()[slot]["uptime_seconds"] > 0.05, 5, "a stable worker")
            times.append(back_after(g, slot))
        times.sort()
        print(f"        {slot}: back after {times[len(times) // 2] * 1e3:.1f} ms median, {times[-1] * 1e3:.1f} ms worst")
        check(times[len(times) // 2] <= 0.05, slot, times)
        check(times[-1] <= 0.25, slot, times)


def test_killing_http_workers_under_load_loses_only_what_they_held(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.stable_after=10ms",))
    g.ask(BARS)
    clients, kills = 8, 5
    load = Load(g.port, [BARS], clients)
    wait_for(lambda: load.total() > 200, 10, "load")
    for i in range(kills):
        slot = f"http-{i % 2}"
        pid = g.children()[slot]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.children().get(slot) not in (None, pid), 5, "a successor")
        reached = load.total() + 200
        wait_for(lambda: load.total() > reached, 10, "load to go on")
    load.stop()
    equal(set(load.statuses), {200}, load.statuses)
    check(len(load.failures) <= kills * clients, len(load.failures), load.failures[:5])


def test_killing_the_fetcher_under_load_fails_no_request(scene):
    r, g = scene.pair(DEMO, workers=2, settings=("--supervisor.stable_after=10ms", "--freshness.bars=0", "--freshness.closed=0", "--freshness.stale_if_error=0"))
    load = Load(g.port, [f"/api/v1/stocks/GOOG/bars?limit={n}" for n in range(1, 40)], 8)
    wait_for(lambda: load.total() > 100, 10, "load")
    for _ in range(10):
        pid = g.children()["fetcher-rest"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.children().get("fetcher-rest") not in (None, pid), 5, "a successor")
        reached = load.total() + 50
        wait_for(lambda: load.total() > reached, 10, "load to go on")
    load.stop()
    equal((set(load.statuses), load.failures), ({200}, []), "answers")


def test_counters_never_fall_while_workers_die(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.stable_after=10ms",))
    load = Load(g.port, [BARS, "/api/v1/stocks/ZZZZ/quote"], 4)
    seen = {}
    for i in range(12):
        pid = g.children()[f"http-{i % 2}"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.children().get(f"http-{i % 2}") not in (None, pid), 5, "a successor")
        now = wait_for(lambda: _try(g), 5, "metrics")
        for name, value in now.items():
            base = name.split("{")[0]
            if base.endswith(("_total", "_count", "_sum", "_bucket")):
                check(value >= seen.get(name, 0), name, "fell from", seen.get(name), "to", value)
        check(set(seen) <= set(now), "series vanished:", list(set(seen) - set(now))[:3])
        seen = now
    load.stop()
    equal(g.metric("opitios_worker_restarts_total", cause="signal"), 12)
    wait_for(lambda: g.metric("opitios_http_requests_in_flight") <= 1, 5, "in-flight to be exact")


def _try(g):
    try:
        return series_of(g.metrics())
    except OSError:
        return None


def alive(pid):
    """Not gone, and not a zombie that pid 1 of this machine has not reaped yet."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def test_children_end_when_the_master_vanishes(scene):
    _, g = scene.pair(DEMO, workers=2)
    children = g.children()
    equal(len(children), 4, children)
    begun = time.monotonic()
    g.process.kill()
    g.process.wait()
    wait_for(lambda: not any(alive(p) for p in children.values()), 5, "the children to end")
    check(time.monotonic() - begun < 1.5, "took", time.monotonic() - begun)


def test_sigterm_under_load_fails_no_request(scene):
    _, g = scene.pair(DEMO, workers=2)
    g.ask(BARS)
    load = Load(g.port, [BARS], 8)
    wait_for(lambda: load.total() > 200, 10, "load")
    g.process.send_signal(signal.SIGTERM)
    equal(g.process.wait(20), 0, "exit code")
    load.stop()
    equal(set(load.statuses), {200}, load.statuses)
    # After the end connections are refused; before it none may be cut in the middle of an answer.
    odd = [f for f in load.failures if not f.startswith(("ConnectionRefusedError", "RemoteDisconnected", "ConnectionResetError"))]
    equal(odd, [], "failures")


def test_readiness_falls_at_once_and_accepting_goes_on_for_the_delay(scene):
    _, g = scene.pair(DEMO, settings=("--supervisor.drain_delay=2s",))
    g.process.send_signal(signal.SIGTERM)
    wait_for(lambda: g.ask("/readyz").status == 503, 1, "readiness to fall")
    equal(g.ask(BARS).status, 200, "still served")
    equal(g.ask("/api/v1/health").json["status"], "unhealthy")
    equal(g.process.wait(10), 0)


def test_a_stopped_worker_does_not_stop_the_others(scene):
    _, g = scene.pair(DEMO, workers=2)
    g.ask(BARS)
    pids = g.children()
    os.kill(pids["cache-writer"], signal.SIGSTOP)
    os.kill(pids["fetcher-rest"], signal.SIGSTOP)
    try:
        equal(g.ask(BARS).json["metadata"]["cache"], "l1", "a cached answer needs nobody else")
        equal(g.ask("/livez").status, 200)
    finally:
        os.kill(pids["fetcher-rest"], signal.SIGCONT)
        os.kill(pids["cache-writer"], signal.SIGCONT)
    equal(g.ask("/api/v1/stocks/MSFT/bars?limit=2").status, 200)


def test_secrets_are_in_no_argument_environment_or_log(scene):
    from harness import SECRET
    r, g = scene.pair(DEMO, settings=("--log.level=debug",))
    for path in (BARS, "/api/v1/stocks/GOOG/quote", "/api/v1/health/detailed", "/metrics", "/openapi.json"):
        check(SECRET not in g.ask(path).body.decode(), path)
    for slot, pid in g.children().items():
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                check(SECRET.encode() not in f.read(), slot, name)
    g.stop()
    found = subprocess.run(["grep", "-rl", SECRET, str(scene.folder)], capture_output=True, text=True).stdout
    equal(found, "", "files with the secret")


if __name__ == "__main__":
    run_file(globals())
