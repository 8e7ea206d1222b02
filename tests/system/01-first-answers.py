"""What a new user sees: the bundled recording, health, metrics, the errors of unknown and malformed symbols."""
import csv
import json
import re
import subprocess

from harness import BUILD, ROOT, ask, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"


def test_daily_bars_of_the_recording_come_out_as_recorded(scene):
    _, g = scene.pair(DEMO)
    a = g.ask("/api/v1/stocks/GOOG/bars?timeframe=1Day&start=2004-08-19&limit=5")
    equal(a.status, 200, a)
    rows = list(csv.DictReader(open(DEMO / "bars-1Day-GOOG.csv")))[:5]
    bars = json.loads(a.body, parse_float=str, parse_int=str)["data"]["bars"]
    equal(len(bars), 5, "bars")
    for row, bar in zip(rows, bars):
        for key in ("open", "high", "low", "close", "volume"):
            equal(float(bar[key]), float(row[key]), key)
        equal(bar["vwap"], None, "vwap was not recorded")
        equal(bar["trade_count"], None, "trade count was not recorded")
    equal(a.json["metadata"]["data_source"], "replay")
    equal(a.json["metadata"]["cache"], "miss")
    equal(a.headers["x-data-source"], "replay")
    again = g.ask("/api/v1/stocks/GOOG/bars?timeframe=1Day&start=2004-08-19&limit=5")
    equal(again.json["metadata"]["cache"], "l1")
    equal(again.json["data"], a.json["data"])


def test_bars_without_a_start_are_the_last_ones_in_order(scene):
    _, g = scene.pair(DEMO)
    a = g.ask("/api/v1/stocks/GOOG/bars?timeframe=1Day&limit=5")
    equal(a.status, 200, a)
    times = [b["timestamp"] for b in a.json["data"]["bars"]]
    equal(times, sorted(times), "order")
    check(times[-1].startswith("2008-10-14"), times)


def test_a_recording_without_quotes_has_no_quote(scene):
    _, g = scene.pair(DEMO)
    a = g.ask("/api/v1/stocks/GOOG/quote")
    equal(a.status, 404, a)
    equal(a.json["error"]["code"], "REAL_DATA_UNAVAILABLE")
    equal(a.json["metadata"]["endpoint"], "/api/v1/stocks/GOOG/quote")
    check(a.json["metadata"]["suggested_action"], a)


def test_an_unknown_symbol_is_404_and_a_malformed_one_400(scene):
    _, g = scene.pair(DEMO)
    for path in ("quote", "trade", "snapshot", "bars"):
        a = g.ask(f"/api/v1/stocks/ZZZZ/{path}")
        equal((a.status, a.json["error"]["code"]), (404, "SYMBOL_NOT_FOUND"), path)
        check(a.seconds < 0.5, path, "took", a.seconds)
        for bad in ("G00G", "TOOLONG", "A.B.C", "%20", "A%00B", "..%2f"):
            a = g.ask(f"/api/v1/stocks/{bad}/{path}")
            equal((a.status, a.json["error"]["code"]), (400, "INVALID_SYMBOL_FORMAT"), f"{bad}/{path}")


def test_health_names_every_worker_and_check(scene):
    _, g = scene.pair(DEMO, workers=2)

    def settled():
        d = g.ask("/api/v1/health/detailed").json
        return d if d["status"] == "healthy" and all(c["status"] == "healthy" for c in d["checks"].values()) else None
    d = wait_for(settled, 15, "everything to be healthy")
    equal(d["status"], "healthy", d)
    equal(sorted(w["slot"] for w in d["workers"]), ["cache-writer", "fetcher-rest", "http-0", "http-1"])
    for w in d["workers"]:
        equal((w["state"], w["restarts"]), ("ready", 0), w["slot"])
    equal({w["slot"]: w["pid"] for w in d["workers"]}, g.children(), "pids")
    for name in ("database", "cache", "external_api"):
        c = d["checks"][name]
        equal(c["status"], "healthy", name)
        check(c["response_time_ms"] is not None and c["response_time_ms"] >= 0, name, c)
    simple = g.ask("/api/v1/health").json
    equal(sorted(simple), ["service", "status", "timestamp", "version"])
    for path in ("/livez", "/readyz", "/startupz"):
        equal(g.ask(path).status, 200, path)


def test_metrics_carry_worker_labels_and_count_what_was_asked(scene):
    _, g = scene.pair(DEMO, workers=2)
    for _ in range(20):
        g.ask("/api/v1/stocks/GOOG/bars?limit=3")
    g.ask("/api/v1/stocks/ZZZZ/quote")
    route = "/api/v1/stocks/{symbol}/bars"
    equal(g.metric("opitios_http_requests_total", route=route, code="200"), 20)
    equal(g.metric("opitios_http_requests_total", route="/api/v1/stocks/{symbol}/quote", code="404"), 1)
    wait_for(lambda: g.metric("opitios_worker_up") == 4, 5, "four workers up")
    check(g.metric("opitios_upstream_requests_total", endpoint="stock_bars", outcome="ok") in (1, 2), "one call a worker at most")
    text = g.metrics()
    for worker, role in (("http-0", "http"), ("http-1", "http"), ("fetcher-rest", "fetcher"), ("cache-writer", "cache-writer")):
        check(f'opitios_worker_up{{worker="{worker}",role="{role}"}} 1' in text, worker)
    for line in text.splitlines():
        check(line.startswith("# ") or re.match(r'^[a-z_]+(\{([a-z0-9_]+="[^"]*",?)*\})? [-+0-9.eInfNa]+$', line), line)


