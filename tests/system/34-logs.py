"""34-logs.py - what the gateway writes about itself: whole lines, none lost by a rotation, no secret, never in the way."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading

from harness import BUILD, KEY, ROOT, SECRET, Client, Gateway, Skip, check, equal, raw, run_file, wait_for

DEMO = ROOT / "tests/recordings/every-endpoint"
TABLE = ROOT / "include/tables/log_fields.def"


def fields():
    """{name: WHERE} of the table."""
    return dict(re.findall(r"^LOG_FIELD\((\w+), (\w+),", TABLE.read_text(), re.M))


def lines_of(*paths):
    return [json.loads(line) for p in paths for line in p.read_text(errors="strict").splitlines()]


def ctl(g, *words):
    return subprocess.run([str(BUILD / "opitios-ctl"), "--state-dir", str(g.state), *words], capture_output=True,
                          text=True, timeout=20)


def test_every_line_is_an_object_of_the_tables_fields(scene):
    _, g = scene.pair(DEMO, settings=("--log.level=debug", "--log.access=full"))
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-Id": "told-7", "User-Agent": 'odd "agent"\tx'}
    equal(g.ask("/api/v1/stocks/AAPL/quote?feed=iex", headers=headers).status, 200)
    equal(g.ask("/api/v1/stocks/ZZZZ/quote", headers={"X-Request-Id": "told-8"}).status, 404)
    raw_path = "/%0d%0a%1b[2J" + "x" * 3000
    g.ask(raw_path)
    raw(g.port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \xff\xfe\xc2\x9b\xe2\x80\xa8\\\"}{\xed\xa0\x80\r\n\r\n")
    g.stop()
    known, lines = fields(), lines_of(g.log_path)
    every = [n for n, where in known.items() if where == "EVERY"]
    for line in lines:
        check(set(line) <= set(known), "fields that no table knows:", set(line) - set(known))
        check([n for n in line] == [n for n in known if n in line], "not in the table's order:", line)
        check(set(every) <= set(line), "fields that every line has:", line)
    access = [line for line in lines if line["message"] == "access"]
    first = next(line for line in access if line.get("request_id") == "told-7")
    equal((first["method"], first["path"], first["status"], first["trace_id"], first["symbol"]),
          ("GET", "/api/v1/stocks/AAPL/quote", 200, trace, "AAPL"))
    equal((first["route"], first["user_agent"], first["cache"]), ("/api/v1/stocks/{symbol}/quote", 'odd "agent"\tx', "miss"))
    check(first["bytes"] > 100 and first["duration_ms"] > 0 and first["client"].startswith("127.0.0.1:"), first)
    wild = next(line["user_agent"] for line in access if line["path"] == "/livez" and "}{" in line["user_agent"])
    check("\u009b" in wild and "\ufffd" in wild and all(b"\x9b" not in t and b"\xff" not in t for t in
          g.log_path.read_bytes().splitlines()), "bytes that are no text", repr(wild))
    failed = [line for line in lines if line.get("request_id") == "told-8"]
    check(any(line["code"] == "SYMBOL_NOT_FOUND" and line["symbol"] == "ZZZZ" and line["message"] != "access"
              for line in failed), failed)
    check(any(line["path"].startswith("/%0d%0a%1b[2Jxxx") and line["path"].endswith("...") for line in access), "cut path")


def test_a_sampled_access_log_holds_one_in_n(scene):
    _, g = scene.pair(DEMO, settings=("--log.access=sampled", "--log.access_sample=10",
                                     f"--log.access_file={scene.folder}/access"))
    c = Client(g.port)
    before = len(lines_of(scene.folder / "access"))
    for _ in range(200):
        c.ask("/livez")
    equal(len(lines_of(scene.folder / "access")) - before, 20)
    check('"access"' not in g.tail(100000), "the access log has a file of its own")


class Numbered:
    """Requests that carry a number each in their id, until told to stop; the numbers that were answered."""

    def __init__(self, port, name):
        self.name, self.done, self.answered = name, threading.Event(), 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.done.is_set():
            batch = "".join(f"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: {self.name}-{self.answered + i}\r\n\r\n"
                            for i in range(50))
            self.socket.sendall(batch.encode())
            got = b""
            while got.count(b"HTTP/1.1 200") < 50 or not got.endswith(b"}"):
                part = self.socket.recv(65536)
                check(part, "the connection ended")
                got += part
            self.answered += 50

    def stop(self):
        self.done.set()
        self.thread.join(20)
        self.socket.close()
        return self.answered


def test_fifty_rotations_under_load_lose_no_line(scene):
    path, moved = scene.folder / "log", []
    _, g = scene.pair(DEMO, workers=2, settings=("--log.access=full", f"--log.file={path}"))
    load = [Numbered(g.port, f"load{i}") for i in range(2)]
    for i in range(50):
        moved.append(path.with_name(f"log.{i}"))
        path.rename(moved[-1])
        if i % 2:
            g.process.send_signal(signal.SIGUSR1)
        else:
            equal(ctl(g, "reopen-logs").returncode, 0)
        # Every process has opened it again: the workers, which are told later than the master, write there.
        wait_for(lambda: path.exists() and b'"slot":"http-' in path.read_bytes(), 10, "lines behind a rotation", every=0.02)
    answered = {n.name: n.stop() for n in load}
    g.stop()
    equal(path.stat().st_mode & 0o777, 0o640)
    ids = {}
    for line in lines_of(*moved, path):
        if line["message"] == "access" and line["request_id"].startswith("load"):
            ids[line["request_id"]] = ids.get(line["request_id"], 0) + 1
    check(min(answered.values()) > 500, "there was load:", answered)
    for name, n in answered.items():
        equal([i for i in range(n) if ids.pop(f"{name}-{i}", 0) != 1], [], f"lines of {name} that are not there once")
    equal(len(ids), 0, "lines of requests that were never answered")
    equal(g.log_path.read_text(), "", "nothing goes to stderr")


class Piped(Gateway):
    """Its log is a pipe: what is there is not for looking back."""

    def tail(self, n=1500):
        return ""


def test_a_reader_that_stopped_stalls_nobody(scene):
    """Nobody reads the pipe: the gateway answers as fast as ever, counts, and says so when it is read again."""
    r, pipe = scene.replay(DEMO, args=("--rate-per-minute", "0")), scene.folder / "gateway.log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    g = Piped(scene.folder, r.port, settings=("--log.access=full", "--log.level=debug"), wait=False)
    pipe.unlink()
    scene.started.append(g)
    g.wait_ready()
    client, slowest = Client(g.port), 0.0
    for _ in range(1500):
        a = client.ask("/livez")
        equal(a.status, 200)
        slowest = max(slowest, a.seconds)
    check(slowest < 0.5, "an answer took", slowest)
    dropped = wait_for(lambda: g.metric("opitios_log_lines_dropped_total", worker="http-0"), 5, "dropped lines to be counted")
    check(dropped > 300, dropped)
    equal(g.metric("opitios_worker_hangs_total"), 0)
    got = bytearray()

    def told():
        with contextlib.suppress(BlockingIOError):
            got.extend(os.read(reader, 1 << 20))
        return re.search(rb'"slot":"http-0"[^\n]*"dropped":(\d+)', got)
    check(int(wait_for(told, 5, "the log to say what was dropped")[1]) > 300, "dropped lines told")
    equal(g.stop(), 0)
    told()
    check(len([json.loads(line) for line in got.splitlines()]) > 50, "every line is whole")
    os.close(reader)


REDIS_PASSWORD, POSTGRES_PASSWORD, CLIENT_KEY = "r3dis-Pa55-never", "p0stgres-Pa55-never", "client-k3y-in-a-url"


def secrets():
    forms = [KEY, SECRET, REDIS_PASSWORD, POSTGRES_PASSWORD, "reader-Pa55-never", CLIENT_KEY]
    return [f.encode() for f in forms]


def exercise(g):
    """Answers of each kind, faults, refused requests with keys in every place clients put them, a crash."""
    for path in ("/api/v1/stocks/AAPL/quote", "/api/v1/stocks/NOSUCH/quote", "/api/v1/stocks/AAPL/bars", "/nothing/here"):
        g.ask(path)
        g.ask(f"{path}?api_key={CLIENT_KEY}&token={CLIENT_KEY}", headers={
            "Authorization": f"Bearer {CLIENT_KEY}", "APCA-API-SECRET-KEY": CLIENT_KEY, "Cookie": f"k={CLIENT_KEY}"})
    g.ask("/api/v1/stocks/quotes/batch", "POST", {"symbols": ["AAPL"], "api_key": CLIENT_KEY})
    for target in (f"http://user:{CLIENT_KEY}@127.0.0.1/livez", f"/livez?k={CLIENT_KEY}", f"http://x/livez?k={CLIENT_KEY}#{CLIENT_KEY}",
                   f"/livez?k={CLIENT_KEY} broken"):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            while s.recv(65536):
                pass


def gateway_with_secrets(scene, *more, **kw):
    env = {"REDIS_URL": f"redis://user:{REDIS_PASSWORD}@127.0.0.1:1/0",
           "POSTGRES_URL": f"postgresql://gateway:{POSTGRES_PASSWORD}@127.0.0.1:1/history",
           "POSTGRES_READ_URL": "host=127.0.0.1 port=1 user=reader password=reader-Pa55-never dbname=history"}
    return scene.pair(DEMO, settings=("--log.level=debug", "--log.access=full", *more), env=env, **kw)


def test_no_secret_is_in_any_log(scene):
    scene.expected = ("signal 6 (Aborted)",)
    r, g = gateway_with_secrets(scene)
    exercise(g)
    r.fault("html401")
    g.ask("/api/v1/stocks/MSFT/quote")
    r.heal()
    for slot in ("fetcher-rest", "cache-writer", "http-0"):
        pid = g.children()[slot]
        os.kill(pid, signal.SIGABRT)
        wait_for(lambda: g.children().get(slot, pid) != pid, 10, f"another {slot}")
    wait_for(lambda: len(list((g.state / "crashes").glob("*.json"))) >= 3, 10, "crash reports")
    g.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload:" in g.tail(100000), 10, "the reload")
    g.stop()
    found = [p for p in scene.folder.rglob("*") if p.is_file() and (p.suffix == ".json" or p.name == "gateway.log")]
    check(len(found) >= 4, "the log and crash reports:", found)
    for path in found:
        data = path.read_bytes()
        check(len(data) > 100, path, "is empty")
        equal([s for s in secrets() if s in data], [], f"secrets in {path.name}")


JOURNAL = r"""
import os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
os.makedirs("/run/systemd/journal")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
stream, _ = socket.socketpair()
st = os.fstat(stream.fileno())
env = {**os.environ, "JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"}
child = subprocess.Popen(sys.argv[2:], env=env, stderr=stream, stdout=stream)
import signal
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
s.settimeout(0.1)
with open(sys.argv[1], "wb") as out:
    while True:
        try:
            out.write(s.recv(65536) + b"\0")
            out.flush()
        except TimeoutError:
            if child.poll() is not None:
                break
