"""The status page: its document and streams from master and workers, with every worker stopped, under slow readers, to the end."""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import time

from harness import ROOT, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
STREAMS = 16
FAST = ("--supervisor.stable_after=10ms", "--supervisor.fail_deaths=1000", "--supervisor.restart_ceiling=200ms")


class Stream:
    """A client of server-sent events."""

    def __init__(self, port, timeout=5.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.sendall(b"GET /status/events HTTP/1.1\r\nHost: x\r\n\r\n")
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.more()
        self.head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.status = int(self.head.split()[1])

    def more(self):
        part = self.socket.recv(65536)
        if not part:
            raise EOFError
        self.rest += part

    def next(self):
        """The next document."""
        while True:
            while b"\n\n" not in self.rest:
                self.more()
            event, self.rest = self.rest.split(b"\n\n", 1)
            for line in event.split(b"\n"):
                if line.startswith(b"data: "):
                    return json.loads(line[6:])

    def until(self, condition, seconds=5.0, what="it"):
        end = time.monotonic() + seconds
        while not condition(d := self.next()):
            check(time.monotonic() < end, "waited", seconds, "s for", what, "on the stream")
        return d

    def close(self):
        self.socket.close()


def slot(d, name):
    return next(w for w in d["health"]["workers"] if w["slot"] == name)


def test_master_and_workers_tell_the_same_page(scene):
    _, g = scene.pair(DEMO, workers=2)
    for path in ("/status", "/status/page.css", "/status/page.js", "/status/symbol.js", "/status/icon.svg"):
        mine, theirs = g.admin_ask(path), g.ask(path)
        equal((mine.status, theirs.status), (200, 200), path)
        equal(mine.body, theirs.body, path)
        for a in (mine, theirs):
            check("default-src 'none'" in a.headers["content-security-policy"], path, a.headers)
            check("unsafe" not in a.headers["content-security-policy"], a.headers)
    equal(g.admin_ask("/status/page.html").status, 404)
    equal(g.admin_ask("/status/events", "HEAD").status, 200)
    equal(g.ask("/status/events", "HEAD").status, 200)
    mine, theirs = g.admin_ask("/status/now.json").json, g.ask("/status/now.json").json
    equal(sorted(mine), sorted(theirs))
    equal((mine["seen_by"], theirs["seen_by"][:5]), ("master", "http-"))
    equal([w["slot"] for w in mine["health"]["workers"]], [s["slot"] for s in mine["slots"]])


def test_a_killed_worker_is_on_every_stream_within_two_seconds_and_its_report_is_kept(scene):
    _, g = scene.pair(DEMO, workers=2, settings=FAST)
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start")
    admin, gateway = Stream(g.admin), Stream(g.port)
    equal((admin.status, gateway.status), (200, 200))
    check(b"Content-Type: text/event-stream" in admin.head and b"Content-Length" not in admin.head, admin.head)
    victim = "http-1" if gateway.next()["seen_by"] == "http-0" else "http-0"
    before = slot(admin.next(), victim)
    os.kill(before["pid"], signal.SIGKILL)
    begun = time.monotonic()
    for stream in (admin, gateway):
        d = stream.until(lambda d: slot(d, victim)["restarts"] > before["restarts"], 2, "the death")
        check(time.monotonic() - begun < 2, "seen after", time.monotonic() - begun)
        check("signal 9" in slot(d, victim)["last_exit"], slot(d, victim))
        d = stream.until(lambda d: slot(d, victim)["state"] == "ready" and slot(d, victim)["pid"] != before["pid"], 5, "the successor")
        newest = d["crashes"][0]
        equal((newest["slot"], newest["ended"], newest["pid"]), (victim, "signal 9 (Killed)", before["pid"]), d["crashes"])
    r = g.admin_ask(f"/status/crash?id={newest['id']}")
    equal((r.status, r.json["slot"], r.json["pid"]), (200, victim, before["pid"]))
    equal(g.admin_ask("/status/crash?id=999").status, 404)
    equal(g.admin_ask("/status/crash?id=../../x").status, 400)
    equal(g.admin_ask("/status/crash").status, 400)
    equal(g.ask("/status/crash").status, 404, "reports hold log lines: they are the admin address's alone")
    for stream in (admin, gateway):
        stream.close()


def test_a_trouble_that_ends_nobody_is_on_every_stream_with_slot_and_cause_and_makes_nobody_unready(scene):
    _, g = scene.pair(DEMO, workers=2, settings=FAST)
    wait_for(lambda: g.admin_ask("/health").json["status"] == "healthy", 10, "health")
    pid, streams = g.children()["http-1"], (Stream(g.admin), Stream(g.port))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), hard))
    for stream in streams:
        h = stream.until(lambda d: "descriptors_short" in d["health"]["reason_codes"], 4, "the want of descriptors")["health"]
        equal(h["status"], "degraded")
        (t,) = (t for t in h["troubles"] if t["trouble"] == "descriptors")
        check(t["slot"] == "http-1" and "descriptors in use" in t["what"] and 0 <= t["age_seconds"] < 4, t)
        (reason,) = (r for r in h["reasons"] if "http-1" in r)
        check(t["what"] in reason and "LimitNOFILE=" in reason, reason)
        stream.close()
    for path in ("/livez", "/readyz", "/startupz"):
        equal(g.admin_ask(path).status, 200, path)
    check(re.search(r'^opitios_worker_troubles_total\{worker="http-1",.*trouble="descriptors"\} [1-9]', g.admin_ask("/metrics").body.decode(), re.M), "not counted")