def test_openapi_names_every_route(scene):
    _, g = scene.pair(DEMO)
    doc = g.ask("/openapi.json").json
    table = re.findall(r'^ROUTE\((\w+), "([^"]+)"', (ROOT / "include/tables/routes.def").read_text(), re.M)
    check(len(table) > 20)
    for method, path in table:
        check(method.lower() in doc["paths"][path], method, path)


def test_unknown_paths_methods_and_parameters_are_named(scene):
    _, g = scene.pair(DEMO)
    a = g.ask("/nothing/here")
    equal((a.status, a.json["error"]["code"]), (404, "NOT_FOUND"))
    a = g.ask("/api/v1/stocks/GOOG/bars", "DELETE")
    equal((a.status, a.json["error"]["code"]), (405, "METHOD_NOT_ALLOWED"))
    check("GET" in a.headers["allow"], a.headers)
    for query in ("limit=0", "limit=10001", "limit=x", "timeframe=3Fortnight", "nonsense=1", "sort=up", "adjustment=magic",
                  "max_age_seconds=-1", "page_token=" + "x" * 300):
        a = g.ask("/api/v1/stocks/GOOG/bars?" + query)
        equal((a.status, a.json["error"]["code"]), (400, "INVALID_PARAMETER"), query)
        check(query.split("=")[0] in a.body.decode(), query, a)
    for query in ("start=yesterday", "start=2008-02-30", "start=2008-02-02&end=2008-01-01"):
        a = g.ask("/api/v1/stocks/GOOG/bars?" + query)
        equal((a.status, a.json["error"]["code"]), (400, "INVALID_DATE_RANGE"), query)


def test_head_is_get_without_a_body_and_the_request_id_is_echoed(scene):
    _, g = scene.pair(DEMO)
    get = g.ask("/api/v1/market/status", headers={"X-Request-Id": "abc-123"})
    head = g.ask("/api/v1/market/status", "HEAD")
    equal((get.status, head.status, head.body), (200, 200, b""))
    equal(get.headers["x-request-id"], "abc-123")
    equal(get.json["metadata"]["request_id"], "abc-123")
    check(int(head.headers["content-length"]) > 100, head.headers)
    check(get.json["data"]["status"] in ("open", "closed"), get)
    for bad in ("x" * 300, "a b", 'a"b'):
        check(g.ask("/livez", headers={"X-Request-Id": bad}).headers.get("x-request-id") != bad, bad)


def test_bad_configuration_is_one_line_and_exit_78(scene):
    cases = [(["--http.workers=many"], {}, ("http.workers", "many")),
             ([], {"OPITIOS_HTTP_IDLE_TIMEOUT": "soon"}, ("http.idle_timeout", "soon", "OPITIOS_HTTP_IDLE_TIMEOUT")),
             ([], {"ALPACA_DATA_URL": "ftp://x"}, ("alpaca.data_url", "ftp://x")),
             (["--http.address=nowhere"], {}, ("http.address", "nowhere")),
             (["--no.such_key=1"], {}, ("no.such_key",)),
             (["--config", str(scene.folder / "none.ini")], {}, ("none.ini",))]
    for args, env, words in cases:
        p = subprocess.run([str(BUILD / "opitios-alpaca"), f"--state.dir={scene.folder}", *args], env={"PATH": "/usr/bin:/bin", **env},
                           capture_output=True, text=True, timeout=20)
        check(p.returncode in ((64, 78) if words == ("no.such_key",) else (78,)), args, env, "exit", p.returncode, p.stderr)
        equal(len(p.stderr.strip().splitlines()), 1, p.stderr)
        for w in words:
            check(w in p.stderr, w, "not in", p.stderr)


def test_a_second_master_and_a_taken_address_are_refused(scene):
    _, g = scene.pair(DEMO)
    p = subprocess.run([str(BUILD / "opitios-alpaca"), f"--state.dir={g.state}", "--http.address=127.0.0.1:0"], capture_output=True,
                       text=True, timeout=20)
    equal(p.returncode, 73, p.stderr)
    check(str(g.process.pid) in p.stderr, p.stderr)
    p = subprocess.run([str(BUILD / "opitios-alpaca"), f"--state.dir={scene.folder}/other", f"--http.address=127.0.0.1:{g.port}"],
                       capture_output=True, text=True, timeout=20)
    equal(p.returncode, 77, p.stderr)
    check(str(g.port) in p.stderr, p.stderr)


def test_the_whole_ends_cleanly(scene):
    r, g = scene.pair(DEMO)
    children = g.children()
    equal(len(children), 3, children)
    equal(g.stop(), 0, "exit code")
    equal(g.children(), {}, "children left")
    equal(r.stop(), 0, "replay's exit code")


if __name__ == "__main__":
    run_file(globals())
