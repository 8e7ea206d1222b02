"""A rolling update as a cluster does it: two gateways end and come back in turn, clients follow /readyz late, nothing fails."""
import contextlib
import http.client
import os
import random
import signal
import socket
import statistics
import threading
import time

from harness import ROOT, Client, Gateway, ask, check, equal, run_file, wait_for
from ports import free_port

DEMO = ROOT / "recordings/matplotlib-daily"
FULL = os.environ.get("OPITIOS_FULL") == "1"
REQUESTS = 50000 if FULL else 5000
ROLLS = 12 if FULL else 4
PROBE, LATE = 0.05, 0.3     # s between probes; how long an endpoint that is not ready may still be chosen
PATHS = [f"/api/v1/stocks/GOOG/bars?limit={n}" for n in range(1, 9)] + ["/livez"]


class Endpoint:
    """What the cluster knows of a gateway: probed, believed late."""

    def __init__(self, port):
        self.port, self.until, self.done = port, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        ready = False
        while not self.done.wait(PROBE):
            now = False
            with contextlib.suppress(OSError, http.client.HTTPException):
                now = ask(self.port, "/readyz", timeout=1).status == 200
            if now:
                self.until = float("inf")
            elif ready:
                self.until = time.monotonic() + random.uniform(0, LATE)
            ready = now

    def chosen(self):
        return time.monotonic() < self.until

    def stop(self):
        self.done.set()
        self.thread.join(5)


class Unanswered(Exception):
    """The connection ended before the first byte of an answer."""


class Caller:
    """Asks until told to end. A kept connection is used as long as it stands, whatever the probes say."""

    def __init__(self, endpoints, kept):
        self.endpoints, self.kept = endpoints, kept
        self.done, self.answered, self.retries, self.closes, self.failures = threading.Event(), 0, 0, 0, []
        self.socket = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        ready = wait_for(lambda: [e for e in self.endpoints if e.chosen()], 20, "an endpoint", every=0.001)
        self.socket = socket.create_connection(("127.0.0.1", random.choice(ready).port), timeout=20)

    def drop(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def exchange(self, path):
        """One request on the connection at hand; the status."""
        try:
            self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            got = self.socket.recv(65536)
        except OSError as e:
            raise Unanswered(f"{type(e).__name__}: {e}") from None
        if not got:
            raise Unanswered("closed")
        while b"\r\n\r\n" not in got:
            part = self.socket.recv(65536)
            check(part, "cut within a header")
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
        while len(body) < int(fields["content-length"]):
            part = self.socket.recv(65536)
            check(part, "cut within a body")
            body += part
        if fields.get("connection") == "close":
            self.closes += 1
            self.drop()
        return int(head.split()[1])

    def once(self):
        path = random.choice(PATHS)
        fresh = self.socket is None
        if fresh:
            self.connect()
        try:
            status = self.exchange(path)
        except Unanswered:
            self.drop()
            if fresh:
                raise
            # As every client does: the server let go of a kept connection, so ask once more on a new one.
            self.retries += 1
            self.connect()
            status = self.exchange(path)
        if not self.kept:
            self.drop()
        equal(status, 200, path)
        self.answered += 1

    def run(self):
        while not self.done.is_set():
            try:
                self.once()
            except (OSError, ValueError, KeyError, Unanswered, AssertionError) as e:
                self.drop()
                self.failures.append(f"{'kept' if self.kept else 'new'}: {type(e).__name__}: {e}")
            time.sleep(0.001 if FULL else 0.004)

    def stop(self):
        self.done.set()
        self.thread.join(30)
        self.drop()


def start(scene, name, replay, port):
    folder = scene.folder / name
    folder.mkdir(exist_ok=True)
    g = Gateway(folder, replay.port, workers=2, settings=(f"--http.address=127.0.0.1:{port}", "--supervisor.drain_delay=1s",
                                                          "--http.close_spread=500ms", "--upstream.budget_per_minute=100000"))
    scene.started.append(g)
    return g


def not_ready_after(g):
    """SIGTERM; seconds until /readyz says 503."""
    client = Client(g.port)
    equal(client.ask("/readyz").status, 200)
    begun = time.monotonic()
    g.process.send_signal(signal.SIGTERM)
    while client.ask("/readyz").status == 200:
        check(time.monotonic() - begun < 5, "/readyz goes on saying 200")
    took = time.monotonic() - begun
    client.close()
    return took


def test_a_rolling_update_fails_no_request(scene):
    replay = scene.replay(DEMO, args=("--rate-per-minute", "0"))
    ports = [free_port(), free_port()]
    gateways = [start(scene, f"gateway-{i}", replay, port) for i, port in enumerate(ports)]
    endpoints = [Endpoint(port) for port in ports]
    wait_for(lambda: all(e.chosen() for e in endpoints), 10, "both endpoints")
    callers = [Caller(endpoints, kept=i % 2 == 0) for i in range(8)]
    took, rolls = [], 0
    try:
        while rolls < ROLLS or sum(c.answered for c in callers) < REQUESTS:
            i = rolls % 2
            took.append(not_ready_after(gateways[i]))
            equal(gateways[i].process.wait(30), 0, "exit code")
            gateways[i].stop()
            scene.started.remove(gateways[i])
            gateways[i] = start(scene, f"gateway-{i}", replay, ports[i])
            wait_for(endpoints[i].chosen, 10, "the new gateway to be chosen")
            rolls += 1
    finally:
        for thing in callers + endpoints:
            thing.stop()
    answered, failures = sum(c.answered for c in callers), [f for c in callers for f in c.failures]
    print(f"        {answered} requests over {rolls} updates: {len(failures)} failed, {sum(c.retries for c in callers)} asked again on"
          f" another connection, {sum(c.closes for c in callers if c.kept)} kept connections were told to close")
    print(f"        503 at /readyz after {statistics.median(took) * 1e3:.1f} ms median, {max(took) * 1e3:.1f} ms worst")
    equal(failures[:5], [], "failures")
    check(statistics.median(took) <= 0.05 and max(took) <= 0.25, "/readyz took", took)


def test_while_it_is_not_ready_any_more_it_answers_as_before_and_only_then_says_close(scene):
    replay = scene.replay(DEMO, args=("--rate-per-minute", "0"))
    g = start(scene, "gateway", replay, free_port())
    client, closes = Client(g.port), []
    equal(client.ask("/livez").status, 200)
    begun = time.monotonic()
    g.process.send_signal(signal.SIGTERM)
    while not closes:
        a = client.ask("/livez")
        equal(a.status, 200)
        equal(ask(g.port, PATHS[0]).status, 200, "a new connection") if time.monotonic() - begun < 0.7 else None
        if a.headers.get("connection", "").lower() == "close":
            closes.append(time.monotonic() - begun)
        check(time.monotonic() - begun < 5, "it never said close")
        time.sleep(0.002)
    client.close()
    check(0.9 <= closes[0] < 3, "it said close after", closes)
    equal(g.process.wait(20), 0, "exit code")


if __name__ == "__main__":
    run_file(globals())
