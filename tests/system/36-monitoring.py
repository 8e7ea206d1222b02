"""monitoring/ against the real thing: its checks, every query of it asked of a Prometheus that scrapes a gateway, an alert up to its receiver."""
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from harness import ROOT, Skip, check, equal, run_file, wait_for
from ports import free_port
from servers_redis import Redis

RECORDING = ROOT / "tests/recordings/every-endpoint"
MONITORING = ROOT / "monitoring"
METRIC = re.compile(r"\bopitios_[a-z0-9_]+")


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skip(f"{tool} is not installed")


def dashboards():
    return {p.name: json.loads(p.read_text()) for p in sorted((MONITORING / "grafana/dashboards").glob("*.json"))}


def queries():
    """(where, PromQL) of every panel and rule."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"].replace("$instance", ".*").replace("$__rate_interval", "10s")
    for path in sorted((MONITORING / "rules").glob("*.yml")):
        for expr in re.findall(r"^ +expr: '(.*)'$", path.read_text(), re.M):
            yield path.name, expr.replace("''", "'")


def exercised(scene, workers=2):
    """A gateway with Redis, asked and vexed until there is nothing it does not count."""
    redis = Redis(scene)
    r = scene.replay(RECORDING, args=("--rate-per-minute", "0"))
    g = scene.gateway(r.port, workers=workers, env={"REDIS_URL": redis.url()},
                      settings=("--redis.wait=1s", "--supervisor.stable_after=10ms", "--supervisor.fail_deaths=1000", "--supervisor.restart_ceiling=200ms"))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 20, "the start")
    for _ in range(2):
        for path in ("/api/v1/stocks/AAPL/quote", "/api/v1/stocks/AAPL/trade", "/api/v1/stocks/AAPL/bars?limit=2", "/api/v1/stocks/NOPE9/quote",
                     "/api/v1/stocks/AAPL/bars?timeframe=1Day&start=2024-01-02&end=2024-01-05", "/api/v1/crypto/BTC-USD/quote", "/api/v1/market/status", "/nothing"):
            g.ask(path)
    r.fault("504", 1)
    g.ask("/api/v1/stocks/AAPL/quote?max_age_seconds=0")
    wait_for(lambda: "opitios_redis_batch_duration_seconds_count" in g.admin_ask("/metrics").body.decode(), 5, "Redis to be given something")
    wait_for(lambda: "opitios_store_delay_seconds_count" in g.admin_ask("/metrics").body.decode(), 5, "the store to be given something")
    return g


class Server:
    """Prometheus or Alertmanager, stopped with the scene."""

    def __init__(self, scene, program, port, *args):
        self.port, self.log = port, open(scene.folder / f"{program}.log", "w")
        self.process = subprocess.Popen([program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *args],
                                        stdout=self.log, stderr=self.log, cwd=scene.folder)
        scene.started.append(self)
        wait_for(lambda: self.get("/-/ready") is not None, 20, f"{program} to be ready")

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            with urllib.request.urlopen(url, timeout=10) as a:
                return a.read()
        except urllib.error.HTTPError as e:
            return e.read() if path.startswith("/api") else None
        except OSError:
            return None

    def api(self, path, **query):
        return json.loads(self.get(path, **query) or b"{}")

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        self.log.close()


class Receiver(http.server.ThreadingHTTPServer):
    """What Alertmanager tells: a list of (path, alert)."""

    def __init__(self, scene):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.extend((self.path, a) for a in body["alerts"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        scene.started.append(self)

    def stop(self):
        self.shutdown()
        self.server_close()


def monitored(scene, g):
    """Prometheus and Alertmanager with what lies in monitoring/; only addresses and intervals are other ones."""
    folder, receiver, at = scene.folder / "monitoring", Receiver(scene), free_port()
    shutil.copytree(MONITORING, folder)
    path = folder / "alertmanager.yml"
    path.write_text(re.sub(r"group_wait: \w+", "group_wait: 100ms", path.read_text().replace("127.0.0.1:9099", f"127.0.0.1:{receiver.server_port}")))
    Server(scene, "prometheus-alertmanager", at, f"--config.file={path}", f"--storage.path={scene.folder}/am", "--cluster.listen-address=")
    path = folder / "prometheus.yml"
    text = path.read_text()
    for old, new in (("opitios-alpaca:8082", f"127.0.0.1:{g.admin}"), ("alertmanager:9093", f"127.0.0.1:{at}"), ("scrape_timeout: 5s", "scrape_timeout: 500ms"),
                     ("_interval: 15s", "_interval: 500ms")):
        check(old in text, "prometheus.yml lacks", old)
        text = text.replace(old, new)
    equal(text.count("  # external_labels:"), 1, "where an operator says where the runbooks are")
    path.write_text(re.sub(r"^  # (external_labels:|  runbooks_opitios:)", r"  \1", text, flags=re.M))
    return Server(scene, "prometheus", free_port(), f"--config.file={path}", f"--storage.tsdb.path={scene.folder}/tsdb"), receiver


def test_alerts_cases_documentation_and_dashboards_belong_together(scene):
    need("promtool", "amtool")
    p = subprocess.run([ROOT / "dev/check-monitoring"], capture_output=True, text=True, timeout=120)
    equal((p.returncode, p.stderr), (0, ""), p.stdout)


def test_every_metric_that_is_named_is_scraped(scene):
    if shutil.which("redis-server") is None:
        raise Skip("redis-server is not installed")
    g = exercised(scene)
    text = g.admin_ask("/metrics").body.decode()
    there = {m[1] for m in re.finditer(r"^([a-z0-9_]+)(?:\{| )", text, re.M)}
    named = {}
    for where, expr in queries():
        for metric in METRIC.findall(expr):
            named.setdefault(metric, where)
    check(len(named) > 60, "metrics are named:", len(named))
    equal({m: w for m, w in named.items() if m not in there}, {}, "named and not scraped")


def test_prometheus_answers_every_query_and_an_alert_reaches_its_receiver(scene):
    need("prometheus", "prometheus-alertmanager", "redis-server")
    g = exercised(scene)
    prometheus, receiver = monitored(scene, g)
    # The form Prometheus asks for by itself is OpenMetrics.
    target = wait_for(lambda: [t for t in prometheus.api("/api/v1/targets")["data"]["activeTargets"] if t["health"] != "unknown"], 10, "a scrape")[0]
    equal((target["health"], target["lastError"]), ("up", ""), target)
    value = lambda q: [r["value"][1] for r in prometheus.api("/api/v1/query", query=q)["data"]["result"]]
    wait_for(lambda: value("count(rate(opitios_worker_heartbeat_seconds[10s]))"), 10, "a second scrape")
    check(float(value("scrape_samples_scraped")[0]) > 200, "samples")
    os.kill(g.children()["http-0"], signal.SIGSEGV)
    scene.expected = ("signal 11",)
    begun = time.monotonic()
    for where, expr in queries():
        a = prometheus.api("/api/v1/query", query=expr)
        equal(a.get("status"), "success", f"{where}: {expr}: {a}")
    path, alert = wait_for(lambda: next((t for t in receiver.told if t[1]["labels"]["alertname"] == "OpitiosCrashReports"), None), 15, "the alert")
    print(f"        the receiver was told {time.monotonic() - begun:.1f} s after the crash", flush=True)
    equal((path, alert["status"], alert["labels"]["severity"], alert["labels"]["instance"]), ("/team", "firing", "warning", f"127.0.0.1:{g.admin}"), alert)
    equal((alert["annotations"]["runbook_url"], "runbooks_opitios" in alert["labels"]),
          ("https://wiki.example/opitios-alpaca/operations.md#opitioscrashreports", False), alert)
    rules = prometheus.api("/api/v1/rules")["data"]["groups"]
    equal([r["name"] for group in rules for r in group["rules"] if r["health"] == "err"], [], "rules that failed")


if __name__ == "__main__":
    run_file(globals())
