"""An upgrade under load: the same pid goes on as another file; whatever is wrong with the new one, the old one serves on."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import harness
from harness import BUILD, ROOT, LogTail, NewConnections, check, equal, metric_of, run_file, series_of, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=1"
FULL = os.environ.get("OPITIOS_FULL") == "1"
NAMES = ("opitios-alpaca", "fetcher", "cache-writer", "http")
SAID = rb"upgrade: ((?:failed, the old executable serves on: |refused: |generation \d+: \d+ workers|\d+ workers)(?:\\.|[^\"\\])*)"

# A worker that answers as those of this build do, and then does what the test wants of it.
WORKER = """
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--tables") == 0)
		return puts("TABLES") < 0;
	LATER;
}
"""
# A master whose trial says what LATER says.
MASTER = """
#include <signal.h>
#include <unistd.h>
int main(void)
{
	LATER;
}
"""


class Installed:
    """The executables in a folder of their own, a gateway that was started from there, and new files put in their places."""

    def __init__(self, scene, *settings, workers=2):
        self.folder, self.scene = scene.folder / "installed", scene
        self.folder.mkdir()
        for name in NAMES:
            shutil.copy2(BUILD / name, self.folder / name)
        replay = scene.replay(DEMO, args=("--rate-per-minute", "0"))
        built, harness.BUILD = harness.BUILD, self.folder
        try:
            self.gateway = scene.gateway(replay, workers=workers, settings=(
                "--upstream.budget_per_minute=100000", "--freshness.bars=1h", "--freshness.closed=1h",
                "--supervisor.upgrade_timeout=10s", *settings))
        finally:
            harness.BUILD = built
        self.pid, self.log = self.gateway.process.pid, LogTail(self.gateway.log_path)
        equal(self.gateway.ask(BARS).status, 200)

    def put(self, name, source=None):
        """As a package manager does: the old file stays what it is for those that run it."""
        new = self.folder / f"{name}.new"
        shutil.copy2(source or BUILD / name, new)
        new.chmod(0o755)
        new.rename(self.folder / name)

    def put_all(self):
        for name in NAMES:
            self.put(name)

    def compile(self, name, text, later):
        text = text.replace("LATER", later)
        if "TABLES" in text:
            text = text.replace("TABLES", subprocess.check_output([BUILD / name, "--tables"], text=True).strip())
        source = self.scene.folder / "bad.c"
        source.write_text(text)
        subprocess.check_call(["gcc", "-o", self.scene.folder / "bad", source])
        self.put(name, self.scene.folder / "bad")

    def ask(self):
        """Sends SIGUSR2; what the log says became of it."""
        self.log.skip()
        self.gateway.process.send_signal(signal.SIGUSR2)
        return self.log.wait(SAID, 40)[0][1].decode()

    def image(self):
        """What the master executes: path and inode."""
        exe = f"/proc/{self.pid}/exe"
        return os.readlink(exe), os.stat(exe).st_ino

    def images(self):
        """The files that the workers execute, by slot."""
        return {slot: os.stat(f"/proc/{pid}/exe").st_ino for slot, pid in self.gateway.children().items()}

    def inodes(self):
        return {name: (self.folder / name).stat().st_ino for name in NAMES}

    def settle(self):
        wait_for(lambda: sorted(self.gateway.children().values()) and len(self.gateway.children()) == 4, 20,
                 f"one process a slot: {self.gateway.children()}")
        wait_for(lambda: all(w["state"] == "ready" for w in self.gateway.workers().values() if w["pid"]), 20, "all slots ready")

    def descriptors(self):
        self.settle()
        found = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                found.append(re.sub(r"\d+", "N", os.readlink(f"/proc/{self.pid}/fd/{fd}").replace(" (deleted)", "")))
        return sorted(found)


def fell(before, after):
    return [name for name, value in before.items()
            if name.split("{")[0].endswith(("_total", "_count", "_sum", "_bucket")) and after.get(name, 0) < value]


def test_upgrades_under_new_connections_lose_no_request_and_no_count(scene):
    i = Installed(scene)
    g, upgrades, requests = i.gateway, 3, 100_000 if FULL else 6_000
    # Twice without load: what is opened once and then kept is open.
    for _ in range(2):
        i.put_all()
        said = i.ask()
        check(not said.startswith(("failed", "refused")), said)
    fds, text = i.descriptors(), g.metrics()
    counted, seen = metric_of(text, "opitios_http_requests_total"), series_of(text)
    probes = 1
    load = NewConnections(g.port, BARS, requests, step=requests // (upgrades + 1))
    for _ in range(upgrades):
        load.reached()
        i.put_all()
        said = i.ask()
        check(not said.startswith(("failed", "refused")), said)
        equal(i.image(), (str(i.folder / "opitios-alpaca"), i.inodes()["opitios-alpaca"]), "what the master executes")
        now = series_of(g.metrics())
        probes += 1
        equal(fell(seen, now), [], "counters that fell")
        seen = now
    got = load.stop()
    print(f"        {got['requests']} requests at {got['rate']:.0f}/s, p99 {got['p99_us'] / 1e3:.1f} ms, {upgrades} upgrades")
    equal((got["requests"] - got["good"], got["failures"]), (0, dict.fromkeys(got["failures"], 0)), "failed")
    equal(g.metric("opitios_http_requests_total") - counted, got["requests"] + probes, "requests counted and requests served")
    equal(g.process.poll(), None, "the master")
    equal(i.descriptors(), fds, "descriptors of the master")
    new = i.inodes()
    for slot, inode in i.images().items():
        role = re.sub(r"-(rest|[\d.]+)$", "", slot)
        equal(inode, new[role], slot)


def refused(i, words, before, others=()):
    """An upgrade that must fail, under load: all is as it was."""
    load = NewConnections(i.gateway.port, BARS)
    said = i.ask()
    i.settle()
    failed = load.failed()
    check(said.startswith("failed, the old executable serves on: ") and re.search(words, said), words, "is not in:", said)
    equal(failed, 0, f"requests failed while {said}: {load.result}")
    equal(i.image()[1], before[0][1], "what the master executes")
    check(i.image()[0].endswith(" (deleted)"), i.image())
    images = i.images()
    for slot in before[1]:
        wanted = before[1][slot]
        equal(images.get(slot, images.get(f"{slot}.1", images.get(slot.removesuffix(".1")))), wanted, f"{slot} after {said}")
    print(f"        {said[len('failed, the old executable serves on: '):]}")


def then_a_good_one(i):
    i.put_all()
    said = i.ask()
    check(not said.startswith(("failed", "refused")), said)
    equal(i.image(), (str(i.folder / "opitios-alpaca"), i.inodes()["opitios-alpaca"]), "what the master executes")
    i.settle()
    equal(i.gateway.ask(BARS).status, 200)


def test_a_new_master_that_is_no_good_changes_nothing(scene):
    i = Installed(scene, "--supervisor.upgrade_timeout=1s")
    i.settle()
    before, children = (i.image(), i.images()), i.gateway.children()
    for later, words in (("for (;;) pause()", "not ready within 1000 ms"), ("return 3", "exit 3|status 3"),
                         ("kill(getpid(), SIGKILL)", "signal 9"),
                         ('return write(3, "made of other tables", 20) == 20 ? 65 : 1', "made of other tables")):
        i.compile("opitios-alpaca", MASTER, later)
        refused(i, words, before)
        equal(i.gateway.children(), children, "the workers")
    (i.scene.folder / "bad").write_text("this is no executable\n")
    i.put("opitios-alpaca", i.scene.folder / "bad")
    refused(i, "Exec format error", before)
    (i.folder / "opitios-alpaca").unlink()
    refused(i, "no executable", before)
    then_a_good_one(i)


def other_tables(source, target):
    """The same program with one name in its message tables changed: real code of another protocol."""
    data, name = source.read_bytes(), b"\0timeout_ms\0"
    check(name in data, "the tables have no such field any more: choose another")
    target.write_bytes(data.replace(name, b"\0timeout_mz\0"))


def test_executables_of_other_tables_are_refused(scene):
    i = Installed(scene)
    before, bad = (i.image(), i.images()), scene.folder / "bad"
    other_tables(BUILD / "opitios-alpaca", bad)
    i.put("opitios-alpaca", bad)
    refused(i, "laid out otherwise", before)
    i.put("opitios-alpaca")
    other_tables(BUILD / "http", bad)
    i.put("http", bad)
    refused(i, "http is of another build", before)
    i.put("http")
    (i.folder / "fetcher").unlink()
    refused(i, "has no executable fetcher", before)
    then_a_good_one(i)


def test_new_workers_that_are_no_good_are_rolled_back(scene):
    i = Installed(scene, "--supervisor.upgrade_timeout=1s")
    i.put("opitios-alpaca")
    before = i.image(), i.images()
    for name in ("http", "fetcher", "cache-writer"):
        for later, words in (("for (;;) pause()", "not ready within 1000 ms"), ("return 1", "exit 1|status 1")):
            i.compile(name, WORKER, later)
            i.put("opitios-alpaca")
            refused(i, words, before)
        i.put(name)
    then_a_good_one(i)


def test_what_the_old_workers_finish_is_no_time_of_the_new_ones(scene):
    i = Installed(scene, "--supervisor.upgrade_timeout=700ms", "--supervisor.hang_timeout=0")
    i.settle()
    writer, log = i.gateway.children()["cache-writer"], LogTail(i.gateway.log_path)
    os.kill(writer, signal.SIGSTOP)
    i.put_all()
    i.gateway.process.send_signal(signal.SIGUSR2)
    log.wait(rb"going on as .* after", 10)
    wait_for(lambda: i.gateway.workers()["cache-writer"]["state"] == "renewing", 10, "the writer to drain")
    time.sleep(1.0)
    os.kill(writer, signal.SIGCONT)
    said = log.wait(SAID, 20)[0][1].decode()
    check(not said.startswith(("failed", "refused")), said)


def test_a_stop_just_before_the_exec_is_a_stop(scene):
    i = Installed(scene)
    i.settle()
    log = LogTail(i.gateway.log_path)
    i.gateway.process.send_signal(signal.SIGUSR2)
    log.wait(rb"going on as [^ ]*\"", 10)
    i.gateway.process.send_signal(signal.SIGTERM)
    equal(i.gateway.process.wait(15), 0, "exit")


def test_a_failed_upgrade_leaves_no_descriptor_behind(scene):
    i = Installed(scene, "--supervisor.upgrade_timeout=500ms")
    i.compile("http", WORKER, "for (;;) pause()")
    counts = []
    for _ in range(3):
        i.put("opitios-alpaca")
        check(i.ask().startswith("failed"), i.gateway.tail())
        counts.append(i.descriptors())
    equal(counts[1], counts[2], "descriptors of the master")
    equal(len(counts[0]), len(counts[2]), "number of descriptors")


def rename_key(source, target):
    """The same master, which knows another key than the one that runs: one that no worker sees."""
    data, name = source.read_bytes(), b"\0fail_window\0"
    check(name in data, "there is no such key any more: choose another")
    target.write_bytes(data.replace(name, b"\0fail_windoz\0"))


def conf_of(scene, text):
    (scene.folder / "gateway.conf").write_text(text)
    return f"--config={scene.folder / 'gateway.conf'}"


def test_the_way_back_leads_to_the_configuration_that_was(scene):
    i = Installed(scene, conf_of(scene, "[supervisor]\nfail_window = 61s\n"), "--supervisor.upgrade_timeout=500ms")
    i.settle()
    before, fetcher = (i.image(), i.images()), i.gateway.children()["fetcher-rest"]
    rename_key(BUILD / "opitios-alpaca", scene.folder / "bad")
    i.put("opitios-alpaca", scene.folder / "bad")
    conf_of(scene, "[supervisor]\nfail_windoz = 61s\n[upstream]\ntimeout = 7s\n")
    i.compile("cache-writer", WORKER, "for (;;) pause()")  # behind the fetcher, which is renewed by then
    refused(i, "not ready within 500 ms", before)
    check(i.gateway.children()["fetcher-rest"] != fetcher, "the fetcher was not renewed at all")
    check("no such key" not in i.gateway.tail(100000), i.gateway.tail(3000))
    conf_of(scene, "[supervisor]\nfail_window = 62s\n")
    then_a_good_one(i)


def test_what_goes_wrong_between_exec_and_takeover_leads_back(scene):
    i = Installed(scene, conf_of(scene, ""), "--supervisor.hang_timeout=0")
    i.settle()
    children, log = i.gateway.children(), LogTail(i.gateway.log_path)
    os.kill(children["http-0"], signal.SIGSTOP)  # it drains until it may go on, and the exec waits for that
    ctl = subprocess.Popen([BUILD / "opitios-ctl", "--state-dir", i.gateway.state, "restart", "http-0"], stdout=subprocess.DEVNULL)
    equal(ctl.wait(10), 0, "restart")
    before = i.image()
    i.put("opitios-alpaca")
    i.gateway.process.send_signal(signal.SIGUSR2)
    log.wait(rb"upgrade: trying", 10)
    wait_for(lambda: not any(b"--trial=" in c for c in cmdlines(i.pid)), 10, "the trial's end")
    conf_of(scene, "[http]\nno_such_key = 1\n")
    os.kill(children["http-0"], signal.SIGCONT)
    said = log.wait(rb"upgrade: (failed, the old executable serves on: [^\"]*no_such_key)", 10)[0][1].decode()
    print(f"        {said}")
    i.settle()
    equal(i.image()[1], before[1], "what the master executes")
    equal((i.gateway.process.poll(), i.gateway.ask(BARS).status), (None, 200))
    equal({s: p for s, p in i.gateway.children().items() if s in children and s != "http-0"},
          {s: p for s, p in children.items() if s != "http-0"}, "the workers")
    equal(open(f"/proc/{i.pid}/comm").read().strip(), "opitios-alpaca", "what ps calls it")
    conf_of(scene, "")
    then_a_good_one(i)


def cmdlines(parent):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            stat = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
            if int(stat[1]) == parent and stat[0] != "Z":
                yield open(f"/proc/{pid}/cmdline", "rb").read()


def test_a_client_that_leaves_during_an_upgrade_leaves_nothing_behind(scene):
    i = Installed(scene, "--supervisor.upgrade_timeout=1s")
    before, log = (i.image(), i.images()), LogTail(i.gateway.log_path)
    i.compile("http", WORKER, "for (;;) pause()")
    i.put("opitios-alpaca")
    ctl = subprocess.Popen([BUILD / "opitios-ctl", "--state-dir", i.gateway.state, "upgrade"], stderr=subprocess.DEVNULL)
    log.wait(rb"going on as .* after", 10)
    ctl.kill()
    ctl.wait(10)
    others = [socket.socket(socket.AF_UNIX) for _ in range(10)]  # one takes the number of the one that left
    for other in others:
        other.settimeout(10)
        other.connect(str(i.gateway.state / "control.sock"))
        other.sendall(b'{"command":"status"}\n')
        check(b'"ok":true' in other.recv(65536), "no answer")
    log.wait(rb"upgrade: failed, the old executable serves on: not ready within 1000 ms", 10)
    i.settle()
    equal(i.image()[1], before[0][1], "what the master executes")
    children = i.gateway.children()
    for _ in range(20):
        equal(i.gateway.ask(BARS).status, 200)
    i.put("http")
    then_a_good_one(i)
    equal([other.recv(65536) for other in others], [b""] * len(others), "what other clients hear of the upgrade")
    check("breaks the protocol" not in i.gateway.tail(200000) and "control channel" not in i.gateway.tail(200000),
          i.gateway.tail(3000))
    equal(len(children), 4, "processes")


def test_what_an_upgrade_cannot_change_is_refused_by_name(scene):
    state = scene.folder / "state"
    text = f"[http]\naddress = 127.0.0.1:0\nworkers = 1\n[admin]\naddress = 127.0.0.1:0\n[state]\ndir = {state}\n"
    setting, log_path = conf_of(scene, text), scene.folder / "gateway.log"
    with open(log_path, "ab") as out:
        master = subprocess.Popen([BUILD / "opitios-alpaca", setting, "--supervisor.drain_delay=0"], stdout=out, stderr=out,
                                  env={"ALPACA_DATA_URL": "http://127.0.0.1:1", "ALPACA_API_KEY": harness.KEY,
                                       "ALPACA_SECRET_KEY": harness.SECRET})
    log = LogTail(log_path)
    try:
        wait_for(lambda: "serving on" in log_path.read_text(), 20, "the gateway")
        for key, new in (("state.dir", text.replace(str(state), f"{state}2")),
                         ("admin.address", text.replace("[admin]\naddress = 127.0.0.1:0", "[admin]\naddress = off")),
                         ("http.address", text.replace("[http]\naddress = 127.0.0.1:0", "[http]\naddress = 127.0.0.2:0"))):
            conf_of(scene, new)
            log.skip()
            master.send_signal(signal.SIGUSR2)
            log.wait(rb"failed, the old executable serves on: the new executable: %s is .*only a restart changes it" % key.encode(),
                     10)
        conf_of(scene, text)
        master.send_signal(signal.SIGUSR2)
        log.wait(rb"upgrade: \d+ workers|upgrade: generation", 10)
    finally:
        master.terminate()
        equal(master.wait(20), 0, "exit")


if __name__ == "__main__":
    run_file(globals())
