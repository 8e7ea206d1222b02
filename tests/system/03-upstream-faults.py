"""What clients see when the upstream fails in each of the ways it can: the right code, in time, never a made-up value."""
import time

from harness import SECRET, KEY, ROOT, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
QUOTES = "/v2/stocks/quotes/latest"
GOOD = '{"quotes":{"%s":{"t":"2021-04-20T13:01:57.822745906Z","ax":"Q","ap":134.68,"as":1,"bx":"K","bp":134.66,"bs":29,"c":["R"],"z":"C"}}}'
FAST = ("--upstream.timeout=1s", "--upstream.retry_delay=20ms", "--upstream.breaker_failures=1000")


def expect(g, path, status, code, within=None):
    a = g.ask(path)
    equal((a.status, a.json.get("error", {}).get("code")), (status, code), path)
    check(within is None or a.seconds <= within, path, "took", a.seconds)
    if status == 503 and code != "UPSTREAM_AUTHENTICATION_FAILED":
        check(int(a.headers["retry-after"]) >= 1, a.headers)
        check(a.json["metadata"]["retry_after"] >= 1, a)
    return a


def test_failing_statuses_become_503_after_three_tries(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    r.fault("500", path=QUOTES)
    before = r.calls(QUOTES)
    expect(g, "/api/v1/stocks/AAPL/quote", 503, "UPSTREAM_SERVICE_ERROR", 1.5)
    equal(r.calls(QUOTES) - before, 3, "tries")


def test_one_failure_is_hidden_by_a_second_try(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    for kind in ("500", "429", "504", "cut", "drop_connection"):
        r.fault(kind, count=1, path=QUOTES)
        a = g.ask("/api/v1/stocks/GOOG/quote?max_age_seconds=0")
        equal((a.status, a.json["error"]["code"]), (404, "REAL_DATA_UNAVAILABLE"), kind)
        r.heal()


def test_silence_becomes_504_in_time(scene):
    r, g = scene.pair(DEMO, settings=("--upstream.timeout=300ms", "--upstream.retry_delay=10ms"))
    r.fault("hang", path=QUOTES)
    expect(g, "/api/v1/stocks/AAPL/quote", 504, "UPSTREAM_TIMEOUT", 3 * 0.3 + 0.5 + 0.3)


def test_a_refused_key_is_told_and_never_parsed_as_json(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    r.fault("html401", path=QUOTES)
    a = expect(g, "/api/v1/stocks/AAPL/quote", 503, "UPSTREAM_AUTHENTICATION_FAILED", 0.5)
    check(KEY not in a.body.decode() and SECRET not in a.body.decode(), a)


def test_a_plan_that_does_not_permit_is_403(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    r.fault("403", path="/v2/stocks/bars")
    expect(g, "/api/v1/stocks/GOOG/bars?feed=sip", 403, "NOT_ENTITLED", 0.5)


def test_bodies_that_break_the_schema_are_refused_not_repaired(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    broken = ['{"quotes":{"AAPL":{"t":"2021-04-20T13:01:57Z","ap":"134.68","as":1,"bp":134.66,"bs":29,"c":["R"]}}}',
              '{"quotes":{"AAPL":{"ap":134.68,"as":1,"bp":134.66,"bs":29}}}',
              '{"quotes":{"AAPL":{"t":"2021-04-20T13:01:57Z","ap":-1,"as":1,"bp":134.66,"bs":29}}}',
              '{"quotes":{"AAPL":{"t":"yesterday","ap":134.68,"as":1,"bp":134.66,"bs":29}}}',
              '{"quotes":{"AAPL":[1,2,3]}}', '{"quotes":[]}', '{"quotes":7}', '{}', '[]', 'null', '', '{"quotes":{"AAPL":{',
              '{"quotes":{"AAPL":{"t":"2021-04-20T13:01:57Z","ap":1e999,"as":1,"bp":134.66,"bs":29}}}', "[" * 5000,
              "<html>not json</html>"]
    for body in broken:
        r.body(QUOTES, body, count=3)
        expect(g, "/api/v1/stocks/AAPL/quote", 502, "DATA_VALIDATION_ERROR", 1.0)
        r.heal()
    check(g.metric("opitios_upstream_requests_total", endpoint="stock_quote", outcome="invalid") >= 1)
    equal(g.children()["fetcher-rest"], g.pid("fetcher-rest"))
    equal(g.workers()["fetcher-rest"]["restarts"], 0, "restarts")


def test_one_broken_record_refuses_its_symbol_only(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    good = GOOD % "GOOG"
    r.body(QUOTES, good[:-2] + ',"MSFT":{"t":"2021-04-20T13:01:57Z","ap":"x"}}}')
    a = g.ask("/api/v1/stocks/quotes?symbols=GOOG,MSFT")
    got = {e["symbol"]: e for e in a.json["data"]["quotes"]} if "quotes" in a.json["data"] else None
    check(got, a)
    equal(got["GOOG"]["status"], "ok", got)
    equal(got["MSFT"]["error"]["code"], "DATA_VALIDATION_ERROR", got)


def test_a_dead_upstream_is_503_within_half_a_second(scene):
    g = scene.gateway(1, settings=FAST)
    expect(g, "/api/v1/stocks/AAPL/quote", 503, "UPSTREAM_SERVICE_ERROR", 0.8)
    expect(g, "/api/v1/stocks/AAPL/bars", 503, "UPSTREAM_SERVICE_ERROR", 0.8)
    expect(g, "/api/v1/crypto/BTC-USD/quote", 503, "UPSTREAM_SERVICE_ERROR", 0.8)
    equal(g.ask("/livez").status, 200)


def test_the_breaker_opens_answers_at_once_and_closes_again(scene):
    r, g = scene.pair(DEMO, settings=("--upstream.breaker_failures=3", "--upstream.breaker_open=500ms", "--upstream.retry_delay=10ms"))
    r.fault("500", path=QUOTES)
    expect(g, "/api/v1/stocks/AAPL/quote", 503, "UPSTREAM_SERVICE_ERROR")
    before = r.calls(QUOTES)
    a = expect(g, "/api/v1/stocks/MSFT/quote", 503, "UPSTREAM_SERVICE_ERROR", 0.2)
    equal(r.calls(QUOTES), before, "an open breaker asks nothing")
    equal(g.metric("opitios_upstream_breaker_open", family="stock"), 1, a)
    # The clock, of another family, is well: without its own row health would forget the family that is not.
    h = g.ask("/api/v1/health/detailed").json
    check(h["status"] == "degraded" and "upstream_breaker_open" in h["reason_codes"], h)
    r.heal()
    wait_for(lambda: g.ask("/api/v1/stocks/GOOG/quote").json["error"]["code"] == "REAL_DATA_UNAVAILABLE", 10, "the breaker to close")
    equal(g.metric("opitios_upstream_breaker_open", family="stock"), 0)
    check("upstream_breaker_open" not in g.ask("/api/v1/health/detailed").json["reason_codes"])


def test_a_value_older_than_fresh_is_served_as_stale_when_upstream_fails(scene):
    r, g = scene.pair(DEMO, settings=(*FAST, "--freshness.quote=50ms", "--freshness.closed=50ms", "--freshness.stale_if_error=60s"))
    r.body(QUOTES, GOOD % "AAPL", count=1)
    first = g.ask("/api/v1/stocks/AAPL/quote")
    equal((first.status, first.json["metadata"]["cache"]), (200, "miss"), first)
    r.fault("500", path=QUOTES)
    wait_for(lambda: g.ask("/api/v1/stocks/AAPL/quote").json["metadata"]["cache"] == "stale", 5, "a stale answer")
    a = g.ask("/api/v1/stocks/AAPL/quote")
    equal(a.json["data"], first.json["data"])
    check(a.json["metadata"]["data_freshness_seconds"] >= 0.05, a)
    equal(a.headers["x-cache-status"], "stale")


def test_a_null_page_token_is_the_end_and_pages_are_walked(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    a = g.ask("/api/v1/stocks/GOOG/bars?start=2004-01-01&limit=10000")
    equal((a.json["data"]["count"], a.json["data"]["complete"], a.json["data"]["next_page_token"]), (1047, True, None))
    bar = '{"t":"2021-10-%02dT04:00:00Z","o":1,"h":2,"l":1,"c":2,"v":10}'
    page = '{"bars":{"AAPL":[%s]},"next_page_token":%s}'
    r.body("/v2/stocks/bars", page % (bar % 13, '"dG9rZW4x"'))
    r.body("/v2/stocks/bars", page % (bar % 14, '"dG9rZW4y"'))
    r.body("/v2/stocks/bars", '{"bars":{},"next_page_token":null}')
    a = g.ask("/api/v1/stocks/AAPL/bars?start=2021-10-01&limit=100")
    equal((a.status, a.json["data"]["count"], a.json["data"]["complete"]), (200, 2, True), a)


def test_a_token_that_repeats_does_not_loop(scene):
    r, g = scene.pair(DEMO, settings=FAST)
    bar = '{"t":"2021-10-13T04:00:00Z","o":1,"h":2,"l":1,"c":2,"v":10}'
    r.body("/v2/stocks/bars", '{"bars":{"AAPL":[%s]},"next_page_token":"c2FtZQ=="}' % bar, count=-1)
    begun, before = time.monotonic(), r.calls("/v2/stocks/bars")
    a = g.ask("/api/v1/stocks/AAPL/bars?start=2021-10-01&limit=100")
    check(a.status in (200, 502) and time.monotonic() - begun < 5, a)
    check(a.status == 502 or a.json["data"]["complete"] is False, a)
    check(r.calls("/v2/stocks/bars") - before <= 3, "calls")


if __name__ == "__main__":
    run_file(globals())
