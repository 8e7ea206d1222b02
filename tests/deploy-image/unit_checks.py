"""The installed units under a real systemd, which a container boots: what they promise, done to them one after the other."""
import http.client
import json
import re
import threading
import time

from box import ADMIN_PORT, BARS, KEY, REPLAY_PORT, ROOT, SECRET, Load, Skip, get, same, wait_for
from package_checks import ROOT_IMAGE

UNIT = "opitios-alpaca.service"
RECORDING = "/usr/share/opitios-alpaca/recordings/matplotlib-daily"
EXPOSURE = 1.5
WATCHDOG = 4
DROP_IN = f"""[Service]
WatchdogSec={WATCHDOG}
Environment=ALPACA_DATA_URL=http://127.0.0.1:{REPLAY_PORT} ALPACA_TRADING_URL=http://127.0.0.1:{REPLAY_PORT}
Environment=OPITIOS_SUPERVISOR_DRAIN_DELAY=0 OPITIOS_UPSTREAM_BUDGET_PER_MINUTE=100000 OPITIOS_HTTP_WORKERS=2
"""


class Machine:
    """A container that systemd has booted."""

    def __init__(self, box):
        self.box = box
        self.name = box.start("--systemd=always", "--privileged", "--tmpfs", "/tmp", ROOT_IMAGE)

    def sh(self, script, okay=(0,), limit=60):
        return self.box.podman("exec", self.name, "sh", "-c", script, okay=okay, limit=limit)

    def show(self, *names):
        text = self.sh("systemctl show " + UNIT + "".join(f" -p {n}" for n in names))
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def pid(self):
        return int(self.show("MainPID")["MainPID"])

    def log(self, lines=15):
        return self.sh(f"journalctl -u {UNIT} -n {lines} -o cat --no-pager", okay=None).stdout

    def wait_active(self, seconds=20):
        wait_for(lambda: self.show("ActiveState")["ActiveState"] == "active", seconds, lambda: "active: " + self.log())

    def workers(self):
        return json.loads(self.sh("opitios-ctl --json workers"))["workers"]


def booted(box):
    machine = Machine(box)
    try:
        def state():
            done = machine.sh("systemctl is-system-running", okay=None)
            return done.stdout.strip() in ("running", "degraded")
        wait_for(state, 30, "a booted systemd")
    except AssertionError:
        said = box.podman("logs", machine.name, okay=None)
        box.remove(machine.name)
        raise Skip("systemd does not boot in a container here: " + (said.stdout + said.stderr)[-300:]) from None
    return machine


def restarts(m, signal, extra=""):
    """Sends it to the master; how long until another one serves, and what systemd thought of it."""
    before, pid, begun = int(m.show("NRestarts")["NRestarts"]), m.pid(), time.monotonic()
    m.sh(f"{extra}kill -{signal} {pid}")
    wait_for(lambda: int(m.show("NRestarts")["NRestarts"]) > before, 30, lambda: "a restart: " + m.log())
    m.wait_active()
    same(get(BARS)[0], 200, "bars")
    assert m.pid() != pid, "the same process"
    return time.monotonic() - begun


def starts(m):
    """It came up with the package, without a key; now it gets an upstream, and the keys as credentials."""
    m.wait_active()
    m.sh(f"systemd-run -q --unit=replay -p DynamicUser=yes opitios-replay --port {REPLAY_PORT} --key {KEY} --secret {SECRET} "
         f"--rate-per-minute 0 --recording {RECORDING}")
    m.sh("mkdir -p /etc/credstore /etc/systemd/system/opitios-alpaca.service.d; chmod 700 /etc/credstore; "
         f"echo {KEY} >/etc/credstore/ALPACA_API_KEY; echo {SECRET} >/etc/credstore/ALPACA_SECRET_KEY; "
         f"cat >/etc/systemd/system/opitios-alpaca.service.d/check.conf <<'E'\n{DROP_IN}E\n"
         f"systemctl daemon-reload; systemctl restart {UNIT}", limit=90)
    m.wait_active()
    same(get(BARS)[0], 200, "bars, for which the upstream wants the key: " + m.log())
    wait_for(lambda: json.loads(get("/health", ADMIN_PORT)[1])["status"] == "healthy", 10, lambda: "healthy: " + m.log())
    shown = m.show("StatusText", "NFileDescriptorStore")
    assert "serving on 127.0.0.1:8081" in shown["StatusText"], shown
    same(shown["NFileDescriptorStore"], "2", "listening sockets stored")
    environment = m.sh(f"tr '\\0' '\\n' </proc/{m.pid()}/environ")
    assert SECRET not in environment, "the secret is in the environment"


