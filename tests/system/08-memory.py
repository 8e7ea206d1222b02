"""What the processes weigh, at rest and with ten thousand idle clients."""
# Alone: it weighs processes.
import os
import resource
import socket

from harness import BUILD, ROOT, Skip, check, equal, rss_kib, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"


def sanitized():
    return b"__asan_init" in (BUILD / "http").read_bytes()


def test_a_worker_at_rest_weighs_at_most_12_mib_and_the_master_6(scene):
    if sanitized():
        raise Skip("sanitizers weigh more than the program")
    _, g = scene.pair(DEMO)
    g.ask("/api/v1/stocks/GOOG/bars?limit=5")
    g.ask("/api/v1/stocks/GOOG/quote")
    sizes = {slot: rss_kib(pid) for slot, pid in g.children().items()} | {"master": rss_kib(g.process.pid)}
    print("        KiB: " + ", ".join(f"{k} {v}" for k, v in sorted(sizes.items())))
    for slot, kib in sizes.items():
        check(kib <= (6 if slot == "master" else 12) * 1024, slot, kib, "KiB")


def test_ten_thousand_idle_connections_weigh_at_most_100_mib(scene):
    if sanitized():
        raise Skip("sanitizers weigh more than the program")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    if hard != resource.RLIM_INFINITY and hard < wanted + 200:
        wanted = hard - 200
        print(f"        this machine allows {hard} descriptors a process: {wanted} connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _, g = scene.pair(DEMO, workers=2, settings=("--http.idle_timeout=120s", "--http.connections_max=20000"))
    before = sum(rss_kib(p) for p in g.children().values()) + rss_kib(g.process.pid)
    held = []
    get = b"GET /livez HTTP/1.1\r\nHost: t\r\n\r\n"
    try:
        for i in range(wanted):
            s = socket.create_connection(("127.0.0.1", g.port), timeout=10)
            s.sendall(get)
            held.append(s)
            if i % 100 == 99:
                for t in held[-100:]:
                    check(t.recv(4096).startswith(b"HTTP/1.1 200"))
        wait_for(lambda: g.metric("opitios_http_connections") >= wanted, 10, "all connections")
        after = sum(rss_kib(p) for p in g.children().values()) + rss_kib(g.process.pid)
        print(f"        {wanted} idle connections: {before} KiB before, {after} KiB with them, all processes")
        check(after <= 100 * 1024 * wanted / 10000, after, "KiB")
    finally:
        for s in held:
            s.close()
    wait_for(lambda: g.metric("opitios_http_connections") <= 1, 20, "connections to be gone")


def test_clients_that_do_not_read_cannot_pile_up_answers(scene):
    if sanitized():
        raise Skip("sanitizers weigh more than the program")
    _, g = scene.pair(DEMO, settings=("--http.output_bytes=8M", "--http.total_timeout=3s"))
    path = "/api/v1/stocks/GOOG/bars?start=2004-01-01&limit=10000"
    size = len(g.ask(path).body)
    pid, held = g.children()["http-0"], []
    for _ in range(150):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", g.port))
        s.sendall(b"GET %s HTTP/1.1\r\nHost: t\r\n\r\n" % path.encode() * 20)
        held.append(s)
    wait_for(lambda: g.metric("opitios_http_connections_dropped_total") >= 100, 20, "slow readers to be cut")
    grown = rss_kib(pid)
    equal(g.ask("/livez").status, 200)
    for s in held:
        s.close()
    wait_for(lambda: g.metric("opitios_http_connections") <= 1, 20, "connections to be gone")
    wait_for(lambda: rss_kib(pid) < 16 * 1024, 10, f"memory to be given back: {rss_kib(pid)} KiB")
    print(f"        answers of {size} bytes, 150 readers asleep: {grown} KiB then, {rss_kib(pid)} KiB behind them")
    check(grown < 40 * 1024, grown, "KiB")


def test_the_cache_keeps_its_bound(scene):
    if sanitized():
        raise Skip("sanitizers weigh more than the program")
    _, g = scene.pair(DEMO, settings=("--http.cache_bytes=2M",))
    for n in range(300):
        equal(g.ask(f"/api/v1/stocks/GOOG/bars?start=2004-08-{1 + n % 28:02d}&limit={700 + n}").status, 200)
    check(g.metric("opitios_cache_bytes") <= 2 * 1024 * 1024, g.metric("opitios_cache_bytes"))
    check(g.metric("opitios_cache_evicted_total") > 0)
    check(rss_kib(g.children()["http-0"]) < 24 * 1024, rss_kib(g.children()["http-0"]), "KiB")


if __name__ == "__main__":
    run_file(globals())
