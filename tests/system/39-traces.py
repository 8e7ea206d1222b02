"""39-traces.py - traces: taken on, kept together over all processes, exported as OTLP, and never in anybody's way."""
import contextlib
import gzip
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from harness import BUILD, ROOT, Client, Replay, Skip, check, equal, run_file, wait_for
from servers_postgres import Postgres
from servers_redis import Redis

DEMO = ROOT / "tests/recordings/every-endpoint"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
TOKEN = "tok-never-to-be-seen-71c9"
QUOTE = "/api/v1/stocks/AAPL/quote?feed=iex"
FRESH = QUOTE + "&max_age_seconds=0"


# What is sent, decoded by the wire alone; the official decoders look at the same bytes in a test of their own.
def wire(data):
    """[(field, value)]: numbers, or bytes."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = int.from_bytes(data[at:at + size], "little")
            at += size
        else:
            check(kind == 2, "wire type", kind)
            size = varint()
            check(at + size <= len(data), "a length beyond the end")
            value = data[at:at + size]
            at += size
        found.append((tag >> 3, value))
    return found


def one(fields, number, otherwise=None):
    return next((v for n, v in fields if n == number), otherwise)


def attributes(fields, number):
    found = {}
    for pair in (wire(v) for n, v in fields if n == number):
        kind, value = wire(one(pair, 2))[0]
        found[one(pair, 1).decode()] = value.decode() if kind == 1 else value
    return found


def span_of(data, resource):
    f = wire(data)
    status = wire(one(f, 15, b""))
    return {"trace": one(f, 1).hex(), "id": one(f, 2).hex(), "state": one(f, 3, b"").decode(), "parent": one(f, 4, b"").hex(),
            "name": one(f, 5).decode(), "kind": one(f, 6), "start": one(f, 7), "end": one(f, 8),
            "attributes": attributes(f, 9), "links": [(one(wire(v), 1).hex(), one(wire(v), 2).hex(), one(wire(v), 6, 0)) for n, v in f if n == 13],
            "status": one(status, 3, 0), "reason": one(status, 2, b"").decode(), "flags": one(f, 16), "resource": resource}


def spans_of(body):
    for _, resource_spans in wire(body):
        f = wire(resource_spans)
        resource = attributes(wire(one(f, 1)), 1)
        for scope_spans in (wire(v) for n, v in f if n == 2):
            for n, v in scope_spans:
                if n == 2:
                    yield span_of(v, resource)


class Collector:
    """Takes exports; `answers` are what it says to the next ones, then 200. None: it takes a request and never answers."""

    def __init__(self, answers=(), stuck=False, port=0):
        collector = self
        self.bodies, self.headers, self.times, self.answers, self.stuck = [], [], [], list(answers), stuck
        self.tried = []     # the body of every request, taken or not
        self.answer, self.over, self.connections, self.sizes = b"", threading.Event(), [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                collector.connections.append(self.request)
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.sizes.append(len(body))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.times.append(time.monotonic())
                collector.tried.append(body)
                if collector.stuck:
                    collector.over.wait(60)
                    return
                status, more = collector.answers.pop(0) if collector.answers else (200, {})
                if status == 200:
                    collector.headers.append((self.path, dict(self.headers)))
                    collector.bodies.append(body)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                answer, collector.answer = collector.answer, b""
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def spans(self):
        return [s for body in list(self.bodies) for s in spans_of(body)]

    def wait(self, condition, what, seconds=8):
        """The spans, once `condition` of them is true."""
        def look():
            spans = self.spans()
            return condition(spans) and spans
        return wait_for(look, seconds, what, 0.02)

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        for s in self.connections:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


def traced(scene, collector, settings=(), env=None, port=None, **kw):
    if collector:
        scene.started.append(collector)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port or collector.port}/", **(env or {})}
    _, g = scene.pair(DEMO, settings=("--trace.delay=20ms", "--history.wait=0", *settings), env=environment, **kw)

    def wired():
        """To all of them: the last in the row has told of a commit."""
        g.ask(FRESH)
        return all(g.metric("opitios_trace_spans_total", role=r) > 0 for r in ("http", "fetcher", "cache-writer"))
    wait_for(wired, 10, "the tracer to be wired", 0.03)
    return g


def named(spans, name, trace=TRACE):
    return [s for s in spans if s["name"] == name and s["trace"] == trace]


WANTED = ("GET /api/v1/stocks/{symbol}/quote", "cache lookup", "GET stock_quote", "journal append", "store commit")


def has_all(spans, trace=TRACE):
    return all(named(spans, name, trace) for name in WANTED)


def test_one_trace_runs_through_all_processes(scene):
    c = Collector()
    g = traced(scene, c, settings=("--log.access=full", "--log.level=debug"),
               env={"OTEL_SERVICE_NAME": "quotes at the desk", "OTEL_RESOURCE_ATTRIBUTES": "team=a%2Cb,service.name=other, zone = eu",
                    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN},x-tenant=7"})
    before = time.time_ns()
    a = g.ask(FRESH, headers={**PARENT, "tracestate": "rojo=1,congo=t61", "X-Request-Id": "traced-1"})
    equal(a.status, 200)
    own = re.fullmatch(rf"00-{TRACE}-(\w{{16}})-01", a.headers["traceparent"])
    check(own and own[1] != SPAN, "the answer names our span", a.headers)
    spans = c.wait(has_all, "all five spans")
    after = time.time_ns()
    request, lookup, call, journal, store = (named(spans, name)[0] for name in WANTED)
    equal((request["id"], request["parent"], request["kind"], request["state"]), (own[1], SPAN, 2, "rojo=1,congo=t61"))
    equal((lookup["parent"], call["parent"], journal["parent"], store["parent"]),
          (request["id"], request["id"], call["id"], journal["id"]), "parents")
    equal((call["kind"], lookup["kind"], request["flags"], call["flags"]), (3, 1, 0x301, 0x101))
    equal(len({s["id"] for s in spans}), len(spans), "every id once")
    for s in (request, lookup, call, journal, store):
        check(before - 5e9 < s["start"] <= s["end"] < after + 5e9, "times", s["name"], s["start"], s["end"])
        equal(s["status"], 0, s["name"])
    check(request["start"] <= lookup["start"] <= call["start"] and call["end"] <= request["end"] + 1e6, "order")
    equal({k: request["attributes"][k] for k in ("http.request.method", "http.route", "url.path", "http.response.status_code",
                                                 "opitios.request_id", "opitios.symbol", "opitios.cache", "opitios.slot")},
          {"http.request.method": "GET", "http.route": "/api/v1/stocks/{symbol}/quote", "url.path": "/api/v1/stocks/AAPL/quote",
           "http.response.status_code": 200, "opitios.request_id": "traced-1", "opitios.symbol": "AAPL", "opitios.cache": "miss",
           "opitios.slot": "http-0"})
    equal((lookup["attributes"]["opitios.cache"], call["attributes"]["opitios.slot"], store["attributes"]["db.system.name"]),
          ("miss", "fetcher-rest", "sqlite"))
    resource = request["resource"]
    equal((resource["service.name"], resource["team"], resource["zone"]), ("quotes at the desk", "a,b", "eu"))
    check(all(resource.get(n) for n in ("service.version", "service.instance.id", "host.name")), resource)
    path, headers = c.headers[0]
    equal((path, headers["authorization"], headers["x-tenant"], headers["Content-Type"]),
          ("/v1/traces", f"Bearer {TOKEN}", "7", "application/x-protobuf"))
    check("Content-Encoding" not in headers, "packed without being told to", headers)
    equal(g.metric("opitios_trace_spans_dropped_total", lost="queue"), 0)
    g.stop()
    log = g.log_path.read_text()
    check(TOKEN not in log, "the collector's token in a log")
    lines = [json.loads(line) for line in log.splitlines()]
    access = next(line for line in lines if line["message"] == "access" and line["request_id"] == "traced-1")
    equal((access["trace_id"], access["span_id"]), (TRACE, request["id"]))


def test_contexts_of_strangers_are_checked(scene):
    c = Collector()
    g = traced(scene, c, env={"OTEL_EXPORTER_OTLP_HEADERS": f"Bearer {TOKEN}", "OTEL_TRACES_SAMPLER": "jaeger_remote"})
    ignored = lambda: g.metric("opitios_trace_context_ignored_total")  # noqa: E731
    before = ignored()
    for bad in (f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x", f"00-{TRACE.upper()}-{SPAN}-01", "x" * 4000,
                f"00-{'0' * 32}-{SPAN}-01"):
        a = g.ask("/livez", headers={"traceparent": bad})
        equal(a.status, 200)
        check(TRACE not in a.headers["traceparent"], "a malformed one was taken on", bad[:60])
    equal(ignored() - before, 5)
    future = g.ask("/livez", headers={"traceparent": f"cc-{TRACE}-{SPAN}-01-more"}).headers["traceparent"]
    check(future.startswith(f"00-{TRACE}-"), "a later version is taken on as 00", future)
    unsampled = g.ask(QUOTE, headers={"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00"}).headers["traceparent"]
    check(re.fullmatch(rf"00-{TRACE[::-1]}-\w{{16}}-00", unsampled), unsampled)
    many = ",".join(f"k{i}=v" for i in range(33))
    last = "1" * 31 + "2"
    before = ignored()
    equal(g.ask(QUOTE, headers={"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00", "tracestate": many}).status, 200)
    equal(ignored() - before, 1, "counted also where nothing is recorded")
    equal(g.ask(QUOTE, headers={"traceparent": f"00-{last}-{SPAN}-01", "tracestate": many}).status, 200)
    spans = c.wait(lambda s: any(x["trace"] == last and x["kind"] == 2 for x in s), "the last one's span")
    equal(next(x["state"] for x in spans if x["trace"] == last and x["kind"] == 2), "", "33 members are no tracestate")
    check(not [s for s in spans if s["trace"] == TRACE[::-1]], "what its parent does not sample is not recorded")
    root = [s for s in spans if s["name"] == "GET /livez" and not s["parent"]]
    check(root and root[0]["flags"] == 0x103, "a trace that begins here", root[:1])
    # So is an environment made for others: told without showing a secret, and left out.
    check("authorization" not in {name.lower() for name in c.headers[0][1]}, c.headers[0])
    log = g.log_path.read_text()
    check("trace.headers (OTEL_EXPORTER_OTLP_HEADERS)" in log and TOKEN not in log, log[-2000:])
    check('trace.sampler: "jaeger_remote"' in log.replace('\\"', '"'), log[:2000])


def test_an_export_is_set_up_by_the_names_of_opentelemetry(scene):
    c = Collector()
    scene.started.append(c)
    _, g = scene.pair(DEMO, settings=("--history.wait=0",), env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{c.port}", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=never,x-other=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization=Bearer%20{TOKEN}",
        "OTEL_BSP_SCHEDULE_DELAY": "30", "OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "never", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "150", "OTEL_BSP_EXPORT_TIMEOUT": "300"})

    def told(spans):
        g.ask(QUOTE, headers=PARENT)
        return len(named(spans, "cache lookup")) >= 12
    c.wait(told, "spans within the delay that was set")
    path, headers = c.headers[-1]
    equal((headers["Content-Encoding"], headers["authorization"], headers.get("x-other")), ("gzip", f"Bearer {TOKEN}", None))
    check(all(len(list(spans_of(body))) <= 4 for body in c.bodies), "batches")
    check(c.sizes[-1] < len(c.bodies[-1]), "not a byte less", c.sizes[-1], len(c.bodies[-1]))
    # A collector that stands still: a try takes 150 ms, and there is no time for a second one.
    c.stuck = True
    before, begun = len(c.tried), time.monotonic()
    lost = lambda: g.metric("opitios_trace_spans_dropped_total", lost="failed")  # noqa: E731
    g.ask(QUOTE, headers=PARENT)
    wait_for(lambda: lost() > 0, 5, "a batch to be given up")
    check(time.monotonic() - begun < 4, "how long", time.monotonic() - begun)
    tried = c.tried[before:]    # of what it stood still for; a machine that is busy may have come to the next batch
    check(tried and len(set(tried)) == len(tried), "a second try", len(tried))
    log = g.log_path.read_text()
    check("trace.timeout: the value is no whole number of milliseconds (from OTEL_EXPORTER_OTLP_TIMEOUT)" not in log, "nobody needed it")
    check(TOKEN not in log and "never" not in log.replace("OTEL", ""), "a header's value in a log")
    equal(g.stop(), 0)
    _, g = scene.pair(DEMO, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "soon",
                                 "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
                                 "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization: Bearer {TOKEN}="})
    wait_for(lambda: "trace.headers (OTEL_EXPORTER_OTLP_HEADERS)" in g.log_path.read_text(), 5, "a header that is none to be told")
    log = g.log_path.read_text()
    check(TOKEN not in log, "a secret in a log")
    for name in ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_EXPORTER_OTLP_COMPRESSION"):
        check(re.search(rf"{name}\W*; left out", log), name, log[:1500])


def test_an_upstream_is_told_only_where_that_is_set(scene):
    calls, over = [], threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def serve():
        while not over.is_set():
            with contextlib.suppress(OSError):
                s, _ = listener.accept()
                with s:
                    s.settimeout(5)
                    calls.append(s.recv(65536).decode())
                    s.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    threading.Thread(target=serve, daemon=True).start()
    c = Collector()
    scene.started.append(c)
    try:
        for setting, wanted in (("false", False), ("true", True)):
            g = scene.gateway(listener.getsockname()[1], settings=(f"--trace.upstream={setting}", "--history.wait=0", "--trace.delay=20ms"),
                              env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{c.port}"})
            wait_for(lambda: g.ask("/livez").headers.get("traceparent"), 10, "the tracer")
            g.ask("/api/v1/stocks/MSFT/quote", headers={**PARENT, "tracestate": "rojo=1"})
            g.ask("/api/v1/stocks/IBM/quote", headers={**PARENT, "tracestate": "no member"})
            equal(g.metric("opitios_trace_context_ignored_total"), 1)
            g.stop()
            call = next(x for x in reversed(calls) if "MSFT" in x and "quotes" in x)
            equal("traceparent:" in call.lower(), wanted, call)
            if wanted:
                span = re.search(rf"traceparent: 00-{TRACE}-(\w{{16}})-01\r\n", call)
                check(span and "tracestate: rojo=1\r\n" in call, call)
                mine = c.wait(lambda s: [x for x in s if x["id"] == span[1]], "the span the upstream was told of")
                failed = next(x for x in mine if x["id"] == span[1])
                equal((failed["kind"], failed["name"], failed["status"]), (3, "GET stock_quote", 2))
                check(failed["reason"] and failed["attributes"]["http.response.status_code"] == 404, failed)
            calls.clear()
    finally:
        over.set()
        listener.close()


def test_without_a_collector_nothing_is_traced(scene):
    _, g = scene.pair(DEMO)
    check("traceparent" not in g.ask(QUOTE).headers, "an id of its own")
    equal(g.ask(QUOTE, headers=PARENT).headers["traceparent"], PARENT["traceparent"], "given back as it came")
    check("tracer" not in g.children(), "a tracer runs")
    equal(g.stop(), 0)
    _, g = scene.pair(DEMO, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"})
    check("tracer" not in g.children(), "a tracer runs")


def test_a_collector_that_is_busy_gets_everything_later_and_once(scene):
    c = Collector()
    g = traced(scene, c, settings=("--trace.batch=4",))
    lost = g.metric("opitios_trace_spans_dropped_total")
    wait_for(lambda: g.metric("opitios_trace_queue_spans") == 0, 5, "an empty queue")
    c.answers = [(503, {}), (429, {"Retry-After": "1"})]
    first = len(c.times)
    equal(g.ask(FRESH, headers=PARENT).status, 200)
    spans = c.wait(has_all, "the spans, after two refusals")
    equal(len({s["id"] for s in spans}), len(spans), "nothing twice")
    check(c.times[first + 2] - c.times[first + 1] >= 0.95, "Retry-After was not waited for", c.times)
    equal(g.metric("opitios_trace_spans_dropped_total"), lost)
    equal(g.metric("opitios_trace_exports_total", result="failed"), 2)
    wait_for(lambda: g.metric("opitios_trace_queue_spans") == 0, 5, "an empty queue")
    c.answers = [(401, {"Retry-After": "1"})]
    before = len(c.times)
    g.ask("/livez")
    wait_for(lambda: len(c.times) > before, 5, "an export")
    wait_for(lambda: g.metric("opitios_trace_spans_dropped_total", lost="refused") > 0, 5, "what was refused to be counted")
    # Of the next batch one span is not taken: partial_success.
    refused = g.metric("opitios_trace_spans_dropped_total", lost="refused")
    c.answer = bytes((0x0a, 2, 8, 1))
    for _ in range(8):  # full batches
        g.ask("/livez")
    wait_for(lambda: len(c.times) > before + 1, 5, "the next export")
    check(c.times[before + 1] - c.times[before] >= 0.95, "Retry-After was not waited for", c.times[before:])
    wait_for(lambda: g.metric("opitios_trace_spans_dropped_total", lost="refused") == refused + 1, 5, "the one that was not taken")


def parent_of(n):
    """A trace of its own by its number."""
    return {"traceparent": f"00-{n:032x}-{SPAN}-01"}


def waits(spans, name, n):
    """The spans of this name in that trace, and that they are the request's own."""
    trace = f"{n:032x}"
    request = [s for s in spans if s["trace"] == trace and s["kind"] == 2]
    found = named(spans, name, trace)
    if not request or not found:
        return []
    equal(len(request), 1, "a request's span, once")
    check(all(s["parent"] == request[0]["id"] for s in found), "parents", found, request)
    check(all(request[0]["start"] - 1e6 <= s["start"] <= s["end"] <= request[0]["end"] + 1e6 for s in found), "times", found, request)
    return found


