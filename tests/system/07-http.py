"""HTTP as hostile or clumsy clients speak it, on real sockets."""
import json
import socket
import time

from harness import ROOT, check, equal, raw, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
TIGHT = ("--http.header_timeout=300ms", "--http.body_timeout=300ms", "--http.idle_timeout=300ms", "--http.body_max=1k",
         "--http.headers_max=4k", "--http.request_line_max=1k")
GET = b"GET /livez HTTP/1.1\r\nHost: t\r\n\r\n"
QUOTE = b'{"symbol":"GOOG"}'


def status(answer):
    check(answer.startswith(b"HTTP/1.1 "), answer[:80])
    return int(answer[9:12])


def code(answer):
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"]


def test_limits_answer_with_the_status_http_has_for_them(scene):
    _, g = scene.pair(DEMO, settings=TIGHT)
    post = b"POST /api/v1/stocks/quote HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    cases = [
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414, "URI_TOO_LONG"),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 5000 + b"\r\n\r\n", 431, "HEADERS_TOO_LARGE"),
        (post + b"Content-Length: 5000\r\n\r\n", 413, "REQUEST_SIZE_EXCEEDED"),
        (post + b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + b"a" * 2048 + b"\r\n0\r\n\r\n", 413, "REQUEST_SIZE_EXCEEDED"),
        (b"GARBAGE\r\n\r\n", 400, "MALFORMED_REQUEST"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "MALFORMED_REQUEST"),
        (post + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "MALFORMED_REQUEST"),
        (post + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "MALFORMED_REQUEST"),
        (post + b"Content-Length: -1\r\n\r\n", 400, "MALFORMED_REQUEST"),
        (b"GET / HTTP/1.1\r\nHost: t\r\nExpect: tea\r\n\r\n", 417, "EXPECTATION_FAILED"),
        (b"GET /live", 408, "REQUEST_TIMEOUT"),
        (post + b"Content-Length: 17\r\n\r\n{", 408, "REQUEST_TIMEOUT"),
    ]
    for sent, wanted, name in cases:
        begun = time.monotonic()
        answer = raw(g.port, sent)
        equal((status(answer), code(answer)), (wanted, name), sent[:60])
        check(b"connection: close" in answer.lower(), sent[:60])
        check(time.monotonic() - begun < 3, sent[:60], "took too long")
    equal(status(raw(g.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))), 200)


def test_pipelined_requests_are_answered_in_order(scene):
    _, g = scene.pair(DEMO, settings=TIGHT)
    ids = [f"n{i}".encode() for i in range(50)]
    paths = [b"/livez", b"/api/v1/stocks/GOOG/bars?limit=2", b"/nothing", b"/api/v1/stocks/ZZZZ/quote"]
    sent = b"".join(b"GET %s HTTP/1.1\r\nHost: t\r\nX-Request-Id: %s\r\n\r\n" % (paths[i % 4], n) for i, n in enumerate(ids))
    answer = raw(g.port, sent + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    got = [line.split(b": ")[1] for line in answer.split(b"\r\n") if line.lower().startswith(b"x-request-id") ]
    equal(got[:50], ids, "order")


def test_bodies_come_by_length_in_chunks_and_after_100_continue(scene):
    _, g = scene.pair(DEMO, settings=TIGHT)
    head = b"POST /api/v1/stocks/quote HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
    for tail in (b"Content-Length: 17\r\n\r\n" + QUOTE,
                 b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + QUOTE[:5] + b"\r\nc;x=y\r\n" + QUOTE[5:] + b"\r\n0\r\nTrailer: t\r\n\r\n"):
        answer = raw(g.port, head + tail)
        equal((status(answer), code(answer)), (404, "REAL_DATA_UNAVAILABLE"), tail[:30])
    with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
        s.sendall(head + b"Expect: 100-continue\r\nContent-Length: 17\r\n\r\n")
        check(s.recv(100).startswith(b"HTTP/1.1 100 "), "no 100")
        s.sendall(QUOTE)
        check(s.recv(4096).startswith(b"HTTP/1.1 404 "))
    with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
        s.sendall(head + b"Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n")
        check(s.recv(4096).startswith(b"HTTP/1.1 413 "), "the body must not be asked for")


def test_bodies_that_are_not_the_json_wanted_are_400(scene):
    _, g = scene.pair(DEMO)
    for body in (b"", b"{", b"[]", b"null", b'{"symbol":7}', b'{"symbol":"GOOG","nonsense":1}', b'{}', b"\xff\xfe", b"[" * 900,
                 b'{"symbol":"GOOG","symbol":"MSFT"}'):
        a = g.ask("/api/v1/stocks/quote", "POST", body)
        equal(a.status, 400, body)
        check(a.json["error"]["code"] in ("MALFORMED_REQUEST", "INVALID_PARAMETER"), body, a)


def test_idle_and_slow_connections_are_let_go(scene):
    _, g = scene.pair(DEMO, settings=TIGHT)
    with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
        s.sendall(GET)
        check(s.recv(4096).startswith(b"HTTP/1.1 200"))
        begun = time.monotonic()
        equal(s.recv(10), b"", "an idle connection closes silently")
        check(0.2 < time.monotonic() - begun < 3, time.monotonic() - begun)
    with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
        begun = time.monotonic()
        try:
            for i in range(100):
                s.sendall(GET[i % 10:i % 10 + 1])
                s.settimeout(0.05)
                try:
                    got = s.recv(100)
                    check(got == b"" or got.startswith(b"HTTP/1.1 4"), got)
                    break
                except TimeoutError:
                    pass
            else:
                raise AssertionError("a byte now and then kept the connection for ever")
        except (ConnectionResetError, BrokenPipeError):
            pass
        check(time.monotonic() - begun < 4, "slow headers were tolerated")


def test_a_client_that_does_not_read_costs_only_itself(scene):
    _, g = scene.pair(DEMO, settings=("--http.total_timeout=1s",))
    ask = b"GET /api/v1/stocks/GOOG/bars?start=2004-01-01&limit=10000 HTTP/1.1\r\nHost: t\r\n\r\n"
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", g.port))
    s.sendall(ask * 40)
    for _ in range(20):
        check(g.ask("/livez").seconds < 1)
    wait_for(lambda: g.metric("opitios_http_connections_dropped_total", drop="timeout") >= 1, 10, "the slow reader to be cut")
    s.close()


def test_a_flood_of_garbage_harms_nobody(scene):
    import random
    _, g = scene.pair(DEMO, settings=TIGHT)
    rng = random.Random(7)
    for i in range(300):
        noise = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400)))
        with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
            try:
                s.sendall(noise if i % 2 else GET[:rng.randrange(len(GET))] + noise)
            except OSError:
                pass
    equal(g.ask("/livez").status, 200)
    equal(sum(w["restarts"] for w in g.workers().values()), 0, "restarts")
    wait_for(lambda: g.metric("opitios_http_connections") <= 1, 5, "connections to be gone")


if __name__ == "__main__":
    run_file(globals())
