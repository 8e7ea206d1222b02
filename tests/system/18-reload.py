"""A reload under load: no request is lost, none is counted twice or not at all, and nothing stays behind."""
import os
import pathlib
import re
import signal
import socket
import time

from harness import (BUILD, ROOT, LogTail, NewConnections, check, equal, metric_of, rss_kib, run_file, series_of,
                     wait_for)

DEMO = ROOT / "recordings/matplotlib-daily"
BARS = "/api/v1/stocks/GOOG/bars?limit=1"
FULL = os.environ.get("OPITIOS_FULL") == "1"
SANITIZED = b"__asan_init" in (BUILD / "http").read_bytes()
COUNTERS = ("_total", "_count", "_sum", "_bucket")


def pair(scene, *settings, workers=2):
    _, g = scene.pair(DEMO, workers=workers, settings=("--freshness.bars=1h", "--freshness.closed=1h", *settings))
    equal(g.ask(BARS).status, 200)
    return g


def equal_of_master(g, name, wanted, **labels):
    """What is counted on the master's own page, where there is one."""
    text = g.metrics()
    if 'role="master"' in text:
        equal(metric_of(text, name, **labels), wanted, name)


class Reloader:
    def __init__(self, g):
        self.g, self.log = g, LogTail(g.log_path)

    def ask(self):
        """Sends SIGHUP; what the log says became of it."""
        self.g.process.send_signal(signal.SIGHUP)
        return self.log.wait(rb"reload: ((?:failed|refused|generation \d+: \d+ workers)[^\"]*)")[0][1].decode()

    def good(self):
        said = self.ask()
        check(said.startswith("generation"), said)
        return int(re.match(r"generation (\d+)", said)[1])


class Scrapes:
    """Scrapes that may never show a counter lower than before, nor one series less."""

    def __init__(self, g):
        self.g, self.seen, self.count, self.sizes = g, {}, 0, []

    def take(self):
        text = self.g.metrics()
        self.count += 1
        now = series_of(text)
        for name, value in now.items():
            if name.split("{")[0].endswith(COUNTERS):
                check(value >= self.seen.get(name, 0), name, "fell from", self.seen.get(name), "to", value)
        check(set(self.seen) <= set(now), "series vanished:", sorted(set(self.seen) - set(now))[:3])
        self.seen = now
        self.sizes.append(len(now))
        return metric_of(text, "opitios_http_requests_total")


def only_first_counts(g, before, after):
    """Reloads make no series: one may be new because its labels counted for the first time, not because a process is."""
    def workers(series):
        return {re.search(r'worker="([^"]*)"', s)[1] for s in series if 'worker="' in s}
    equal(workers(after), workers(before), "workers in the labels")
    new = sorted(s for s in after - before if not re.search(r'role="[^"]*",[a-z]', s))
    equal(new, [], "series that are new")
    check(len(after) - len(before) <= 8, "so many series are new:", sorted(after - before))
    if 'role="master"' in g.metrics():
        equal([w for w in workers(after) if "." in w], [], "seats, and not slots, in the labels")


def warm_up(g, reloader, scrapes):
    """A series with labels is there once it has counted: until every worker has done all it will do. The generation."""
    while len(scrapes.sizes) < 20 or len(set(scrapes.sizes[-12:])) > 1:
        check(len(scrapes.sizes) < 400, "ever more series:", scrapes.sizes)
        NewConnections(g.port, BARS, 200).stop()
        generation = reloader.good()
        for _ in range(4):
            scrapes.take()
    return generation