def outcome(span):
    return span["attributes"]["opitios.outcome"], span["status"], span["attributes"].get("error.type")


def leave_soon(s, path, n, seconds):
    """Asks, and is gone before it is answered: by a reset, as an end alone may be that of a client who still listens."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\ntraceparent: {parent_of(n)['traceparent']}\r\n\r\n".encode())
    time.sleep(seconds)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def together(g, path, *numbers, pause=0.0):
    """Asks the same in these traces at once, in this order."""
    found = {}
    threads = []
    for n in numbers:
        threads.append(threading.Thread(target=lambda n=n: found.update({n: g.ask(path, headers=parent_of(n))}), daemon=True))
        threads[-1].start()
        time.sleep(pause)
    for t in threads:
        t.join(20)
    return [found[n] for n in numbers]


def test_who_joins_another_s_fetch_is_linked_to_it(scene):
    c = Collector()
    g = traced(scene, c)
    replay = next(x for x in scene.started if isinstance(x, Replay))
    replay.fault("slow", delay_ms=400)
    leaver = socket.create_connection(("127.0.0.1", g.port))

    def leave():
        time.sleep(0.15)
        leave_soon(leaver, FRESH, 13, 0.1)
    t = threading.Thread(target=leave, daemon=True)
    t.start()
    answers = together(g, FRESH, 11, 12, pause=0.05)
    t.join(5)
    equal([a.status for a in answers], [200, 200])
    spans = c.wait(lambda s: waits(s, "joined fetch", 12) and waits(s, "joined fetch", 13) and named(s, "GET stock_quote", f"{11:032x}"),
                   "what joined, and what it joined")
    joined, left = waits(spans, "joined fetch", 12), waits(spans, "joined fetch", 13)
    leader = next(s for s in spans if s["trace"] == f"{11:032x}" and s["kind"] == 2)
    equal((len(joined), joined[0]["kind"], joined[0]["links"]), (1, 1, [(leader["trace"], leader["id"], 0x101)]))
    equal((outcome(joined[0]), len(left), outcome(left[0]), left[0]["links"]),
          (("answered", 0, None), 1, ("left", 2, "left"), joined[0]["links"]))
    equal(named(spans, "joined fetch", f"{11:032x}"), [], "who asks first joins nobody")
    check(joined[0]["end"] - joined[0]["start"] > 100e6, "it waited", joined)
    # One that is on its way when the gateway ends is answered, and its spans leave with it.
    replay.fault("slow", delay_ms=400)
    t = threading.Thread(target=lambda: answers.extend(together(g, FRESH, 14, 15, pause=0.05)), daemon=True)
    t.start()
    time.sleep(0.2)
    equal(g.stop(), 0)
    t.join(10)
    equal([a.status for a in answers], [200] * 4)
    spans = c.wait(lambda s: waits(s, "joined fetch", 15), "a span of a worker that drains")
    equal(len(waits(spans, "joined fetch", 15)), 1)
    equal(len({s["id"] for s in spans}), len(spans), "every id once")


def test_reads_of_redis_say_what_they_came_to(scene):
    redis, c = Redis(scene), Collector()
    g = traced(scene, c, settings=("--redis.wait=300ms", "--freshness.quote=1h", "--freshness.closed=1h"), env={"REDIS_URL": redis.url()})
    wait_for(lambda: g.metric("opitios_redis_up", role="http") == 1, 10, "the http worker to find Redis")
    held = json.loads(wait_for(lambda: redis.ask("HGET", "opitios:v2:quote:AAPL", "iex"), 5, "a value in Redis"))
    put = lambda symbol, text: redis.ask("HSET", f"opitios:v2:quote:{symbol}", "iex", text)  # noqa: E731
    put("MSFT", json.dumps({**held, "symbol": "MSFT"}))
    put("IBM", "no JSON")
    quote = "/api/v1/stocks/{}/quote?feed=iex".format
    for n, (path, wanted) in enumerate(((quote("ZZZZ"), ("miss", 0, None)), (quote("MSFT"), ("hit", 0, None)),
                                        (FRESH, ("expired", 0, None)), (quote("IBM"), ("refused", 0, None))), 21):
        g.ask(path, headers=parent_of(n))
        read = c.wait(lambda s, n=n: waits(s, "redis lookup", n), path)
        read = waits(read, "redis lookup", n)
        equal((len(read), outcome(read[0]), read[0]["kind"], read[0]["attributes"]["db.system.name"], read[0]["links"]),
              (1, wanted, 3, "redis", []), path)
    redis.pause()
    try:
        leave_soon(socket.create_connection(("127.0.0.1", g.port)), quote("ONEB"), 34, 0.03)
        together(g, quote("ONEA"), 31, 32)
        g.ask(quote("ONEB"), headers=parent_of(33))
    finally:
        redis.resume()
    spans = c.wait(lambda s: all(waits(s, "redis lookup", n) for n in (31, 32, 33, 34)), "reads of a Redis that stands still")
    first, second = waits(spans, "redis lookup", 31), waits(spans, "redis lookup", 32)
    equal([(len(r), outcome(r[0])) for r in (first, second)], [(1, ("timeout", 2, "timeout"))] * 2)
    check(all(50e6 < r[0]["end"] - r[0]["start"] < 2e9 for r in (first, second)), "how long it was waited for", first, second)
    leads, joins = (first[0], second[0]) if second[0]["links"] else (second[0], first[0])
    equal((leads["links"], joins["links"]), ([], [(leads["trace"], leads["parent"], 0x101)]), "one read, and who joined it")
    left = waits(spans, "redis lookup", 34)
    equal((len(left), outcome(left[0])), (1, ("left", 2, "left")))
    refused = waits(spans, "redis lookup", 33)
    equal((len(refused), outcome(refused[0])), (1, ("breaker_open", 2, "breaker_open")))
    check(refused[0]["end"] - refused[0]["start"] < 50e6, "nobody waits at an open breaker", refused)


def test_reads_of_the_store_say_how_many_rows_and_what_went_wrong(scene):
    with Postgres() as pg:
        reads_of_the_store(scene, pg)


def reads_of_the_store(scene, pg):
    c = Collector()
    g = traced(scene, c, settings=("--history.wait=300ms", "--freshness.bars=0", "--freshness.closed=0"), env={"POSTGRES_URL": pg.url()})
    bars = "/api/v1/stocks/AAPL/bars?timeframe=1Day&start=2024-03-04&end=2024-03-06"

    def read(n):
        found = waits(c.wait(lambda s: waits(s, "history read", n), f"a read, {n}"), "history read", n)
        equal((len(found), found[0]["kind"], found[0]["attributes"]["db.system.name"]), (1, 3, "postgresql"), found)
        return found[0]
    first = g.ask(bars, headers=parent_of(41))
    equal((first.status, first.headers["x-cache-status"]), (200, "miss"))
    equal(outcome(read(41)), ("miss", 0, None))
    wait_for(lambda: g.ask(bars).headers["x-cache-status"] == "store", 5, "the store to have it")
    equal(g.ask(bars, headers=parent_of(42)).headers["x-cache-status"], "store")
    hit = read(42)
    equal((outcome(hit), hit["attributes"]["opitios.count"]), (("hit", 0, None), first.json["data"]["count"]))
    children = subprocess.run(["pgrep", "-P", str(pg.process.pid)], capture_output=True, text=True).stdout.split()
    stopped = [pg.process.pid, *map(int, children)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        leave_soon(socket.create_connection(("127.0.0.1", g.port)), bars, 43, 0.05)
        for n in (44, 45, 46, 47):
            equal(g.ask(bars, headers=parent_of(n)).status, 200)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    equal(outcome(read(43)), ("left", 2, "left"))
    equal([outcome(read(n)) for n in (44, 45, 46)], [("timeout", 2, "timeout")] * 3)
    check(read(44)["reason"], read(44))
    equal(outcome(read(47)), ("breaker_open", 2, "breaker_open"))
    g.stop()


def slowest(g, n=200):
    client, worst = Client(g.port), []
    for i in range(n):
        a = client.ask(QUOTE, headers={"traceparent": f"00-{i + 1:032x}-{SPAN}-01"})
        equal(a.status, 200)
        worst.append(a.seconds)
    client.close()
    return sorted(worst)[n // 2]


def test_a_stuck_collector_harms_nobody(scene):
    c = Collector(stuck=True)
    g = traced(scene, c, settings=("--trace.queue=64", "--trace.batch=16"))
    slowest(g, 20)
    usual = slowest(g)
    wait_for(lambda: c.times, 5, "an export that is never answered")
    dropped = lambda **k: g.metric("opitios_trace_spans_dropped_total", **k)  # noqa: E731
    median = slowest(g)
    check(median < 0.02 and median < usual * 5 + 0.005, "answers got slow", usual, median)
    wait_for(lambda: dropped(lost="queue") > 100, 5, "drops to be counted")
    check(g.metric("opitios_trace_queue_spans") <= 64 + 16, "a bounded queue")
    # The tracer itself dies.
    pid = g.children()["tracer"]
    os.kill(pid, signal.SIGKILL)
    median = slowest(g, 50)
    check(median < 0.02, "answers got slow", median)
    wait_for(lambda: g.children().get("tracer", pid) != pid, 10, "another tracer")
    equal(g.ask("/readyz").status, 200)
    begun = time.monotonic()
    equal(g.stop(), 0)
    check(time.monotonic() - begun < 6, "the end waited for the collector")


def test_a_tracer_that_hangs_costs_its_spans_alone(scene):
    c = Collector()
    g = traced(scene, c, settings=("--supervisor.hang_timeout=0",))
    pid = g.children()["tracer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        clients = [threading.Thread(target=slowest, args=(g, 1500), daemon=True) for _ in range(3)]
        for t in clients:
            t.start()
        for t in clients:
            t.join(30)
        wait_for(lambda: g.metric("opitios_trace_spans_dropped_total", lost="channel", role="http") > 0, 5, "drops")
        check(slowest(g, 50) < 0.02, "answers got slow")
    finally:
        os.kill(pid, signal.SIGCONT)

    def told(spans):
        g.ask(FRESH, headers=PARENT)  # the first ones may find the queue full of what had waited
        time.sleep(0.05)
        return has_all(spans)
    c.wait(told, "spans, once it goes on")


def test_a_reload_renews_the_tracer(scene):
    c = Collector()
    conf = scene.folder / "gateway.conf"
    conf.write_text("[trace]\nservice_name=before\n")
    g = traced(scene, c, settings=(f"--config={conf}",))
    conf.write_text("[trace]\nservice_name=after\n")
    pid = g.children()["tracer"]
    g.process.send_signal(signal.SIGHUP)
    wait_for(lambda: g.children().get("tracer", pid) != pid, 10, "another tracer")

    def after(spans):
        g.ask("/livez")
        return [s for s in spans if s["resource"]["service.name"] == "after"]
    c.wait(after, "spans under the new name")


def test_an_upgrade_goes_on_tracing(scene):
    c = Collector()
    g = traced(scene, c)
    before = g.children()
    g.process.send_signal(signal.SIGUSR2)

    def renewed():
        now = g.children()
        return len(now) == len(before) and not set(now.values()) & set(before.values())
    wait_for(renewed, 15, "new workers")

    def told(spans):
        g.ask(FRESH, headers=PARENT)
        time.sleep(0.05)
        return has_all(spans)
    c.wait(told, "spans of the new ones")
    equal(g.stop(), 0)


def test_a_collector_that_dies_in_the_middle_is_found_again(scene):
    c = Collector()
    g = traced(scene, c)
    lost = g.metric("opitios_trace_spans_dropped_total")
    g.ask(FRESH, headers=PARENT)
    c.wait(has_all, "the first spans")
    port = c.port
    c.stop()
    scene.started.remove(c)
    equal(g.ask(QUOTE, headers={"traceparent": f"00-{'3' * 32}-{SPAN}-01"}).status, 200)
    wait_for(lambda: g.metric("opitios_trace_exports_total", result="failed") > 0, 5, "an export that failed")
    again = Collector(port=port)
    scene.started.append(again)
    again.wait(lambda s: any(x["trace"] == "3" * 32 for x in s), "what was recorded meanwhile")
    equal(g.metric("opitios_trace_spans_dropped_total"), lost)


DECODE = """
const { opentelemetry } = require(process.argv[1] + "/node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js");
const Request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
const body = require("fs").readFileSync(process.argv[2]);
const o = Request.toObject(Request.decode(body), { longs: String, bytes: Array, enums: String });
process.stdout.write(JSON.stringify(o));
"""


def official_begin():
    """Has npm fetch the official decoders, once a build, while the other tests run. None: they are there, or there is no npm."""
    folder = BUILD / "otlp"
    if not shutil.which("npm") or not shutil.which("node") or (folder / "done").exists():
        return None
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(["timeout", "60", "npm", "install", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--no-audit",
                             "--no-fund", "--no-package-lock", "--ignore-scripts", "@opentelemetry/otlp-transformer@0.57.2"],
                            cwd=folder, stdin=subprocess.DEVNULL, stdout=open(folder / "npm.log", "w"), stderr=subprocess.STDOUT)


def official():
    """The folder with the official decoders."""
    folder = BUILD / "otlp"
    if fetching and fetching.wait(70) == 0:
        (folder / "done").touch()
    if not (folder / "done").exists():
        raise Skip("npm could not install the official decoders: "
                   + ((folder / "npm.log").read_text()[-200:] if fetching else "there is no npm here"))
    return folder


def test_the_official_decoders_read_the_same(scene):
    folder = official()
    c = Collector()
    g = traced(scene, c, env={"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip"})
    equal(g.ask(FRESH, headers={**PARENT, "tracestate": "rojo=1"}).status, 200)
    equal(g.ask("/api/v1/stocks/ZZZZ/quote", headers=PARENT).status, 404)
    next(x for x in scene.started if isinstance(x, Replay)).fault("slow", count=1, delay_ms=200)
    together(g, FRESH, 51, 52, pause=0.05)
    c.wait(lambda s: has_all(s) and waits(s, "joined fetch", 52), "all spans")
    hexed = lambda b: bytes(b).hex()  # noqa: E731
    count = 0
    check(all(headers["Content-Encoding"] == "gzip" for _, headers in c.headers), c.headers[0])
    for i, body in enumerate(list(c.bodies)):
        path = scene.folder / f"body-{i}"
        path.write_bytes(body)
        r = subprocess.run(["node", "-e", DECODE, str(folder), str(path)], capture_output=True, text=True, timeout=20)
        equal(r.returncode, 0, r.stderr[-500:])
        decoded = json.loads(r.stdout)["resourceSpans"]
        equal(len(decoded), 1)
        names = {a["key"]: a["value"]["stringValue"] for a in decoded[0]["resource"]["attributes"]}
        equal(decoded[0]["scopeSpans"][0]["scope"]["name"], "opitios-alpaca")
        theirs = decoded[0]["scopeSpans"][0]["spans"]
        for t, ours in zip(theirs, spans_of(body), strict=True):
            count += 1
            equal((hexed(t["traceId"]), hexed(t["spanId"]), hexed(t.get("parentSpanId", [])), t["name"]),
                  (ours["trace"], ours["id"], ours["parent"], ours["name"]))
            equal((int(t["startTimeUnixNano"]), int(t["endTimeUnixNano"]), t.get("traceState", "")),
                  (ours["start"], ours["end"], ours["state"]))
            equal([(hexed(li["traceId"]), hexed(li["spanId"])) for li in t.get("links", [])], [li[:2] for li in ours["links"]])
            kinds = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3}
            equal((kinds.get(t["kind"], t["kind"]), names), (ours["kind"], ours["resource"]))
            equal(str(t.get("status", {}).get("code", 0)).endswith("ERROR") or t.get("status", {}).get("code", 0) == 2, ours["status"] == 2)
            equal({a["key"]: next(iter(a["value"].values())) for a in t["attributes"]},
                  {k: str(v) if isinstance(v, int) else v for k, v in ours["attributes"].items()})
    check(count >= 5, "spans", count)


if __name__ == "__main__":
    fetching = official_begin()
    run_file(globals())
