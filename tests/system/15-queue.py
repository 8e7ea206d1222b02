"""Who waits to be accepted loses nothing when a worker dies, drains, stops or the gateway ends; who is in hand is answered."""
import contextlib
import os
import selectors
import signal
import socket
import threading
import time

from harness import ROOT, check, equal, metric_of, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=5"
LIVE = b"GET /livez HTTP/1.1\r\nHost: t\r\n\r\n"
QUEUED = 1000
# A worker that is stopped here on purpose is not to be replaced for hanging.
CALM = ("--supervisor.hang_timeout=0", "--supervisor.stable_after=10ms")


def http_pids(g):
    return {slot: pid for slot, pid in g.children().items() if slot.startswith("http-")}


def stopped(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(") ", 1)[1][0] == "T"


@contextlib.contextmanager
def all_stopped(g):
    pids = http_pids(g)
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(stopped(p) for p in pids.values()), 5, "workers to stop")
    try:
        yield pids
    finally:
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Queue:
    """Connections the kernel has completed and nobody has accepted, each with its request sent."""

    def __init__(self, port, count):
        self.got = {}
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            s.sendall(LIVE)
            self.got[s] = b""

    def collect(self, seconds=30):
        """Reads until each has an answer; {outcome: how many}."""
        outcome, end = {}, time.monotonic() + seconds
        with selectors.DefaultSelector() as look:
            for s in self.got:
                look.register(s, selectors.EVENT_READ)
            while look.get_map() and time.monotonic() < end:
                for key, _ in look.select(1):
                    s = key.fileobj
                    try:
                        part = s.recv(65536)
                    except OSError as e:
                        word = type(e).__name__
                    else:
                        self.got[s] += part
                        if part and b"\r\n\r\n" not in self.got[s]:
                            continue
                        word = self.got[s][9:12].decode() or "closed without an answer"
                    look.unregister(s)
                    s.close()
                    outcome[word] = outcome.get(word, 0) + 1
            for key in list(look.get_map().values()):
                key.fileobj.close()
                outcome["silence"] = outcome.get("silence", 0) + 1
        return outcome


def test_a_killed_worker_costs_nobody_in_the_queue(scene):
    _, g = scene.pair(DEMO, workers=4, settings=CALM)
    with all_stopped(g) as pids:
        queue = Queue(g.port, QUEUED)
        os.kill(pids["http-1"], signal.SIGKILL)
    equal(queue.collect(), {"200": QUEUED}, "answers")


def test_all_workers_killed_cost_nobody_in_the_queue(scene):
    _, g = scene.pair(DEMO, workers=4, settings=CALM)
    with all_stopped(g) as pids:
        queue = Queue(g.port, QUEUED)
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
    equal(queue.collect(), {"200": QUEUED}, "answers")


def test_a_drained_worker_costs_nobody_in_the_queue(scene):
    _, g = scene.pair(DEMO, workers=4, settings=CALM)
    with all_stopped(g) as pids:
        queue = Queue(g.port, QUEUED)
        os.kill(pids["http-2"], signal.SIGTERM)
    equal(queue.collect(), {"200": QUEUED}, "answers")
    wait_for(lambda: http_pids(g).get("http-2") not in (None, pids["http-2"]), 10, "a successor of the drained worker")


def test_a_gateway_that_ends_answers_who_is_in_its_queue(scene):
    _, g = scene.pair(DEMO, workers=4, settings=CALM)
    with all_stopped(g):
        queue = Queue(g.port, QUEUED)
        g.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)     # the master has told its workers; they wake to both at once
    equal(queue.collect(), {"200": QUEUED}, "answers")
    equal(g.process.wait(20), 0, "exit code")


