"""The Dockerfile: built on a base made from Debian's archive, run as strictly as a cluster would, stopped as one does."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

from box import ADMIN_PORT, BARS, BASE, IMAGE, KEY, ROOT, SECRET, REPLAY_PORT, Load, Skip, get, metric, same, wait_for

HARD = ["--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "128",
        # Its timer would need a systemd; the command itself is run by hand below.
        "--health-interval", "disable"]
RECORDING = "/usr/share/opitios-alpaca/recordings/matplotlib-daily"
SIZE_MAX = 60e6
GRACE = 45
# As the images of Debian's own called slim: without manuals; and nothing is forced to disk, nor translated, that is thrown away afterwards.
SLIM = ["--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright", '--aptopt=Acquire::Languages "none"']


def base(box):
    """Debian itself, and whether it runs: where that fails nothing is wrong with the gateway, and nothing can be told of it."""
    try:
        based(box)
        box.podman("run", "--rm", "--network", "host", "--read-only", BASE, "true", limit=60)
    except AssertionError as e:
        raise Skip(f"this machine makes or runs no container: {e}") from None


def based(box):
    kept = os.environ.get("OPITIOS_BASE_TAR")
    tar = pathlib.Path(kept) if kept else box.folder / "base.tar"
    if not tar.exists():
        # By another name until it is whole: two who want it at once do not read half of it.
        made = tar.with_name(f"{tar.name}.{os.getpid()}.tar")
        try:
            box.run("mmdebstrap", "--variant=minbase", *SLIM, "bookworm", made, limit=240)
            made.rename(tar)
        finally:
            made.unlink(missing_ok=True)
    c = box.run("buildah", "from", "scratch").strip()
    box.run("buildah", "add", "-q", c, tar, "/")
    box.run("buildah", "config", "--cmd", "bash", c)
    box.run("buildah", "commit", "-q", c, BASE)
    box.run("buildah", "rm", c)
    if not kept:
        tar.unlink()


def context(box, name):
    """The tree as git knows it, with what is not committed yet; of a tarball all of it."""
    folder = box.folder / name
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, folder, ignore=lambda at, names: [n for n in names if n.startswith("build") and at == str(ROOT)])
        return folder
    folder.mkdir()
    files = box.run("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for f in filter(None, files.split("\0")):
        if (ROOT / f).is_file():
            (folder / f).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / f, folder / f)
    return folder


def build(box, *more, tag=IMAGE, dockerfile="Dockerfile"):
    # The one to develop in builds as another user, who could not write into a cache of ours.
    ccache = os.environ.get("CCACHE_DIR") if shutil.which("ccache") and dockerfile == "Dockerfile" else None
    fast = ["--build-arg", "EXTRA_PACKAGES=ccache", "--build-arg", "CC=ccache gcc", "-v", f"{ccache}:/ccache"] if ccache else []
    box.run("buildah", "bud", "--layers", "--isolation", "chroot", "--pull-never", *fast, "--build-arg", "OPITIOS_REVISION=check",
            "--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--timestamp", "1700000000", *more, "-t", tag,
            "-f", ROOT / dockerfile, box.folder / "context", limit=600)


def made(box):
    """The image says what it is, and is small."""
    image, under = (json.loads(box.podman("image", "inspect", i))[0] for i in (IMAGE, BASE))
    c = image["Config"]
    same(c["User"], "1001:1001", "user")
    same(c["Entrypoint"], ["opitios-alpaca"], "entry point, without a shell")
    same(c["StopSignal"], "SIGTERM", "signal")
    same(set(c["ExposedPorts"]), {"8081/tcp", "8082/tcp"}, "ports")
    same(list(c["Volumes"]), ["/var/lib/opitios-alpaca"], "volumes")
    same(image["HealthCheck" if "HealthCheck" in image else "Healthcheck"]["Test"][:2], ["CMD", "opitios-ctl"], "health check")
    assert {"OPITIOS_HTTP_ADDRESS=0.0.0.0:8081", "OPITIOS_ADMIN_ADDRESS=0.0.0.0:8082"} <= set(c["Env"]), c["Env"]
    for label in ("title", "version", "revision", "created", "base.name"):
        assert c["Labels"].get(f"org.opencontainers.image.{label}"), f"label {label}: {c['Labels']}"
    more = image["Size"] - under["Size"]
    assert more <= SIZE_MAX, f"{more / 1e6:.1f} MB beyond the base"
    return f"{more / 1e6:.1f} MB beyond the base of {under['Size'] / 1e6:.0f} MB"


def upstream(box):
    name = box.start("--read-only", "--cap-drop=ALL", "--entrypoint", "opitios-replay", IMAGE, "--port", REPLAY_PORT, "--key", KEY,
                     "--secret", SECRET, "--rate-per-minute", "0", "--recording", RECORDING)
    wait_for(lambda: get("/v2/clock", REPLAY_PORT), 10, "the upstream")
    return name


def gateway(box, *more):
    url = f"http://127.0.0.1:{REPLAY_PORT}"
    env = {"ALPACA_DATA_URL": url, "ALPACA_TRADING_URL": url, "ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET,
           "OPITIOS_UPSTREAM_BUDGET_PER_MINUTE": "100000"}
    name = box.start(*HARD, *(w for k, v in env.items() for w in ("-e", f"{k}={v}")), *more, IMAGE)
    wait_for(lambda: get("/readyz", ADMIN_PORT)[0] == 200, 15, lambda: box.podman("logs", name, okay=None).stdout[-1500:])
    return name


def answers(box, name):
    # Degraded until the market's clock was asked, which is the first thing a fetcher does.
    wait_for(lambda: json.loads(get("/health", ADMIN_PORT)[1])["status"] == "healthy", 10, lambda: get("/health/detailed", ADMIN_PORT)[1][:1500])
    status, text = get(BARS)
    answer = json.loads(text)
    same(status, 200, "bars")
    same(answer["data"]["bars"][-1]["close"], 362.71, "GOOG of 2008-10-14, as recorded")
    same(answer["metadata"]["data_source"], "replay", "data_source")
    same(box.podman("logs", name).count('"level":"error"'), 0, "errors in the log")


def confined(box, name):
    """What was asked for is so, seen from inside; the limits are the container's."""
    status = box.podman("exec", name, "cat", "/proc/1/status")
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.M))
    same(fields["Uid"].split(), ["1001"] * 4, "uid")
    same((int(fields["CapEff"], 16), int(fields["CapBnd"], 16), fields["NoNewPrivs"]), (0, 0, "1"), "privileges")
    same(box.podman("exec", name, "touch", "/usr/x", okay=None).returncode != 0, True, "a read-only root")
    same(fields["Name"], "opitios-alpaca", "pid 1")