def test_reloads_under_new_connections_lose_no_request_and_no_count(scene):
    g = pair(scene)
    reloads, requests = (100, 1_000_000) if FULL else (10, 30_000)
    reloader, scrapes = Reloader(g), Scrapes(g)
    generation = warm_up(g, reloader, scrapes)
    before, probes, series = scrapes.take(), scrapes.count, set(scrapes.seen)
    load = NewConnections(g.port, BARS, requests, step=requests // (reloads + 1))
    for n in range(reloads):
        load.reached()
        equal(reloader.good(), generation + n + 1, "generation")
        scrapes.take()
    got = load.stop()
    print(f"        {got['requests']} requests at {got['rate']:.0f}/s, p99 {got['p99_us'] / 1e3:.1f} ms, {reloads} reloads")
    equal((got["requests"] - got["good"], got["failures"]), (0, dict.fromkeys(got["failures"], 0)), "failed")
    # Each scrape is counted after its own text is made: the next one shows it.
    after = scrapes.take()
    equal(after - before, got["requests"] + scrapes.count - probes, "requests counted and requests served")
    only_first_counts(g, series, set(scrapes.seen))
    equal_of_master(g, "opitios_reloads_total", generation - 1 + reloads, result="ok")
    equal_of_master(g, "opitios_config_generation", generation + reloads)


def footprint(g):
    return len(os.listdir(f"/proc/{g.process.pid}/fd")), rss_kib(g.process.pid)


def test_reloads_leave_nothing_behind_in_the_master(scene):
    g = pair(scene)
    reloader = Reloader(g)

    def settled():
        """One process a slot, and a while of the same figure: the channels of one that is gone are closed when it is reaped."""
        seen = []

        def at_rest():
            seen.append(len(os.listdir(f"/proc/{g.process.pid}/fd")) if len(g.children()) == 4 else None)
            return None not in seen[-20:] and len(seen) >= 20 and len(set(seen[-20:])) == 1
        wait_for(at_rest, 10, f"the master to come to rest: {g.children()}")
        return footprint(g)
    for _ in range(20):
        reloader.good()
    fds, rss = settled()
    for _ in range(1000 if FULL else 100):
        reloader.good()
    fds_after, rss_after = settled()
    print(f"        descriptors {fds} and {fds_after}, resident {rss} and {rss_after} KiB")
    equal(fds_after, fds, "descriptors of the master")
    check(SANITIZED or rss_after - rss <= 1024, "the master grew by", rss_after - rss, "KiB")


def test_a_bad_file_changes_nothing_and_a_good_one_what_it_says(scene):
    file = scene.folder / "gateway.conf"
    file.write_text("[http]\nbody_max = 2k\n")
    g = pair(scene, "--config", str(file))
    reloader, body = Reloader(g), b"x" * 3000
    post = ("/api/v1/stocks/quotes/batch", "POST", body, {"Content-Type": "application/json"})

    def state():
        return g.children(), g.ask(*post).status
    before = state()
    equal(before[1], 413, "at the start")
    for text, words in (("[http]\nbody_max = many\n", "body_max"), ("[http]\nno_such_key = 1\n", "no_such_key"),
                        ("[http\nbody_max = 4k\n", ""), ("[http]\nbody_max = 1G\n", "body_max"),
                        ("[nowhere]\nkey = 1\n", "nowhere"), (None, "gateway.conf")):
        file.unlink() if text is None else file.write_text(text)
        said = reloader.ask()
        check(said.startswith("refused, nothing has changed: ") and words in said, text, said)
        equal(state(), before, f"after {text!r}")
    equal_of_master(g, "opitios_reloads_total", 6, result="failed")
    file.write_text("[http]\nbody_max = 4k\nbacklog = 77\n")
    said = reloader.ask()
    check(said.startswith("generation 2: ") and "only a restart changes http.backlog" in said, said)
    wait_for(lambda: len(g.children()) == 4, 10, "the old workers to end")
    children, status = state()
    equal(status, 400, "the longer body, which is no JSON")
    for slot in ("fetcher-rest", "cache-writer"):  # nothing of theirs has changed
        equal(children[slot], before[0][slot], slot)


def test_only_one_generation_drains_and_only_one_reload_runs(scene):
    """A request half sent keeps its worker draining: the next reload waits until that one has ended, or was ended."""
    g = pair(scene, "--supervisor.drain_timeout=1500ms", workers=1)
    reloader, most, said = Reloader(g), 0, b""
    with socket.create_connection(("127.0.0.1", g.port)) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        wait_for(lambda: g.metric("opitios_http_connections") >= 2, 5, "the connection to be accepted")
        reloader.good()
        begun = time.monotonic()
        g.process.send_signal(signal.SIGHUP)
        reloader.log.wait(rb"reload: generation 3, ")
        refused = reloader.ask()
        check(refused.startswith("refused") and "another reload is under way" in refused, refused)
        while b"reload: generation 3: " not in said:
            most = max(most, sum(slot.startswith("http") for slot in g.children()))
            check(time.monotonic() - begun < 10, "the second reload does not end: " + g.tail())
            time.sleep(0.01)
            said += reloader.log.file.read()
        check(0.5 < time.monotonic() - begun < 5, "the second reload took", time.monotonic() - begun)
    equal(most, 2, "http processes at once")


def http_lives(log):
    """(second seat's or first's process, started, ready, ended) by line number of the log, in the order of starts."""
    lives, lines = {}, pathlib.Path(log).read_text().splitlines()
    for at, line in enumerate(lines):
        if m := re.search(r"(http-\d+)(?:\.1)?: started, pid (\d+)", line):
            lives[m[0].split(":")[0]] = life = [m[1], at, len(lines), len(lines)]
            lives.setdefault("all", []).append(life)
        elif m := re.search(r"(http-[\d.]+): ready after", line):
            lives[m[1]][2] = at
        elif m := re.search(r"(http-[\d.]+): (?:pid \d+ )?ended", line):
            lives[m[1]][3] = at
    return lives["all"]


def recycle_under_load(scene, workers, limit, requests):
    g = pair(scene, f"--http.recycle_requests={limit}", workers=workers)
    load = NewConnections(g.port, BARS, requests)
    wait_for(lambda: g.metric("opitios_worker_restarts_total", cause="recycle") >= 2 * workers, 60 if FULL else 20, "recycling")
    got = load.stop()
    wait_for(lambda: len(g.children()) == 2 + workers, 10, "the old workers to end")
    return g, got


def test_recycling_replaces_one_at_a_time_and_loses_no_request(scene):
    workers = 3
    g, got = recycle_under_load(scene, workers, 500, 100_000 if FULL else 10_000)
    equal((got["requests"] - got["good"], got["failures"]), (0, dict.fromkeys(got["failures"], 0)), "failed")
    lives = http_lives(g.log_path)
    successors = lives[workers:]
    print(f"        {got['requests']} requests, {len(successors)} workers recycled")
    equal(g.metric("opitios_worker_restarts_total"), len(successors), "restarts")
    for i, (slot, started, ready, _) in enumerate(successors):
        others = [o for o in successors[:i] if o[1] < started < o[2]]
        check(not others, slot, "started while", others, "was starting")
        old = [o for o in lives if o[0] == slot and o[1] < started]
        check(all(o[3] > ready for o in old[-1:]), slot, "ended before its successor was ready")


if __name__ == "__main__":
    run_file(globals())
