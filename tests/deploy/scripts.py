"""scripts/ against a kubectl stand-in on PATH, each path through them, with the real gateway behind the forwarded ports."""
import concurrent.futures
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from harness import BUILD, Scene, Skip, check, equal, run_file, wait_for  # noqa: E402

OLD, NEW = "reg.example/opitios-alpaca:0.1.0", "reg.example/opitios-alpaca:0.2.0"
BARS = "/api/v1/stocks/AAPL/bars?timeframe=1Day&limit=2"
READS = ("get ", "rollout status", "port-forward")
WELL, SICK = None, None  # ports of a gateway that works and of one that does not


class Canned(http.server.BaseHTTPRequestHandler):
    """Where no gateway is built, or where one has to be ill in a chosen way."""
    bodies = {"/livez": (200, "ok"), "/readyz": (200, "{}"), "/metrics": (200, 'opitios_worker_up{worker="http-0"} 1\n'),
              "/api/v1/health": (200, '{"status":"healthy","version":"0.1.0"}'),
              BARS: (200, '{"data":{},"metadata":{"data_source":"alpaca"}}')}

    def do_GET(self):
        code, body = self.bodies.get(self.path, (404, "{}"))
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def canned(**instead):
    """A port at which these paths answer otherwise."""
    kind = type("Canned", (Canned,), {"bodies": Canned.bodies | {k.replace("_", "/"): v for k, v in instead.items()}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def shell(folder, script, *argv, seconds=40, path=None):
    """Runs a script: of the folder's own scripts/, in which a fault may be planted, or of the project's."""
    scripts = folder / "scripts" if (folder / "scripts").exists() else ROOT / "scripts"
    env = {"PATH": path or f"{folder}:{os.environ['PATH']}", "STANDIN": str(folder), "HOME": str(folder)}
    return subprocess.run([str(scripts / script), *map(str, argv)], env=env, capture_output=True, text=True, timeout=seconds)


class Cluster:
    """Two files that the stand-in reads: what there is, and what was asked."""

    def __init__(self, scene, deployments, **state):
        self.folder = scene.folder
        shutil.copy(ROOT / "tests/deploy/kubectl_standin.py", self.folder / "kubectl")
        made = {f"opitios-alpaca-{n}": {"image": OLD, "revision": 7, "replicas": r, "history": {"7": OLD}} for n, r in deployments.items()}
        self.write({"deployments": made, "selector": {"app": "opitios-alpaca"}, "answers": {OLD: WELL, NEW: WELL}} | state)

    def write(self, state):
        (self.folder / "state.json").write_text(json.dumps(state))

    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    def image(self, name):
        return self.state()["deployments"][f"opitios-alpaca-{name}"]["image"]

    def calls(self):
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def changes(self):
        return [c for c in self.calls() if not c.startswith(READS)]

    def rolling(self, *more, image=NEW):
        return shell(self.folder, "deploy-rolling", "--namespace", "production", "--image", image, "--smoke-wait", 0, *more)

    def verify(self, *more, image=NEW):
        return shell(self.folder, "deploy-verify", "--namespace", "production", "--image", image, "--timeout", 1, *more)

    def manifests(self, *more, overlay=ROOT / "k8s/overlays/blue-green"):
        return shell(self.folder, "deploy-manifests", "--namespace", "production", "--overlay", overlay, *more)

    def switch(self, *more):
        return shell(self.folder, "deploy-blue-green", "--namespace", "production", "--smoke-wait", 0, *more)


def rolling_cluster(scene, **state):
    return Cluster(scene, {"production": 5}, **state)


def colours(scene, idle_replicas=5, **state):
    return Cluster(scene, {"blue": 5, "green": idle_replicas}, **{"selector": {"version": "blue"}} | state)


def ended(r, code, *words):
    equal(r.returncode, code, r.stdout + r.stderr)
    for w in words:
        check(w in r.stdout + r.stderr, f"'{w}' is not in:", r.stdout + r.stderr)


SET = f"set image deployment/opitios-alpaca-production opitios-alpaca={NEW}"
UNDO = "rollout undo deployment/opitios-alpaca-production --to-revision=7"


def test_rolling_success_sets_the_image_and_asks_it(scene):
    c = rolling_cluster(scene)
    ended(c.rolling("--answer", BARS), 0, "ok    /readyz", "ok    /api/v1/health", "from ", f"{NEW} serves")
    equal((c.changes(), c.image("production")), ([SET], NEW))
    check(c.calls()[-2].startswith("port-forward --address=127.0.0.1 service/opitios-alpaca-service"), c.calls())


def test_rolling_timeout_goes_back_to_the_revision_before(scene):
    c = rolling_cluster(scene, slow=[NEW])
    ended(c.rolling(), 75, "not rolled out within 600 s", f"{OLD} serves again")
    equal((c.changes(), c.image("production")), ([SET, UNDO], OLD))


def test_rolling_does_not_wait_for_a_kubectl_that_hangs(scene):
    c = rolling_cluster(scene, hang=["rollout status"], fail={"rollout undo": 1})
    ended(c.rolling("--timeout", 1, "--force"), 70, "not rolled out within 1 s", "going back did too")
    equal(c.changes(), [SET, UNDO])


def test_rolling_failed_verification_is_undone(scene):
    c = rolling_cluster(scene, answers={OLD: WELL, NEW: SICK})
    ended(c.rolling(), 75, "FAIL  /readyz: 503", "does not answer as it should", f"{OLD} serves again")
    equal((c.changes(), c.image("production")), ([SET, UNDO], OLD))


def test_rolling_a_refused_answer_or_one_of_two_is_undone(scene):
    answers = ("--answer", "/api/v1/crypto/BTC-USD/quote", "--answer", BARS)
    bodies = {"_api_v1_crypto_BTC-USD_quote": (200, '{"data":{},"metadata":{"data_source":"alpaca"}}')}
    old = canned(**bodies)
    c = rolling_cluster(scene, answers={OLD: old, NEW: canned(**bodies | {BARS.replace("/", "_"): (403, "not entitled")})})
    ended(c.rolling("--live", *answers), 75, f"FAIL  {BARS}: 403 not entitled", f"{OLD} serves again")
    replayed = canned(**bodies | {BARS.replace("/", "_"): (200, '{"data":{},"metadata":{"data_source":"replay"}}')})
    c = rolling_cluster(scene, answers={OLD: old, NEW: replayed})
    ended(c.rolling("--live", *answers), 75, "comes out of a recording")
    ended(c.rolling("--live"), 64, "--live wants --answer")


def test_rolling_pods_that_are_not_of_it_are_undone(scene):
    c = rolling_cluster(scene)
    state = c.state()
    state["deployments"]["opitios-alpaca-production"]["counts"] = [4, 5, 5]
    c.write(state)
    made = scene.folder / "scripts"
    shutil.copytree(ROOT / "scripts", made)
    (made / "deploy-verify").write_text((made / "deploy-verify").read_text().replace("limit=60", "limit=0"))
    ended(c.rolling(), 75, "not all pods are of it and ready", f"{OLD} serves again")
    equal(c.changes(), [SET, UNDO])


def test_rolling_forced_out_of_a_stuck_rollout_goes_back_to_what_serves(scene):
    stuck = "reg.example/opitios-alpaca:0.1.5"
    made = {"image": stuck, "revision": 8, "replicas": 5, "history": {"6": "x", "7": OLD, "8": stuck}, "ready": {"6": 0, "7": 4, "8": 1}}
    c = rolling_cluster(scene, slow=[stuck], answers={OLD: WELL, NEW: SICK})
    c.write(c.state() | {"deployments": {"opitios-alpaca-production": made}})
    ended(c.rolling("--force"), 75, f"{OLD} serves again")
    equal((c.changes(), c.image("production")), ([SET, UNDO], OLD))
    c.write(c.state() | {"deployments": {"opitios-alpaca-production": made | {"ready": {"8": 0}}}})
    ended(c.rolling("--force"), 69, "none to go back to; nothing was changed")


def test_rolling_says_so_when_it_cannot_be_undone(scene):
    c = rolling_cluster(scene, answers={OLD: WELL, NEW: SICK}, fail={"rollout undo": 1})
    ended(c.rolling(), 70, "going back did too", "describe deployment/opitios-alpaca-production")
    equal(c.changes(), [SET, UNDO])


def test_rolling_is_stuck_when_what_it_went_back_to_is_ill_too(scene):
    c = rolling_cluster(scene, answers={OLD: SICK, NEW: SICK})
    ended(c.rolling(), 70, "going back did too")


def test_rolling_an_image_that_cannot_be_set_is_undone(scene):
    c = rolling_cluster(scene, fail={"set image": 1})
    ended(c.rolling(), 75, "the image could not be set")


def test_rolling_changes_nothing_without_a_deployment(scene):
    c = rolling_cluster(scene)
    ended(c.rolling("--deployment", "other"), 69, "cannot be read; nothing was changed")
    equal(c.changes(), [])


def test_rolling_stays_out_of_a_rollout_under_way_unless_forced(scene):
    c = rolling_cluster(scene, slow=[OLD])
    ended(c.rolling(), 69, "in the middle of a rollout", "nothing was changed")
    equal(c.changes(), [])
    ended(c.rolling("--force"), 0)


def test_rolling_the_image_that_runs_only_asks_it(scene):
    c = rolling_cluster(scene)
    ended(c.rolling(image=OLD), 0, "already")
    equal(c.changes(), [])
    ended(rolling_cluster(scene, answers={OLD: SICK}).rolling(image=OLD), 70, "nothing to go back to")


def test_rolling_dry_run_changes_nothing_and_says_what_it_would(scene):
    c = rolling_cluster(scene)
    ended(c.rolling("--dry-run"), 0, f"would run: kubectl --namespace=production {SET}", "would wait for", "would forward")
    equal((c.changes(), c.image("production")), ([], OLD))


def test_verify_counts_pods_of_the_image(scene):
    c = rolling_cluster(scene)
    ended(c.verify(image=OLD), 0, f"5 of 5 pods of deployment/opitios-alpaca-production are of {OLD}, and ready")
    ended(c.verify(), 1, f"is of {OLD}, not of {NEW}")
    equal(c.changes(), [])


def test_verify_is_not_content_with_some_of_them(scene):
    # One not replaced yet, one not ready, one of the old still there, none ready (the status then lacks the number).
    for counts in ([4, 5, 5], [5, 4, 5], [5, 5, 6], [5, "", 5]):
        c = rolling_cluster(scene)
        state = c.state()
        state["deployments"]["opitios-alpaca-production"]["counts"] = counts
        c.write(state)
        ended(c.verify(image=OLD), 1, "deployment/opitios-alpaca-production: wanted 5")


def test_verify_without_a_deployment_says_so(scene):
    ended(rolling_cluster(scene).verify("--deployment", "other"), 69, "cannot be read")
    ended(rolling_cluster(scene).verify("--dry-run"), 0, "would look whether every pod")


def test_wrong_arguments_are_refused_before_anything_is_asked(scene):
    c = rolling_cluster(scene)
    for argv in ((), ("--namespace",), ("--namespace", "production"), ("--namespace", "-A", "--image", NEW), ("--what",),
                 ("--namespace", "production", "--image", "opitios-alpaca"), ("--namespace", "production", "--image", "x:latest"),
                 ("--namespace", "production", "--image", "reg:5000/opitios-alpaca"),
                 ("--namespace", "production", "--image", NEW, "--timeout", "soon"), ("--namespace", "a;b", "--image", NEW)):
        ended(shell(c.folder, "deploy-rolling", *argv), 64, "see deploy-rolling --help")
        ended(shell(c.folder, "deploy-blue-green", *argv), 64, "see deploy-blue-green --help")
        ended(shell(c.folder, "deploy-verify", *argv), 64, "see deploy-verify --help")
    ended(c.switch("--switch-back", "--image", NEW), 64, "not both")
    for argv in (("--url", "gopher://x"), ("--live",), ("--service", "x"), ("--namespace", "x"), ("--wait", "x"), ("--answer", "x")):
        ended(shell(c.folder, "smoke-test", *argv), 64, "see smoke-test --help")
    equal(c.calls(), [])


def test_help_tells_options_and_exit_codes(scene):
    for script in ("deploy-rolling", "deploy-blue-green", "deploy-manifests", "deploy-verify", "smoke-test"):
        r = shell(scene.folder, script, "--help")
        ended(r, 0, "usage: " + script, "--dry-run", "Ends with 0", "64", "69")
        check("set -u" not in r.stdout and r.stdout.startswith("usage:"), r.stdout)


def test_a_missing_kubectl_is_named(scene):
    bare = scene.folder / "bare"
    bare.mkdir()
    for tool in ("bash", "dirname", "sed", "timeout", "curl", "mktemp", "rm", "head", "tail"):
        (bare / tool).symlink_to(shutil.which(tool))
    ended(shell(scene.folder, "deploy-rolling", "--namespace", "x", "--image", NEW, path=str(bare)), 69, "needs kubectl")
    ended(shell(scene.folder, "smoke-test", "--namespace", "x", "--service", "y", path=str(bare)), 69, "needs kubectl")


SET_GREEN = f"set image deployment/opitios-alpaca-green opitios-alpaca={NEW}"


def patch(before, after):
    return ('patch service/opitios-alpaca-service --type=json --patch=[{"op":"test","path":"/spec/selector/version","value":"%s"},'
            '{"op":"replace","path":"/spec/selector/version","value":"%s"}]' % (before, after))


def test_blue_green_success_asks_the_idle_colour_before_clients_come(scene):
    c = colours(scene)
    ended(c.switch("--image", NEW), 0, "blue serves production, green is idle", "green serves; back:")
    equal((c.changes(), c.state()["selector"]["version"], c.image("blue"), c.image("green")),
          ([SET_GREEN, patch("blue", "green")], "green", OLD, NEW))
    calls = c.calls()
    asked = next(i for i, x in enumerate(calls) if "port-forward" in x and "deployment/opitios-alpaca-green" in x)
    check(asked < calls.index(patch("blue", "green")), "the idle colour was not asked first:", calls)


def test_blue_green_switches_back_without_touching_an_image(scene):
    c = colours(scene)
    ended(c.switch("--image", NEW), 0)
    ended(c.switch("--switch-back"), 0, "green serves production, blue is idle", "blue serves")
    equal((c.changes()[2:], c.state()["selector"]["version"], c.image("green")), ([patch("green", "blue")], "blue", NEW))


def test_blue_green_an_idle_colour_that_is_ill_gets_no_clients(scene):
    c = colours(scene, answers={OLD: WELL, NEW: SICK})
    ended(c.switch("--image", NEW), 75, "green does not answer as it should; blue serves on")
    equal((c.changes(), c.state()["selector"]["version"]), ([SET_GREEN], "blue"))


def test_blue_green_a_rollout_that_does_not_end_moves_nobody(scene):
    c = colours(scene, slow=[NEW])
    ended(c.switch("--image", NEW), 75, "not rolled out within 600 s; blue serves on")
    equal((c.changes(), c.state()["selector"]["version"]), ([SET_GREEN], "blue"))


def test_blue_green_failed_verification_sends_clients_back(scene):
    c = colours(scene, through_service={NEW: SICK})
    ended(c.switch("--image", NEW), 75, "sending clients back to blue", "blue serves again")
    equal((c.changes(), c.state()["selector"]["version"]), ([SET_GREEN, patch("blue", "green"), patch("green", "blue")], "blue"))


def test_blue_green_says_so_when_clients_cannot_be_sent_back(scene):
    c = colours(scene, through_service={NEW: SICK}, fail={"patch": 2})
    ended(c.switch("--image", NEW), 70, "sending clients back did too")
    equal(c.state()["selector"]["version"], "green")


def test_blue_green_a_selector_that_cannot_be_moved_stays(scene):
    c = colours(scene, fail={"patch": 1})
    ended(c.switch("--image", NEW), 69, "the selector could not be moved; blue serves on")


def test_blue_green_an_idle_colour_without_pods_gets_as_many_as_the_other(scene):
    c = colours(scene, idle_replicas=0)
    ended(c.switch("--image", NEW), 0)
    equal(c.changes()[1], "scale deployment/opitios-alpaca-green --replicas=5")


def test_blue_green_a_smaller_idle_colour_grows_before_it_serves(scene):
    c = colours(scene, idle_replicas=2)
    ended(c.switch("--switch-back"), 0)
    equal(c.changes()[0], "scale deployment/opitios-alpaca-green --replicas=5")


def test_blue_green_too_few_ready_pods_get_no_clients(scene):
    c = colours(scene)
    state = c.state()
    state["deployments"]["opitios-alpaca-green"]["standing"] = 4
    c.write(state)
    ended(c.switch("--image", NEW), 75, "green has 4 pods that are ready, blue has 5", "blue serves on")
    equal(c.state()["selector"]["version"], "blue")


def test_blue_green_knows_no_third_colour(scene):
    c = colours(scene)
    c.write(c.state() | {"selector": {"version": "red"}})
    ended(c.switch("--switch-back"), 69, "neither blue nor green")
    equal(c.changes(), [])


def test_blue_green_dry_run_changes_nothing(scene):
    c = colours(scene)
    ended(c.switch("--image", NEW, "--dry-run"), 0, f"would run: kubectl --namespace=production {SET_GREEN}", "would run: kubectl --namespace=production patch")
    equal((c.changes(), c.state()["selector"]["version"]), ([], "blue"))


def rendered(*objects):
    return "---\n".join(f"apiVersion: x\nkind: {k}\nmetadata:\n  labels:\n    name: no\n  name: {n}\n  namespace: production\nspec:\n  name: no\n"
                        for k, n in objects)


COLOURS = rendered(("Deployment", "opitios-alpaca-blue"), ("Service", "opitios-alpaca-service"), ("Deployment", "opitios-alpaca-green"))


def test_manifests_keep_images_counts_and_colour(scene):
    c = colours(scene, idle_replicas=9, selector={"version": "green"}, rendered=COLOURS)
    state = c.state()
    state["deployments"]["opitios-alpaca-green"]["image"] = NEW
    state["deployments"]["gone"] = {"image": NEW, "replicas": 1}
    c.write(state)
    ended(c.manifests(), 0, f"keeps {OLD} and 5 pods of deployment/opitios-alpaca-blue", f"keeps {NEW} and 9 pods", "clients at green", "is applied")
    applied = (c.folder / "applied").read_text()
    for words in (f"name: opitios-alpaca-blue\n        namespace: production\n      spec:\n        replicas: 5\n", f"image: {OLD}\n", f"image: {NEW}\n",
                  "replicas: 9\n", "selector:\n          version: green\n"):
        check(words in applied, words, applied)
    check("gone" not in applied, applied)
    resource = applied.split("resources:\n  - ")[1].split("\n")[0]
    check(resource.startswith("../") and resource.endswith("k8s/overlays/blue-green"), resource)


def test_manifests_of_an_empty_cluster_are_applied_as_they_are(scene):
    c = Cluster(scene, {}, selector={}, rendered=COLOURS)
    ended(c.manifests(), 0, "is applied")
    check("patch" not in (c.folder / "applied").read_text(), (c.folder / "applied").read_text())


def test_manifests_are_not_applied_when_the_cluster_cannot_be_read_or_nothing_shall_change(scene):
    c = colours(scene, rendered=COLOURS, fail={"get deployments": 1})
    ended(c.manifests(), 69, "nothing was changed")
    c = colours(scene, rendered=COLOURS, fail={"apply": 1})
    ended(c.manifests("--dry-run"), 0, "keeps ", "-  replicas: 5")
    ended(c.manifests(overlay="/nowhere"), 64, "has no kustomization.yaml")
    ended(c.manifests(), 70, "could not be applied")


def test_smoke_a_forward_that_fails_is_told(scene):
    c = rolling_cluster(scene, fail={"port-forward": 1})
    ended(shell(c.folder, "smoke-test", "--namespace", "production", "--service", "opitios-alpaca-service"), 69, "no port could be forwarded", "InternalError")


def test_smoke_a_forward_leaves_nobody_behind(scene):
    c = rolling_cluster(scene)
    ended(shell(c.folder, "smoke-test", "--namespace", "production", "--service", "opitios-alpaca-service"), 0)
    wait_for(lambda: subprocess.run(["pgrep", "-f", str(c.folder / "kubectl")], stdout=subprocess.DEVNULL).returncode == 1, 5, "the forward to end")


def test_smoke_each_check_can_fail(scene):
    for instead, words in (({"_livez": (500, "no")}, "/livez: 500 no"), ({"_readyz": (503, "draining")}, "/readyz: 503 draining"),
                           ({"_api_v1_health": (200, '{"status":"unhealthy"}')}, "says 'unhealthy'"),
                           ({"_api_v1_health": (200, "<html>")}, "/api/v1/health: says ''"),
                           ({"_metrics": (200, 'opitios_worker_up{worker="http-0"} 0\n')}, "no worker is up"),
                           ({"_metrics": (404, "")}, "/metrics: 404")):
        ended(shell(scene.folder, "smoke-test", "--url", f"http://127.0.0.1:{canned(**instead)}"), 1, "FAIL  " + words if words[0] == "/" else words)
    made_up = type("X", (Canned,), {"bodies": Canned.bodies | {BARS: (200, '{"data":{}}')}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made_up)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ended(shell(scene.folder, "smoke-test", "--url", f"http://127.0.0.1:{server.server_address[1]}", "--answer", BARS), 1, "does not say where it is from")


def test_smoke_nobody_there_is_a_failure_in_time(scene):
    ended(shell(scene.folder, "smoke-test", "--url", "http://127.0.0.1:1", "--wait", 1, seconds=10), 1, "FAIL  /livez: no answer")


def test_smoke_asks_only_the_api_in_public(scene):
    port = canned(_livez=(404, ""), _readyz=(404, ""), _metrics=(404, ""))
    ended(shell(scene.folder, "smoke-test", "--url", f"http://127.0.0.1:{port}/", "--public"), 0, "ok    /api/v1/health (healthy, version 0.1.0)")


def test_smoke_of_a_real_gateway(scene):
    if not (BUILD / "opitios-alpaca").exists():
        raise Skip(f"{BUILD} has no gateway")
    g = scene.gateway(scene.replay())
    for port in (g.port, g.admin):
        ended(shell(scene.folder, "smoke-test", "--url", f"http://127.0.0.1:{port}", "--wait", 5), 0, "ok    /livez", "ok    /readyz", "ok    /metrics")
    url = f"http://127.0.0.1:{g.port}"
    ended(shell(scene.folder, "smoke-test", "--url", url, "--answer", BARS), 0, "(from replay)")
    ended(shell(scene.folder, "smoke-test", "--url", url, "--answer", BARS, "--live"), 1, "comes out of a recording")
    ended(shell(scene.folder, "smoke-test", "--url", url, "--answer", "/api/v1/stocks/ZZZZ/quote"), 1, "FAIL  /api/v1/stocks/ZZZZ/quote: 404")
    g.stop()
    ended(shell(scene.folder, "smoke-test", "--url", url, seconds=15), 1, "no answer")


def pipeline(folder, test, deploy, image):
    """.ci/run and tests/deploy/check as they are, over three that only say what they are given and end so."""
    made = folder / f"pipeline-{len(list(folder.glob('pipeline-*')))}"
    for name in (".ci/run", "tests/deploy/check"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, made / name)
    stubs = {"dev/install.sh": 'DEPLOY_PACKAGES=x\ninstall_missing() { echo "cannot have: $1"; return 69; }\n'}
    for name, (said, code) in {"test": test, "tests/deploy/run": deploy, "tests/deploy-image/run": image}.items():
        stubs[name] = f"#!/bin/sh\necho 'given' \"$@\"\nsleep 0.1\necho '{said}'\nexit {code}\n"
    for name, text in stubs.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
        (made / name).chmod(0o755)
    r = subprocess.run([str(made / ".ci/run")], capture_output=True, text=True, timeout=40, env=os.environ | {"OPITIOS_CI_SECONDS": "300"})
    return r.returncode, r.stdout.splitlines()[-2:], r.stdout


def test_the_pipeline_sums_all_and_counts_nothing_skipped_as_passed(scene):
    code, last, said = pipeline(scene.folder, ("7 passed, 0 failed", 0), ("5 passed, 0 failed, 2 skipped", 0), ("0 passed, 0 failed, 4 skipped", 0))
    equal((code, last[1]), (0, "12 passed, 0 failed"), said)
    check("6 skipped" in last[0], last)
    check("given --short --within 300" in said or "given --short --within 299" in said, said)
    for parts, wanted in (((("7 passed, 1 failed", 1), ("5 passed, 0 failed", 0), ("1 passed, 0 failed, 0 skipped", 0)), "13 passed, 1 failed"),
                          ((("7 passed, 0 failed", 0), ("5 passed, 2 failed", 1), ("1 passed, 0 failed, 0 skipped", 0)), "13 passed, 2 failed"),
                          ((("7 passed, 0 failed", 0), ("5 passed, 0 failed", 0), ("Traceback", 1)), "12 passed, 1 failed"),
                          ((("7 passed, 0 failed", 0), ("5 passed, 0 failed", 0), ("1 passed, 0 failed, 0 skipped", 3)), "13 passed, 1 failed"),
                          ((("Killed", 137), ("5 passed, 0 failed", 0), ("1 passed, 0 failed, 0 skipped", 0)), "6 passed, 1 failed")):
        code, last, said = pipeline(scene.folder, *parts)
        equal((code, last[1]), (1, wanted), said)


FAULTS = (  # what is broken where, and the test above that must see it
    ("deploy-rolling", "|| undo 'rolled out", "|| say 'rolled out", test_rolling_failed_verification_is_undone),
    ("deploy-rolling", '|| undo "not rolled out', '|| say "not rolled out', test_rolling_timeout_goes_back_to_the_revision_before),
    ("deploy-rolling", "change set image", "kube set image", test_rolling_dry_run_changes_nothing_and_says_what_it_would),
    ("deploy-blue-green", 'smoke deployment "$prefix-$idle" ||', "true ||", test_blue_green_an_idle_colour_that_is_ill_gets_no_clients),
    ("deploy-blue-green", 'if smoke service "$service"; then', "if true; then", test_blue_green_failed_verification_sends_clients_back),
    ("deploy-blue-green", "green) idle=blue", "green) idle=green", test_blue_green_switches_back_without_touching_an_image),
    ("deploy-manifests", "image: %s", "picture: %s", test_manifests_keep_images_counts_and_colour),
    ("deploy-blue-green", '[ "$standing" -lt "$replicas" ]', '[ "$standing" = 0 ]', test_blue_green_a_smaller_idle_colour_grows_before_it_serves),
    ("deploy-verify", '[ "${available:-}" = "$wanted" ]', "true", test_verify_is_not_content_with_some_of_them),
    ("deploy-verify", '[ "$has" != "$image" ]', "false", test_verify_counts_pods_of_the_image),
    ("smoke-test", "grep -q '^opitios_worker_up{.*} 1'", "grep -q ''", test_smoke_each_check_can_fail),
    ("lib.sh", '[[ $1 != *:latest ]] ||', "true ||", test_wrong_arguments_are_refused_before_anything_is_asked),
)


def planted(folder, script, before, after, test):
    """Whether this test sees this fault."""
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    text = (folder / "scripts" / script).read_text()
    check(before in text, f"{script} has no '{before}'")
    (folder / "scripts" / script).write_text(text.replace(before, after))
    try:
        test(types.SimpleNamespace(folder=folder))
    except AssertionError:
        return
    raise AssertionError(f"nobody saw that {script} has '{after}' instead of '{before}'")


def test_planted_faults_are_found(scene):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(planted, scene.folder / str(n), *fault) for n, fault in enumerate(FAULTS)]
    for r in running:
        r.result()


def main():
    global WELL, SICK
    stage = Scene("deploy-stage")
    try:
        built = (BUILD / "opitios-alpaca").exists() and (BUILD / "opitios-replay").exists()
        WELL = stage.gateway(stage.replay()).port if built else canned()
        SICK = canned(_readyz=(503, '{"ready":false}'))
        run_file(globals())
    finally:
        stage.close()
        shutil.rmtree(stage.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