def test_the_master_streams_with_every_worker_stopped(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.hang_timeout=0",))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start")
    children = g.children()
    for pid in children.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        stream = Stream(g.admin)
        begun = time.monotonic()
        documents = [stream.next() for _ in range(3)]
        took = time.monotonic() - begun
        check(0.7 < took < 3, "three documents took", took)
        check(documents[2]["monotonic_seconds"] > documents[0]["monotonic_seconds"], "the same")
        equal({w["slot"]: w["pid"] for w in documents[2]["health"]["workers"]}, children)
        check(g.admin_ask("/status", timeout=2).seconds < 0.5, "the page is slow")
        stream.close()
    finally:
        for pid in children.values():
            os.kill(pid, signal.SIGCONT)


def test_streams_are_bounded_and_slow_readers_harm_nobody(scene):
    _, g = scene.pair(DEMO, workers=1)
    streams = [Stream(g.admin) for _ in range(STREAMS)]
    refused = g.admin_ask("/status/events")
    equal((refused.status, refused.json["error"]["code"]), (503, "OVERLOADED"))
    check(int(refused.headers["retry-after"]) >= 1, refused.headers)
    equal(g.admin_ask("/status/now.json").status, 200, "the document is told all the same")
    # Fifteen do not read; the last one and all else go on.
    for _ in range(3):
        streams[-1].next()
    check(g.admin_ask("/readyz").seconds < 0.5, "the master is slow")
    for s in streams[:-1]:
        s.close()
    wait_for(lambda: g.admin_ask("/status/events", "HEAD").status == 200, 2, "the loop")
    fresh = wait_for(lambda: (s := Stream(g.admin)).status == 200 and s, 2, "room again")
    fresh.next()
    fresh.close()
    streams[-1].close()


def test_streams_tell_the_end_and_do_not_delay_it(scene):
    _, g = scene.pair(DEMO, workers=1)
    admin, gateway = Stream(g.admin), Stream(g.port)
    for s in (admin, gateway):
        s.next()
    begun = time.monotonic()
    g.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(EOFError):
        while time.monotonic() - begun < 10:
            gateway.next()
    seen = []
    with contextlib.suppress(EOFError, ConnectionResetError):
        while time.monotonic() - begun < 10:
            seen.append(admin.next()["health"]["status"])
    equal(g.process.wait(10), 0, "exit code")
    check(time.monotonic() - begun < 6, "the end took", time.monotonic() - begun, "s with streams open")


def test_reports_of_an_earlier_run_are_still_shown(scene):
    r, g = scene.pair(DEMO, workers=1, settings=FAST)
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start")
    os.kill(g.children()["http-0"], signal.SIGKILL)
    wait_for(lambda: g.admin_ask("/status/now.json").json["crashes"], 5, "the report")
    before = g.admin_ask("/status/now.json").json["crashes"]
    g.stop()
    g = scene.gateway(r, workers=1)
    equal(g.admin_ask("/status/now.json").json["crashes"], before)


if __name__ == "__main__":
    run_file(globals())