def truthful(box, name):
    """As many requests are told as were made, and no more came of it."""
    before = get("/metrics", ADMIN_PORT)[1]
    wanted = 250
    for _ in range(wanted):
        same(get(BARS)[0], 200, "bars")
    same(get("/api/v1/stocks/GOOG/nothing")[0], 404, "a path that is not there")
    after = get("/metrics", ADMIN_PORT)[1]

    def grown(metric_name, **labels):
        return (metric(after, metric_name, **labels) or 0) - (metric(before, metric_name, **labels) or 0)
    same(grown("opitios_http_requests_total", code="200"), wanted, "requests of code 200")
    same(grown("opitios_http_requests_total", code="404"), 1, "requests of code 404")
    same(get("/metrics")[1].count("# TYPE"), after.count("# TYPE"), "families at both addresses")
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=after, text=True, capture_output=True, check=False)
        same(done.returncode in (0,), True, f"promtool: {done.stderr[:300]}")
        return f"{len(after.splitlines())} lines, accepted by promtool"
    return f"{len(after.splitlines())} lines; no promtool here"


def health_check(box, name):
    box.podman("healthcheck", "run", name)
    same(box.podman("exec", name, "opitios-ctl", "health").strip(), "healthy", "the one line")
    done = box.podman("exec", name, "opitios-ctl", "--state-dir", "/nowhere", "health", okay=None)
    same((done.returncode, len(done.stderr.strip().splitlines())), (1, 1), "without a gateway")


