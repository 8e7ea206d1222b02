"""The master's own address: metrics, health and probes, with every worker stopped, under hostile clients, to the last moment."""
# Alone: scrapes are timed.
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import BUILD, ROOT, Skip, ask, check, equal, metric_of, raw, rss_kib, run_file, series_of, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
FULL = os.environ.get("OPITIOS_FULL") == "1"
PROBES = ("/livez", "/readyz", "/startupz")
HEALTH = ("/health", "/health/detailed", "/api/v1/health", "/api/v1/health/detailed")
NO_WATCH = "--supervisor.hang_timeout=0"


@contextlib.contextmanager
def stopped(g):
    """Every worker, as long as it lasts."""
    children = g.children()
    for pid in children.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield children
    finally:
        for pid in children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def p99(seconds):
    return sorted(seconds)[max(0, int(len(seconds) * 0.99) - 1)]


def own_kib(pid):
    """What a process holds for itself: the board, which all share, left out."""
    return int(re.search(r"RssAnon:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])


def rounds(port, path, limit):
    """Times of 200 scrapes, and the size; up to five times, for the machine may have been busy with something else."""
    for _ in range(5):
        seconds, size, source = [], 0, scrape(port, path)
        for _ in range(200):
            body, took = next(source)
            seconds.append(took)
            size = len(body)
        source.close()
        if p99(seconds) <= limit:
            break
    return seconds, size


def scrape(port, path):
    """Like a scraper written in C: one connection, read into one buffer; the body and how long it took."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        buffer = bytearray(1 << 22)
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        while True:
            begun, have, want = time.monotonic(), 0, None
            s.sendall(request)
            while want is None or have < want:
                n = s.recv_into(memoryview(buffer)[have:])
                check(n > 0, path, "ended after", have, "bytes")
                have += n
                if want is None and (end := buffer.find(b"\r\n\r\n", 0, have)) >= 0:
                    head = bytes(buffer[:end]).decode()
                    check(head.startswith("HTTP/1.1 200"), head)
                    want = end + 4 + int(re.search(r"Content-Length: (\d+)", head)[1])
                    if want > len(buffer):
                        buffer.extend(bytes(want - len(buffer)))
            yield bytes(buffer[end + 4:have]), time.monotonic() - begun


def test_every_admin_route_answers_with_all_workers_stopped(scene):
    _, g = scene.pair(DEMO, workers=2, settings=(NO_WATCH,))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start to be told")
    g.ask("/api/v1/stocks/GOOG/bars?limit=3")
    with stopped(g) as children:
        for path in PROBES + HEALTH:
            a = g.admin_ask(path, timeout=2)
            equal(a.status, 200, f"{path}: {a}")
            check(a.seconds < 0.5, path, "took", a.seconds)
            equal(g.admin_ask(path, "HEAD", timeout=2).body, b"", path)
        d = g.admin_ask("/health/detailed", timeout=2).json
        equal({w["slot"]: w["pid"] for w in d["workers"]}, children, "pids")
        for w in d["workers"]:
            equal((w["failed"], w["restarts"]), (False, 0), w["slot"])
            check(w["heartbeat_age"] is not None, w)
        equal(sorted(d["checks"]), ["cache", "database", "external_api"])
        equal(d["draining"], [])
        check(d["system"]["memory"]["workers_rss_bytes"]["master"] > 0, d["system"])
        text = g.admin_ask("/metrics", timeout=2).body.decode()
        equal(metric_of(text, "opitios_worker_up"), 4)
        equal(metric_of(text, "opitios_http_workers", worker="master"), 2)
        check(metric_of(text, "opitios_cpus_usable") >= 1, "cpus")
        equal(metric_of(text, "opitios_http_requests_total", route="/api/v1/stocks/{symbol}/bars", code="200"), 1)
        r = g.admin_ask("/readyz", timeout=2).json
        equal(sorted(r["roles"]), ["cache-writer", "fetcher", "http"])
        equal((r["status"], r["reason"], r["roles"]["fetcher"]["state"], r["roles"]["fetcher"]["reason"]),
              ("ok", None, "ready", None), r)
    equal(g.ask("/livez").status, 200)


def test_workers_and_master_tell_the_same(scene):
    _, g = scene.pair(DEMO, workers=2)
    for path in ("/readyz", "/startupz", "/api/v1/health", "/api/v1/health/detailed"):
        mine, theirs = g.admin_ask(path).json, g.ask(path).json
        equal(sorted(mine), sorted(theirs), path)
    # Of both, what does not grow from one look to the next.
    mine, theirs = series_of(g.admin_ask("/metrics").body.decode()), series_of(g.metrics())
    equal(set(mine) - set(theirs), set())


def test_errors_have_the_form_of_the_api(scene):
    _, g = scene.pair(DEMO)
    for path, method, status, code in (("/nothing", "GET", 404, "NOT_FOUND"), ("/metrics/", "GET", 404, "NOT_FOUND"),
                                       ("/api/v1/stocks/GOOG/quote", "GET", 404, "NOT_FOUND"),
                                       ("/metrics", "DELETE", 405, "METHOD_NOT_ALLOWED"),
                                       ("/health", "PUT", 405, "METHOD_NOT_ALLOWED")):
        mine = g.admin_ask(path, method, headers={"X-Request-Id": "here-1"})
        equal((mine.status, mine.json["error"]["code"]), (status, code), path)
        equal(mine.json["metadata"]["request_id"], "here-1", path)
        equal(mine.headers["x-request-id"], "here-1", path)
        equal(mine.json["metadata"]["endpoint"], path)
    equal(g.admin_ask("/metrics", "POST").headers["allow"], "GET, HEAD, OPTIONS")
    equal(g.admin_ask("/metrics", "OPTIONS").status, 204)
    theirs, mine = g.ask("/nothing").json, g.admin_ask("/nothing").json
    equal({k: sorted(v) for k, v in mine.items()}, {k: sorted(v) for k, v in theirs.items()})
    equal(g.admin_ask("/metrics?name[]=x").status, 200, "a query is not asked about")


def test_scrapes_are_fast_with_all_workers_stopped(scene):
    workers = 256 if FULL else 64
    _, g = scene.pair(DEMO, workers=workers, settings=(NO_WATCH,))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 120, "all workers to be ready once")
    threads = [threading.Thread(target=lambda: [ask(g.port, p) for p in (
        "/api/v1/stocks/GOOG/bars?limit=2", "/livez", "/api/v1/stocks/GOOG/quote", "/api/v1/market/status")
        for _ in range(2 * workers // 4)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    before, said = own_kib(g.process.pid), []
    limit = float(os.environ.get("OPITIOS_ADMIN_P99_MS", "25" if "ASAN_OPTIONS" in os.environ else "5")) / 1e3
    with stopped(g):
        for path in ("/metrics", "/health", "/readyz", "/health/detailed"):
            seconds, size = rounds(g.admin, path, limit)
            said.append(f"{path} p50 {sorted(seconds)[100] * 1e3:.2f} p99 {p99(seconds) * 1e3:.2f} ms {size} bytes")
            check(p99(seconds) <= limit, workers, "workers:", said[-1])
    after, whole = own_kib(g.process.pid), rss_kib(g.process.pid)
    print(f"        {workers} workers: {'; '.join(said)}; master's own {before} -> {after} KiB, of {whole}", flush=True)
    check("ASAN_OPTIONS" in os.environ or after < before + 2048, "the master grew from", before, "to", after, "KiB")


def test_the_number_of_series_does_not_follow_kills(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.fail_deaths=1000", "--supervisor.restart_floor=10ms"))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start")
    for _ in range(40):
        g.ask("/livez")
    before = series_of(g.admin_ask("/metrics").body.decode())
    for _ in range(5):
        killed = g.children()["http-0"]
        os.kill(killed, signal.SIGKILL)
        now = series_of(g.admin_ask("/metrics").body.decode())
        equal(set(now), set(before))
        for name, value in before.items():
            if name.split("{")[0].endswith(("_total", "_count", "_bucket", "_sum")):
                check(now[name] >= value, name, "fell from", value, "to", now[name])
        wait_for(lambda: g.children().get("http-0") not in (None, killed), 10, "a successor")
        wait_for(lambda: metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_up") == 4, 10, "four up")
    equal(metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_restarts_total", worker="http-0", cause="signal"), 5)


def test_readiness_changes_are_seen_at_once_and_told_until_the_end(scene):
    _, g = scene.pair(DEMO, settings=("--supervisor.drain_delay=1500ms", "--supervisor.restart_floor=1s"))
    wait_for(lambda: g.admin_ask("/readyz").status == 200, 5, "readiness")
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 5, "the start")
    killed = g.children()["http-0"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: g.children().get("http-0") not in (None, killed), 5, "a successor")
    wait_for(lambda: g.admin_ask("/readyz").status == 200, 5, "readiness after a restart")
    # The second restart waits for a second: nobody serves meanwhile, and it is said.
    os.kill(g.children()["http-0"], signal.SIGKILL)
    begun = time.monotonic()
    a = wait_for(lambda: (r := g.admin_ask("/readyz")).status == 503 and r, 2, "readiness to fall")
    check(time.monotonic() - begun < 0.2, "seen after", time.monotonic() - begun)
    equal((a.json["code"], a.json["roles"]["http"]["reason"]), ("http_not_ready", "not_ready"), a)
    wait_for(lambda: g.admin_ask("/readyz").status == 200, 10, "readiness again")
    g.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    a = wait_for(lambda: (r := g.admin_ask("/readyz")).status == 503 and r, 2, "readiness to fall")
    check(time.monotonic() - begun < 0.2, "seen after", time.monotonic() - begun)
    equal(a.json["code"], "stopping", a)
    equal(g.admin_ask("/livez").status, 200)
    while g.process.poll() is None and g.children():
        with contextlib.suppress(OSError):
            check(g.admin_ask("/readyz", timeout=2).status == 503, "not told while draining")
    equal(g.process.wait(10), 0, "exit code")
    check(not (g.state / "admin.address").exists(), "the address is left behind")


GARBAGE = (b"\x00" * 4096, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, b"GET /metrics HTTP/9.9\r\n\r\n",
           b"G" * 100000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
           b"GET /%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
           b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")


def test_hostile_clients_do_not_hurt(scene):
    _, g = scene.pair(DEMO)
    before = rss_kib(g.process.pid)
    held = []
    for i in range(300):        # more than connections_max: silent, in half a head, and not reading
        s = socket.create_connection(("127.0.0.1", g.admin), timeout=5)
        with contextlib.suppress(OSError):
            s.sendall((b"", b"GET /metrics HTTP/1.1\r\nHost:", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)[i % 3])
        held.append(s)
        if i % 20 == 0:
            a = g.admin_ask("/readyz", timeout=5)
            check(a.status == 200 and a.seconds < 1, i, a, a.seconds)
    for data in GARBAGE:
        with contextlib.suppress(OSError):
            got = raw(g.admin, data, timeout=5, shut=True)
            check(got == b"" or re.match(rb"HTTP/1.1 [45]", got), data[:30], got[:60])
        equal(g.admin_ask("/livez", timeout=5).status, 200)
    for s in held:
        s.close()
    check(g.ask("/livez").status == 200, "workers serve")
    equal(g.process.poll(), None)
    slots = {w["slot"]: w["restarts"] for w in g.admin_ask("/health/detailed").json["workers"]}
    equal(set(slots.values()), {0}, slots)
    check("ASAN_OPTIONS" in os.environ or rss_kib(g.process.pid) < before + 16 * 1024, "the master grew from", before, "to", rss_kib(g.process.pid), "KiB")


def test_the_master_supervises_while_it_is_flooded_with_questions(scene):
    _, g = scene.pair(DEMO, workers=2, settings=("--supervisor.stable_after=10ms",))
    over, asked = threading.Event(), [0]

    def flood(path):
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 60
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", g.admin), timeout=5) as s:
                s.sendall(request)
                while s.recv(1 << 18) and not over.is_set():
                    asked[0] += 1

    threads = [threading.Thread(target=flood, args=(p,)) for p in ("/metrics", "/health/detailed", "/livez", "/readyz") * 2]
    for t in threads:
        t.start()
    try:
        slowest = 0.0
        for _ in range(10):
            killed, begun = g.children()["http-0"], time.monotonic()
            os.kill(killed, signal.SIGKILL)
            wait_for(lambda: g.children().get("http-0") not in (None, killed), 5, "a successor under the flood")
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.1)     # steady again: the next one is restarted at once
    finally:
        over.set()
        for t in threads:
            t.join(20)
    check(asked[0] > 100, "the flood was", asked[0], "answers")
    print(f"        a successor within {slowest * 1e3:.0f} ms under the flood", flush=True)
    check(slowest < 1.5, "the slowest successor took", slowest, "s")


def run(scene, *args):
    return subprocess.run([str(BUILD / "opitios-alpaca"), f"--state.dir={scene.folder}/other", "--http.address=127.0.0.1:0",
                           "--log.format=json", *args], capture_output=True, text=True, timeout=20, env={"PATH": os.environ["PATH"]})


def test_a_taken_address_is_one_line_and_exit_77(scene):
    _, g = scene.pair(DEMO)
    p = run(scene, f"--admin.address=127.0.0.1:{g.admin}")
    equal(p.returncode, 77, p.stderr)
    told = [line for line in p.stderr.splitlines() if json.loads(line)["level"] not in ("info", "debug")]
    equal(len(told), 1, p.stderr)
    check("admin.address" in told[0] and str(g.admin) in told[0], told)
    for bad in ("nowhere", "on", "127.0.0.1", ""):
        p = run(scene, f"--admin.address={bad}")
        equal((p.returncode, len(p.stderr.strip().splitlines())), (78, 1), p.stderr)
        check("admin.address" in p.stderr and "off" in p.stderr, p.stderr)


def test_off_means_no_port(scene):
    _, g = scene.pair(DEMO, settings=("--admin.address=off",))
    equal(g.admin, None)
    check(not (g.state / "admin.address").exists(), "an address is written")
    mine = []
    inodes = {os.readlink(f"/proc/{g.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{g.process.pid}/fd")}
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            mine.append(int(fields[1].split(":")[1], 16))
    equal(mine, [g.port], "ports the master listens on")


def test_prometheus_finds_no_fault_with_the_metrics(scene):
    if shutil.which("promtool") is None:
        raise Skip("promtool is not installed")
    _, g = scene.pair(DEMO, workers=2)
    g.ask("/api/v1/stocks/GOOG/bars?limit=2")
    p = subprocess.run(["promtool", "check", "metrics"], input=g.admin_ask("/metrics").body, capture_output=True, timeout=60)
    print("        promtool:", (p.stdout + p.stderr).decode().strip()[:600] or "nothing to say", flush=True)
    check(p.returncode in (0, 3), p.stderr)


if __name__ == "__main__":
    run_file(globals())