sys.exit(child.returncode)
"""


def test_the_journal_gets_fields_and_no_secret(scene):
    """In a mount namespace of its own, where the journal's socket is this test's."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise Skip("no mount namespaces for this user")
    script, out = scene.folder / "journal.py", scene.folder / "datagrams"
    script.write_text(JOURNAL)
    popen = subprocess.Popen

    def wrapped(command, **kw):
        return popen(["unshare", "-m", "python3", str(script), str(out), *command], **kw)
    r = scene.replay(DEMO, args=("--rate-per-minute", "0"))
    subprocess.Popen = wrapped
    try:
        g = scene.gateway(r, settings=("--log.level=debug", "--log.access=full"), env={
            "REDIS_URL": f"redis://user:{REDIS_PASSWORD}@127.0.0.1:1/0",
            "POSTGRES_URL": f"postgresql://gateway:{POSTGRES_PASSWORD}@127.0.0.1:1/history"})
    finally:
        subprocess.Popen = popen
    exercise(g)
    equal(g.stop(), 0)
    data = out.read_bytes()
    equal([s for s in secrets() if s in data], [], "secrets in the journal")
    entries = [dict(line.split("=", 1) for line in d.decode().splitlines()) for d in data.split(b"\0") if d]
    check(all({"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "OPITIOS_SLOT"} <= set(e) for e in entries), "fields of each")
    equal({e["SYSLOG_IDENTIFIER"] for e in entries}, {"opitios-alpaca"})
    check({"master", "fetcher-rest", "cache-writer", "http-0"} <= {e["OPITIOS_SLOT"] for e in entries}, "every slot")
    check(any(e["MESSAGE"] == "access" and e["OPITIOS_SYMBOL"] == "AAPL" and e["OPITIOS_REQUEST_ID"] for e in entries if
              "OPITIOS_SYMBOL" in e), "an access entry")


def test_a_file_that_cannot_be_opened_is_told_at_the_start(scene):
    r = subprocess.run([str(BUILD / "opitios-alpaca"), "--http.address=127.0.0.1:0", "--admin.address=off",
                        f"--state.dir={scene.folder}/state", "--log.file=/nowhere/log"], env={"PATH": os.environ["PATH"]},
                       capture_output=True, text=True, timeout=20)
    equal(r.returncode, 78)
    check("/nowhere/log" in r.stderr and "No such file" in r.stderr, r.stderr)


if __name__ == "__main__":
    run_file(globals())