def reaps(box, name):
    """A stranger whose parent ended is left to pid 1."""
    box.podman("exec", name, "sh", "-c", "(sleep 0.3 &) ; exit 0")
    wait_for(lambda: metric(get("/metrics", ADMIN_PORT)[1], "opitios_orphans_reaped_total") >= 1, 10, "a stranger reaped")
    same("Z" in box.podman("exec", name, "sh", "-c", "cat /proc/[0-9]*/stat | sed 's/.*) //' | cut -c1").split(), False, "zombies")


def survives(box, name):
    """Each worker killed: others, ready again, the container goes on."""
    rows = json.loads(box.podman("exec", name, "opitios-ctl", "--json", "workers"))["workers"]
    for row in rows:
        box.podman("exec", name, "sh", "-c", f"kill -KILL {row['pid']}")
    wait_for(lambda: get("/readyz", ADMIN_PORT)[0] == 200 and get(BARS)[0] == 200, 15, "every worker again")
    return f"{len(rows)} workers killed"


def stop(box, name):
    begun = time.monotonic()
    box.podman("stop", "-t", GRACE, name, limit=GRACE + 30)
    took = time.monotonic() - begun
    code = box.podman("inspect", name, "--format", "{{.State.ExitCode}}").strip()
    return took, code


def stops(box, name):
    took, code = stop(box, name)
    same(code, "0", "exit code: " + box.podman("logs", name)[-800:])
    assert took < GRACE - 5, f"took {took:.1f} s of {GRACE}"
    return f"{took:.1f} s"


def stops_under_load(box):
    name = gateway(box)
    load = Load()
    wait_for(lambda: load.done > 500, 20, lambda: f"requests, {load.done} by now: {load.failed[:3]}")
    took, code = stop(box, name)
    done = load.end()
    box.remove(name)
    same((code, load.failed[:3]), ("0", []), f"exit code and failures of {done} requests")
    return f"{done} requests, none failed; {took:.1f} s"


def same_bytes(box):
    """Built again, with nothing kept: the same layers."""
    build(box, "--no-cache", tag=IMAGE + "-again")
    layers = [json.loads(box.podman("image", "inspect", i))[0]["RootFS"]["Layers"] for i in (IMAGE, IMAGE + "-again")]
    same(layers[1], layers[0], "layers")


def tests_pass(box):
    build(box, "--target", "test", tag=IMAGE + "-test")


def developed(box):
    build(box, tag=IMAGE + "-dev", dockerfile="Dockerfile.dev")
    said = box.podman("run", "--rm", "--network", "host", "--entrypoint", "sh", IMAGE + "-dev", "-c", "id -u; gdb --version; /build/opitios-alpaca --version")
    for words in ("1001", "GNU gdb", "sanitizers"):
        assert words in said and "no sanitizers" not in said, said


FULL = (("image: built twice, the same bytes", same_bytes), ("image: the test stage", tests_pass),
        ("image: Dockerfile.dev, with debugger and sanitizers", developed))


def built(box):
    """All that needs the archive. Whether there is an image to be looked at."""
    if not box.check("image: built", build, box):
        return False
    if os.environ.get("OPITIOS_FULL") != "1":
        box.skip([title for title, _ in FULL], "builds for minutes: only with --full")
        return True
    for title, function in FULL:
        box.check(title, function, box)
    return True


def checks(box):
    """With a base and the image built."""
    box.check("image: user, entry point, health check, labels, size", made, box)
    begun = {}

    def starts():
        begun["replay"] = upstream(box)
        begun["gateway"] = gateway(box)
    if not box.check("image: starts with a read-only root, no capabilities, 256 MiB", starts):
        return
    replay, name = begun["replay"], begun["gateway"]
    for title, function in (
            ("image: healthy, and answers what was recorded", answers),
            ("image: uid 1001, no capabilities, read-only root", confined),
            ("image: /metrics is truthful", truthful),
            ("image: health check by opitios-ctl", health_check),
            ("image: pid 1 reaps strangers", reaps),
            ("image: every worker killed, serving again", survives),
            ("image: SIGTERM, exit 0 within the grace period", stops)):
        box.check(title, function, box, name)
    box.remove(name)
    box.check("image: SIGTERM under load fails no request", stops_under_load, box)
    box.remove(replay)
