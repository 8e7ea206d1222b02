"""What is seen from outside: health with its background checks, metrics in both forms, read by those who define the forms."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import ROOT, Skip, check, equal, metric_of, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
OPEN = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
FORMS = {"text": ({}, "text/plain; version=0.0.4; charset=utf-8"),
         "openmetrics": (OPEN, "application/openmetrics-text; version=1.0.0; charset=utf-8")}


def used(scene, workers=2):
    """A gateway that has had something to count of most kinds."""
    r, g = scene.pair(DEMO, workers=workers)
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 20, "the start")
    for path in ("/api/v1/stocks/GOOG/bars?limit=3", "/api/v1/stocks/GOOG/bars?limit=3", "/api/v1/stocks/GOOG/quote?max_age_seconds=0",
                 "/api/v1/stocks/NOPE9/quote", "/nothing", "/livez", "/api/v1/market/status"):
        g.ask(path)
    return r, g


def asks(g):
    return {"gateway": g.ask, "admin": g.admin_ask}


def test_promtool_finds_no_fault_and_both_addresses_tell_both_forms(scene):
    _, g = used(scene)
    for where, ask in asks(g).items():
        for form, (headers, wanted) in FORMS.items():
            a = ask("/metrics", headers=headers)
            equal((a.status, a.headers["content-type"], a.headers["vary"]), (200, wanted, "Accept"), f"{where} {form}")
            equal(a.body.endswith(b"\n# EOF\n"), form == "openmetrics", f"{where} {form}")
    if shutil.which("promtool") is None:
        raise Skip("promtool is not installed")
    for where, ask in asks(g).items():
        p = subprocess.run(["promtool", "check", "metrics"], input=ask("/metrics").body, capture_output=True, timeout=60)
        equal((p.returncode, p.stdout + p.stderr), (0, b""), f"promtool about {where}")


def test_openmetrics_is_read_by_a_strict_reader(scene):
    sys.path.append("/usr/lib/python3/dist-packages")       # where Debian puts it; python3 may be another one
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        from prometheus_client.parser import text_string_to_metric_families as text_families
    except ImportError as e:
        raise Skip("python3-prometheus-client is not installed") from e
    _, g = used(scene)
    for where, ask in asks(g).items():
        families = {f.name: f for f in text_string_to_metric_families(ask("/metrics", headers=OPEN).body.decode())}
        equal(families["opitios_build"].type, "info", where)
        equal((families["opitios_http_request_duration_seconds"].type, families["opitios_http_request_duration_seconds"].unit),
              ("histogram", "seconds"), where)
        check(families["opitios_http_requests"].type == "counter" and families["opitios_http_requests"].documentation, where)
        names = lambda fs: {s.name for f in fs for s in f.samples}
        text = names(text_families(ask("/metrics").body.decode()))
        equal(text ^ names(families.values()), set(), f"{where}: names of samples in one form only")


def test_what_an_operator_asks_about_is_counted(scene):
    _, g = used(scene)
    wait_for(lambda: metric_of(g.admin_ask("/metrics").body.decode(), "opitios_machine_cpu_busy_ratio") >= 0 and
             metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_cpu_seconds_total", worker="master") > 0, 5, "the first looks")
    text = g.admin_ask("/metrics").body.decode()
    for worker in ("master", "fetcher-rest", "cache-writer", "http-0", "http-1"):
        check(metric_of(text, "opitios_worker_resident_bytes", worker=worker) > 1 << 20, worker, "memory")
        check(2 < metric_of(text, "opitios_worker_open_fds", worker=worker) < metric_of(text, "opitios_worker_max_fds", worker=worker), worker, "fds")
        check(metric_of(text, "opitios_worker_cpu_seconds_total", worker=worker) > 0, worker, "cpu")
    now = time.time()
    check(now - 60 < metric_of(text, "opitios_data_received_seconds", family="stock") <= now + 1, "data age")
    check(metric_of(text, "opitios_data_age_seconds_count") >= 2, "answers by age of what they hold")
    check(metric_of(text, "opitios_state_disk_bytes") >= metric_of(text, "opitios_state_disk_available_bytes") > 0, "disk")
    check(metric_of(text, "opitios_machine_memory_bytes") > metric_of(text, "opitios_machine_memory_available_bytes") > 0, "memory")
    check(metric_of(text, "opitios_http_requests_total", code="404") >= 1 and metric_of(text, "opitios_cache_requests_total") > 0, "requests")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    equal([line for line in lines if "GOOG" in line or "symbol=" in line], [], "no label holds a symbol")
    check(len(lines) < 250 * 5, "series of five processes:", len(lines))


def test_a_silent_worker_is_seen_by_its_heartbeat(scene):
    _, g = scene.pair(DEMO, workers=1, settings=("--supervisor.hang_timeout=0",))
    pid = g.children()["http-0"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_heartbeat_age_seconds", worker="http-0") > 0.6,
                 5, "the silence to be told")
        check(metric_of(g.admin_ask("/metrics").body.decode(), "opitios_worker_heartbeat_age_seconds", worker="cache-writer") < 0.6, "others beat")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_health_is_answered_from_what_was_found_in_the_background(scene):
    r, g = scene.pair(DEMO, workers=1, settings=("--upstream.clock_interval=200ms", "--upstream.timeout=500ms", "--upstream.breaker_open=200ms"))
    wait_for(lambda: g.admin_ask("/health/detailed").json["status"] == "healthy", 10, "health")
    wait_for(lambda: g.admin_ask("/health/detailed").json["system"]["memory"]["machine_total_bytes"], 5, "the first look")
    d = g.admin_ask("/health/detailed").json
    for name, c in d["checks"].items():
        equal(sorted(c), ["age_seconds", "checked_at", "last_error", "last_error_at", "last_success", "response_time_ms", "status"], name)
        check(c["status"] == "healthy" and c["last_success"] and c["response_time_ms"] is not None, name, c)
    s = d["system"]
    check(s["uptime_seconds"] > 0 and s["age_seconds"] < 5, s)
    for part in ("memory", "cpu", "disk"):
        check(0 <= s[part]["usage_percent"] <= 100, part, s)
    # The upstream says nothing any more: answers do not wait for it, and liveness and readiness do not ask.
    r.fault("hang")
    wait_for(lambda: g.admin_ask("/health/detailed").json["checks"]["external_api"]["status"] == "unhealthy", 8, "the fault to be told")
    for where, ask in asks(g).items():
        for path, status in (("/livez", 200), ("/readyz", 200), ("/api/v1/health/detailed", 200), ("/api/v1/health", 200)):
            a = ask(path)
            check(a.status == status and a.seconds < 0.5, where, path, a, a.seconds)
    a = g.admin_ask("/health/detailed").json
    equal((a["status"], a["reason_codes"][0]), ("degraded", "upstream_fails"), a)
    check(a["checks"]["external_api"]["last_error"] and a["checks"]["external_api"]["last_error_at"], a)
    r.heal()
    wait_for(lambda: g.admin_ask("/health").json["status"] == "healthy", 10, "health again")
    c = g.admin_ask("/health/detailed").json["checks"]["external_api"]
    check(c["last_error"] and c["last_error_at"] < c["last_success"], "the last error is kept:", c)


if __name__ == "__main__":
    run_file(globals())