def confined(m):
    """The sandbox is in force, and takes nothing away that is needed: nothing was refused, memory of workers is told."""
    status = dict(re.findall(r"^(\w+):\s+(.*)$", m.sh(f"cat /proc/{m.pid()}/status"), re.M))
    same((int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"]), (0, 0, "1", "2"), "sandbox")
    assert "0" not in status["Uid"].split(), status["Uid"]
    denied = [line for line in m.log(300).splitlines() if "not permitted" in line or "denied" in line.lower() or '"level":"error"' in line]
    same(denied[:2], [], "refused")
    for row in m.workers():
        assert (row["rss_bytes"] or 0) > 0, f"memory of a worker: {row}"
    detail = json.loads(get("/health/detailed", ADMIN_PORT)[1])
    assert "memory" in json.dumps(detail["system"]), detail["system"]


def exposed(m):
    said = m.sh(f"systemd-analyze verify --man=no {UNIT} opitios-alpaca.socket 2>&1")
    same([line for line in said.splitlines() if "opitios" in line], [], "systemd-analyze verify")
    level = float(re.search(r"exposure level for \S+: ([\d.]+)", m.sh(f"systemd-analyze security --no-pager {UNIT}", okay=(0, 1)))[1])
    assert level <= EXPOSURE, f"exposure {level}"
    fatal = re.findall(r"^EXIT\(\w+, (\d+), FATAL", (ROOT / "include/tables/exits.def").read_text(), re.M)
    same(m.show("RestartPreventExitStatus")["RestartPreventExitStatus"].split(), fatal, "codes that are not tried again")
    return f"exposure {level}"


def killed(m):
    return f"serving again after {restarts(m, 'KILL'):.1f} s"


def hangs(m):
    took = restarts(m, "STOP")
    assert "watchdog" in m.log(40).lower(), m.log(40)
    return f"watchdog {WATCHDOG} s, serving again after {took:.1f} s"


def crashes(m):
    """A worker's crash is told with its stack, though nothing may be traced."""
    row = next(r for r in m.workers() if r["slot"] == "http-0")
    m.sh(f"kill -SEGV {row['pid']}")
    report = wait_for(lambda: json.loads(m.sh("opitios-ctl --json crashes")).get("crashes"), 10, "a report")
    text = json.dumps(report)
    same((report[0]["slot"], report[0]["signal"]), ("http-0", 11), "slot and signal")
    assert "libevent" in text or "http" in [f["module"] for f in report[0]["frames"]], f"a stack: {text[:600]}"
    wait_for(lambda: get("/readyz", ADMIN_PORT)[0] == 200, 10, "ready again")


def reloads(m):
    pid = m.pid()
    m.sh("sed -i 's/OPITIOS_HTTP_WORKERS=2//' /etc/systemd/system/opitios-alpaca.service.d/check.conf")
    m.sh("printf '[http]\\nbatch_max = 50\\n' >>/etc/opitios-alpaca/opitios-alpaca.conf")
    load = Load(4)
    m.sh(f"systemctl reload {UNIT}", limit=90)
    done = load.end()
    same((m.pid(), load.failed[:3]), (pid, []), f"pid, and failures of {done} requests")
    m.sh("printf '[http]\\nworkers = many\\n' >>/etc/opitios-alpaca/opitios-alpaca.conf")
    assert m.sh(f"systemctl reload {UNIT}", okay=None, limit=90).returncode != 0, "a reload of a wrong file succeeded"
    same(m.show("ActiveState")["ActiveState"], "active", "after a reload that was refused")
    same(get(BARS)[0], 200, "bars")
    return f"{done} requests meanwhile, none failed"


def upgrades(m):
    """Within the sandbox: executed again by descriptor, with board and sockets handed over."""
    m.sh("sed -i '/^workers = many/d' /etc/opitios-alpaca/opitios-alpaca.conf")
    pid = m.pid()
    load = Load(4)
    m.sh("opitios-ctl upgrade", limit=60)
    done = load.end()
    same((m.pid(), load.failed[:3]), (pid, []), f"pid, and failures of {done} requests")
    assert "going on as" in m.log(200), m.log()
    return f"{done} requests meanwhile, none failed"


def refused(m):
    """A configuration that is wrong ends it with 78, and systemd does not try again."""
    m.sh("cp -p /etc/opitios-alpaca/opitios-alpaca.conf /tmp/; printf '[http]\\nworkers = many\\n' >>/etc/opitios-alpaca/opitios-alpaca.conf")
    m.sh(f"systemctl restart {UNIT}", okay=None, limit=90)
    shown = m.show("ActiveState", "ExecMainStatus", "NRestarts")
    same((shown["ActiveState"], shown["ExecMainStatus"], shown["NRestarts"]), ("failed", "78", "0"), "state, exit, restarts")
    m.sh(f"cp -p /tmp/opitios-alpaca.conf /etc/opitios-alpaca/; systemctl reset-failed {UNIT}; systemctl start {UNIT}", limit=90)
    m.wait_active()


def restarted(m):
    """The sockets stay with systemd: clients wait, nobody is refused."""
    pid, stop, answered, failed = m.pid(), threading.Event(), [], []

    def client():
        while not stop.is_set():
            try:
                same(get(BARS, timeout=20)[0], 200, "status")
                answered.append(time.monotonic())
            except (OSError, http.client.HTTPException, AssertionError) as e:
                failed.append(f"{type(e).__name__}: {e}")
    clients = [threading.Thread(target=client, daemon=True) for _ in range(4)]
    for c in clients:
        c.start()
    m.sh(f"systemctl restart {UNIT}", limit=90)
    time.sleep(0.5)
    stop.set()
    for c in clients:
        c.join(20)
    same((m.pid() != pid, failed[:3]), (True, []), f"another process; failures of {len(answered)} requests on new connections")
    pause = max(b - a for a, b in zip(answered, answered[1:]))
    return f"{len(answered)} requests on new connections, none failed; longest pause {pause:.2f} s"


def stops(m):
    begun = time.monotonic()
    m.sh(f"systemctl stop {UNIT}", limit=90)
    shown = m.show("ActiveState", "Result", "ExecMainStatus")
    same((shown["ActiveState"], shown["Result"], shown["ExecMainStatus"]), ("inactive", "success", "0"), "state, result, exit")
    return f"{time.monotonic() - begun:.1f} s"


def activated(m):
    """systemd listens; the first client starts it and is answered."""
    m.sh("systemctl start opitios-alpaca.socket")
    same(m.show("ActiveState")["ActiveState"], "inactive", "before the first client")
    begun = time.monotonic()
    same(get(BARS, timeout=20)[0], 200, "the first client: " + m.log())
    took = time.monotonic() - begun
    m.wait_active()
    m.sh(f"systemctl stop opitios-alpaca.socket {UNIT}", limit=90)
    return f"first answer after {took:.2f} s"


def removed(m):
    """A removal leaves configuration and history, a purge neither."""
    m.sh(f"systemctl start {UNIT}; apt-get remove -y -q opitios-alpaca", limit=120)
    same(m.sh("pgrep -c -f '[/]usr/libexec/opitios-alpaca'", okay=None).stdout.strip(), "0", "processes left")
    m.sh("test -e /etc/opitios-alpaca/opitios-alpaca.conf && test -d /var/lib/opitios-alpaca")
    m.sh("rm -rf /etc/systemd/system/opitios-alpaca.service.d; apt-get purge -y -q opitios-alpaca", limit=120)
    left = m.sh("find / -xdev -path /proc -prune -o -name '*opitios*' -print").split()
    same(left, [], "left after a purge")


def checks(box):
    titles = (("starts with the package, then with keys as credentials", starts), ("sandbox in force, nothing needed refused", confined),
              ("systemd-analyze verify and security, exit codes", exposed), ("SIGKILL, restart", killed),
              ("SIGSTOP, watchdog, restart", hangs), ("a worker's crash is reported", crashes), ("reload under load, and one refused", reloads),
              ("upgrade under load", upgrades), ("a wrong configuration is not tried again", refused),
              ("a restart refuses no connection", restarted), ("stop", stops), ("socket activation", activated),
              ("package: removed and purged", removed))
    try:
        machine = booted(box)
    except Skip as e:
        box.skip([f"unit: {t}" for t, _ in titles], str(e))
        return
    for title, function in titles:
        box.check(title if title.startswith("package") else f"unit: {title}", function, machine)
    box.remove(machine.name)
