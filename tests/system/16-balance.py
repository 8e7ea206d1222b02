"""Connections are shared evenly among the http workers, and one that stands still is passed over."""
# Alone: the share of each worker depends on who else runs.
import multiprocessing
import os
import re
import signal
import socket
import threading
import time

from harness import ROOT, check, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
ASK = b"GET /livez HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
WORKERS, BOUND, PROCESSES = 8, 1.20, 4
CONNECTIONS = 20000 if os.environ.get("OPITIOS_FULL") == "1" else 9600


def accepted(g):
    """Connections accepted so far, by worker."""
    found = re.findall(r'^opitios_http_connections_accepted_total\{[^}]*="(http-\d+)"[^}]*\} (\S+)$', g.metrics(), re.M)
    return {slot: float(n) for slot, n in found}


def client(port, count, answered):
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            s.sendall(ASK)
            got = b""
            while part := s.recv(65536):
                got += part
        if got.startswith(b"HTTP/1.1 200"):
            answered.append(1)


def clients_of(port, threads, count, report):
    answered = []
    all_of_them = [threading.Thread(target=client, args=(port, count, answered)) for _ in range(threads)]
    for t in all_of_them:
        t.start()
    for t in all_of_them:
        t.join()
    report.put(len(answered))


def one_request_each(port, clients, total):
    """`clients` that do not know of each other, a new connection for each request; every one must be answered."""
    report = multiprocessing.Queue()
    some = [multiprocessing.Process(target=clients_of, args=(port, clients // PROCESSES, total // clients, report))
            for _ in range(PROCESSES)]
    for p in some:
        p.start()
    answered = sum(report.get(timeout=120) for _ in some)
    for p in some:
        p.join(10)
    check(answered == total // clients * clients, answered, "of", total, "were answered")


def share(g, clients):
    """The largest share of a worker, 1 being its fair one; and requests a second."""
    before, begun = accepted(g), time.monotonic()
    one_request_each(g.port, clients, CONNECTIONS)
    rate = CONNECTIONS / (time.monotonic() - begun)
    after = accepted(g)
    counts = [after.get(f"http-{i}", 0) - before.get(f"http-{i}", 0) for i in range(WORKERS)]
    return max(counts) * WORKERS / sum(counts), rate


def test_each_of_eight_workers_gets_its_share(scene):
    _, g = scene.pair(DEMO, workers=WORKERS)
    for clients in (4, 16, 64):
        got, rate = share(g, clients)
        if got > BOUND:
            print(f"        {clients} clients: {got:.3f}, measured once more: the machine may be busy with something else")
            got, rate = share(g, clients)
        print(f"        {clients} clients: the busiest worker has {got:.3f} of its share, {rate:.0f} requests/s")
        check(got <= BOUND, clients, "clients: the busiest worker has", got, "of its share")


def test_those_that_run_share_what_one_that_stands_still_leaves(scene):
    _, g = scene.pair(DEMO, workers=WORKERS, settings=("--supervisor.hang_timeout=0",))
    before, victim = accepted(g), g.children()["http-5"]
    os.kill(victim, signal.SIGSTOP)
    try:
        wait_for(lambda: open(f"/proc/{victim}/stat").read().rsplit(") ", 1)[1][0] == "T", 5, "a worker to stop")
        one_request_each(g.port, 16, CONNECTIONS)
        after = accepted(g)
    finally:
        os.kill(victim, signal.SIGCONT)
    counts = {slot: after[slot] - before.get(slot, 0) for slot in after}
    check(counts.get("http-5", 0) == 0, "the one that stands still accepted", counts)
    check(min(n for slot, n in counts.items() if slot != "http-5") > CONNECTIONS / WORKERS / 3, "somebody starved:", counts)


if __name__ == "__main__":
    run_file(globals())