def test_workers_drained_one_after_the_other_under_load_fail_no_new_connection(scene):
    _, g = scene.pair(DEMO, workers=4, settings=(*CALM, "--http.close_spread=100ms"))
    done, failures, counts = threading.Event(), [], []

    def client():
        n = 0
        while not done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", g.port), timeout=10) as s:
                    if n % 3 == 0:
                        time.sleep(0.002)   # the worker may be told to drain before the request comes
                    s.sendall(LIVE)
                    check(s.recv(4096).startswith(b"HTTP/1.1 200"), "no answer to the first request")
                n += 1
            except (OSError, AssertionError) as e:
                failures.append(f"{type(e).__name__}: {e}")
        counts.append(n)
    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(16):
        slot = f"http-{i % 4}"
        pid = wait_for(lambda: http_pids(g).get(slot), 10, slot)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: http_pids(g).get(slot) not in (None, pid), 10, "a successor")
    done.set()
    for t in threads:
        t.join(20)
    print(f"        {sum(counts)} connections while 16 workers were drained")
    equal(failures, [], "failures")
    check(sum(counts) > 200, "too few connections:", counts)


def test_a_stopped_worker_holds_up_no_connection_it_did_not_accept(scene):
    _, g = scene.pair(DEMO, workers=4, settings=CALM)
    victim = http_pids(g)["http-3"]
    os.kill(victim, signal.SIGSTOP)
    wait_for(lambda: stopped(victim), 5, "a worker to stop")
    try:
        slowest = 0.0
        for _ in range(600):
            begun = time.monotonic()
            with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
                s.sendall(LIVE)
                check(s.recv(4096).startswith(b"HTTP/1.1 200"))
            slowest = max(slowest, time.monotonic() - begun)
        queue = Queue(g.port, 300)
        equal(queue.collect(10), {"200": 300}, "answers")
    finally:
        os.kill(victim, signal.SIGCONT)
    print(f"        slowest of 600: {slowest * 1e3:.1f} ms")
    check(slowest < 1, "slowest", slowest)


def test_requests_that_wait_for_the_fetcher_are_answered_before_the_worker_ends(scene):
    r, g = scene.pair(DEMO, workers=1, settings=(*CALM, "--http.close_spread=0"))
    r.fault("slow", count=-1, path="/v2/stocks/bars", delay_ms=800)
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(g.ask(f"/api/v1/stocks/GOOG/bars?limit={n}"))) for n in range(1, 7)]
    pid = http_pids(g)["http-0"]
    for t in threads:
        t.start()
    wait_for(lambda: metric_of(g.metrics(), "opitios_http_requests_in_flight") >= len(threads), 10, "requests in hand")
    begun = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    for t in threads:
        t.join(20)
    equal([a.status for a in answers], [200] * len(threads), "answers")
    equal({a.headers.get("connection") for a in answers}, {"close"}, "each says that it is the last")
    wait_for(lambda: http_pids(g).get("http-0") not in (None, pid), 10, "a successor")
    check(time.monotonic() - begun < 10, "the drain took", time.monotonic() - begun)


def test_connections_at_rest_leave_over_the_window_and_not_all_at_once(scene):
    _, g = scene.pair(DEMO, workers=1, settings=(*CALM, "--http.close_spread=2s"))
    rest = []
    for _ in range(100):
        s = socket.create_connection(("127.0.0.1", g.port), timeout=10)
        s.sendall(LIVE)
        check(s.recv(4096).startswith(b"HTTP/1.1 200"))
        rest.append(s)
    begun, ends = time.monotonic(), []
    os.kill(http_pids(g)["http-0"], signal.SIGTERM)
    with selectors.DefaultSelector() as look:
        for s in rest[:-1]:
            look.register(s, selectors.EVENT_READ)
        while look.get_map():
            events = look.select(10)
            check(events, "connections were not closed")
            for key, _ in events:
                equal(key.fileobj.recv(10), b"", "an end without a word")
                ends.append(time.monotonic() - begun)
                look.unregister(key.fileobj)
                key.fileobj.close()
    rest[-1].close()
    quarters = [sum(q / 2 <= t < (q + 1) / 2 for t in ends) for q in range(5)]
    print(f"        ends by half seconds: {quarters}")
    check(all(10 <= n <= 40 for n in quarters[:4]), "uneven:", quarters)
    check(quarters[4] <= 10 and max(ends) < 4, "late:", quarters, max(ends))


if __name__ == "__main__":
    run_file(globals())
