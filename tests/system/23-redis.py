"""Redis: latest values and streams written, read by another gateway; and everything a Redis can do wrong."""
import json
import re
import socket
import statistics
import subprocess
import threading
import time

from harness import BUILD, Gateway, check, equal, rss_kib, run_file, wait_for
from ports import free_port
from servers_redis import Cluster, Redis

PASSWORD = "redis-pw-never-to-be-seen-77c2"
FRESH = ("--freshness.quote=30s", "--freshness.trade=30s", "--freshness.closed=30s")
QUOTE, TRADE = "/api/v1/stocks/AAPL/quote", "/api/v1/stocks/AAPL/trade"


def gateway(scene, name, redis, upstream=None, settings=(), url=None):
    folder = scene.folder / name
    folder.mkdir()
    g = Gateway(folder, upstream.port if upstream else None, settings=(*FRESH, "--upstream.budget_per_minute=100000", *settings),
                env={"REDIS_URL": url or redis.url()})
    scene.started.append(g)
    return g


def reads(g):
    """Until the http worker has found Redis well."""
    wait_for(lambda: g.metric("opitios_redis_up", role="http") == 1, 10, "the http worker to find Redis; " + g.tail(600))
    return g


def replay(scene):
    return scene.replay(args=("--rate-per-minute", "0"))


def upstream_quote(r, event, price, count=1):
    r.body("/v2/stocks/quotes/latest", json.dumps({"quotes": {"AAPL": {
        "t": event, "bp": price, "bs": 1, "bx": "K", "ap": price + 1, "as": 2, "ax": "V", "c": ["R"], "z": "C"}}}), count)


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def value(redis, key, field="iex"):
    text = redis.ask("HGET", key, field)
    return json.loads(text) if text else None


def value_across(redis, key):
    """The value of a server that is being promoted: Sentinel cuts its clients, this one too."""
    try:
        return value(redis, key) or {}
    except OSError:
        return {}


def lines(g, *words):
    return [line for line in g.log_path.read_text().splitlines() if all(w in line for w in words)]


def test_another_gateway_answers_from_redis(scene):
    redis = Redis(scene, password=PASSWORD, settings=("--stream-node-max-entries", "10"))
    r = replay(scene)
    g = gateway(scene, "one", redis, r, ("--redis.stream_max=40",))
    first = g.ask(QUOTE).json
    g.ask(TRADE)
    g.ask("/api/v1/stocks/AAPL/snapshot")
    wait_for(lambda: redis.ask("EXISTS", "opitios:v2:snapshot:AAPL", "opitios:v2:trade:AAPL", "opitios:v2:quote:AAPL", "opitios:v2:bar:AAPL") == 4,
             5, "the latest values")
    check(290000 < redis.ask("PTTL", "opitios:v2:quote:AAPL") <= 300000, "time to live while open")
    held = value(redis, "opitios:v2:quote:AAPL")
    equal((held["symbol"], held["feed"], held["bid_price"], held["event"]),
          ("AAPL", "iex", first["data"]["bid_price"], first["metadata"]["event_time"]), "the value")
    equal(sorted(redis.hash("opitios:v2:bar:AAPL")), ["iex/1Day", "iex/1Min"], "bars by timeframe")

    # A second gateway, nothing in its state directory, no upstream.
    two = reads(gateway(scene, "two", redis, url=redis.tcp_url().replace("127.0.0.1", "localhost")))
    before = time.time()
    a = two.ask(QUOTE)
    equal((a.status, a.json["metadata"]["cache"], a.headers["x-cache-status"]), (200, "redis", "redis"), a)
    equal(a.json["data"], first["data"], "the same quote")
    m = a.json["metadata"]
    equal((m["data_source"], m["feed"], m["event_time"], m["received_at"][:23]),
          ("replay", None, held["event"], held["received"][:23]), "source, feed and times are kept")
    check(0 < m["data_freshness_seconds"] <= 30, "age since it was received:", m)
    equal(two.ask(QUOTE).json["metadata"]["cache"], "book", "and then it is in the book")
    batch = two.ask("/api/v1/stocks/quotes/batch", "POST", {"symbols": ["AAPL", "MSFT"]}).json["data"]["quotes"]
    equal([e["status"] for e in batch], ["ok", "error"], "a batch")
    check(two.metric("opitios_cache_requests_total", layer="redis", hit="hit") == 1 and
          two.metric("opitios_cache_requests_total", layer="redis", hit="miss") >= 1, "hits and misses are counted")
    check(two.metric("opitios_redis_read_duration_seconds_count") >= 2, "and timed")
    equal(two.ask("/api/v1/health/detailed").json["checks"]["cache"]["status"], "healthy", "health")
    check(time.time() - before < 5, "slow")

    # Too old, of another symbol, from the future, garbage: refused, never shown.
    def refused(text, hit="refused"):
        n = two.metric("opitios_cache_requests_total", layer="redis", hit=hit)
        redis.ask("HSET", "opitios:v2:trade:AAPL", "iex", text)
        equal(two.ask(TRADE).status, 503, text[:80])
        equal(two.metric("opitios_cache_requests_total", layer="redis", hit=hit), n + 1, text[:80])
    good = value(redis, "opitios:v2:trade:AAPL")
    for change in ({"symbol": "MSFT"}, {"feed": "sip"}, {"asset": "crypto"}, {"received": "2099-01-01T00:00:00Z"}, {"version": 2},
                   {"price": -1}, {"price": "1"}, {"kind": "quote"}, {"symbol": "AAPL\u0000"}, {"conditions": [["@"] * 500]}, {"source": "alpaca_history"}):
        refused(json.dumps({**good, **change}))
    for text in ("", "null", "[" * 5000, "{}", json.dumps(good)[:-1], json.dumps({**good, "tape": "x" * 9000}), "\x00\xff"):
        refused(text)
    refused(json.dumps({**good, "received": "2020-01-01T00:00:00Z"}), "expired")
    redis.ask("DEL", "opitios:v2:trade:AAPL")
    redis.ask("SET", "opitios:v2:trade:AAPL", "a text, no hash")
    equal(two.ask(TRADE).status, 503, "a key of another type")
    g.ask(TRADE + "?max_age_seconds=0")
    wait_for(lambda: redis.ask("TYPE", "opitios:v2:trade:AAPL") == "hash", 5, "the key to be made ours again")
    wait_for(lambda: two.metric("opitios_redis_breaker_open") == 0, 5, "the breaker to close")
    equal(two.ask(TRADE).json["metadata"]["cache"], "redis", "good again")

    # The stream of the feed, trimmed; each record with journal and sequence.
    entries = redis.ask("XRANGE", "opitios:v2:stream:iex", "-", "+")
    fields = [dict(zip(e[1][::2], e[1][1::2])) for e in entries]
    check({"quote", "trade", "bar", "snapshot"} <= {f["kind"] for f in fields}, "kinds")
    check(all(json.loads(f["value"])["feed"] == "iex" and f["journal"].endswith("/fetcher-rest") and int(f["sequence"]) for f in fields), "fields")
    for _ in range(120):
        g.ask(TRADE + "?max_age_seconds=0")
    wait_for(lambda: g.metric("opitios_redis_stream_entries_total") >= 120, 5, "all entries")
    check(40 <= redis.ask("XLEN", "opitios:v2:stream:iex") <= 60, "trimmed:", redis.ask("XLEN", "opitios:v2:stream:iex"))
    for g1 in (g, two):
        check(PASSWORD not in g1.log_path.read_text(), "the password is in a log")
        check(PASSWORD not in g1.ask("/metrics").body.decode() + g1.ask("/api/v1/health/detailed").body.decode(), "the password is shown")


def test_newest_event_wins_whoever_writes_last(scene):
    redis = Redis(scene)
    r1, r2 = replay(scene), replay(scene)
    now = time.time()
    r2.body("/v2/clock", json.dumps({"timestamp": rfc3339(now), "is_open": False, "next_open": rfc3339(now + 9000), "next_close": rfc3339(now + 18000)}), 100)
    one, two = gateway(scene, "one", redis, r1), gateway(scene, "two", redis, r2)
    key = "opitios:v2:quote:AAPL"
    upstream_quote(r1, "2024-03-08T20:00:02Z", 102)
    upstream_quote(r2, "2024-03-08T20:00:01Z", 101)
    one.ask(QUOTE + "?max_age_seconds=0")
    wait_for(lambda: value(redis, key), 5, "the newer")
    streamed = redis.ask("XLEN", "opitios:v2:stream:iex")
    two.ask(QUOTE + "?max_age_seconds=0")
    wait_for(lambda: redis.ask("XLEN", "opitios:v2:stream:iex") > streamed, 5, "the older one to be written")
    equal(value(redis, key)["bid_price"], 102, "the older event came later and lost")

    upstream_quote(r2, "2024-03-08T20:00:03Z", 103)
    two.ask(QUOTE + "?max_age_seconds=0")
    wait_for(lambda: value(redis, key)["bid_price"] == 103, 5, "the newest")
    check(redis.ask("PTTL", key) > 80000000, "a closed market's value lives a day", redis.ask("PTTL", key))

    # Both as fast as they can, of rising event times, interleaved.
    def run(g, r, parity):
        for i in range(parity, 60, 2):
            upstream_quote(r, f"2024-03-08T20:01:{i:02d}Z", 200 + i)
            g.ask(QUOTE + "?max_age_seconds=0")
    threads = [threading.Thread(target=run, args=a) for a in ((one, r1, 0), (two, r2, 1))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_for(lambda: value(redis, key)["bid_price"] == 259, 5, "the newest of both")
    # Equal event times: what was received last.
    upstream_quote(r1, "2024-03-08T20:01:59Z", 300)
    one.ask(QUOTE + "?max_age_seconds=0")
    wait_for(lambda: value(redis, key)["bid_price"] == 300, 5, "the later receipt of the same event")
    sequences = [(f[f.index("journal") + 1], int(f[f.index("sequence") + 1])) for _, f in redis.ask("XRANGE", "opitios:v2:stream:iex", "-", "+")]
    twice = [s for s in sequences if sequences.count(s) > 1]
    check(not twice, "without a fault no record stands in the stream twice:", twice)


def test_what_one_writer_knows_ends_when_another_writes(scene):
    redis = Redis(scene)
    r1, r2 = replay(scene), replay(scene)
    one, two = gateway(scene, "one", redis, r1), gateway(scene, "two", redis, r2)
    key = "opitios:v2:quote:AAPL"

    def write(g, r, second, bid):
        streamed = redis.ask("XLEN", "opitios:v2:stream:iex")
        upstream_quote(r, f"2024-03-08T20:00:{second:02d}Z", bid)
        g.ask(QUOTE + "?max_age_seconds=0")
        # Entries follow when values were taken, and a position when both were.
        wait_for(lambda: redis.ask("XLEN", "opitios:v2:stream:iex") > streamed, 5, f"{bid} to be written")
        return (value(redis, key) or {}).get("bid_price")

    def lives_begun():
        return int(re.search(r"cmdstat_pexpire:calls=(\d+)", redis.ask("INFO", "commandstats"))[1])
    equal(write(one, r1, 2, 102), 102, "the first")
    wait_for(lambda: redis.ask("EXISTS", "opitios:v2:writer") == 1, 2, "the key of who wrote last")
    begun = lives_begun()
    equal(write(one, r1, 3, 103), 103, "newer than what it wrote")
    check(lives_begun() == begun, "written as known")
    equal((write(one, r1, 1, 101), write(one, r1, 4, 104)), (103, 104), "older, and newer again")
    equal(write(two, r2, 10, 110), 110, "another gateway's")
    equal(write(one, r1, 5, 105), 110, "newer than what it knew, older than what is held")
    equal((write(one, r1, 11, 111), write(two, r2, 12, 112), write(one, r1, 11, 113)), (111, 112, 112), "in turn")
    two.stop()
    wait_for(lambda: (write(one, r1, 20, 120), redis.ask("EXISTS", "opitios:v2:writer"))[1] == 1, 20, "the other one to be gone")
    for spoil in (("DEL", key), ("SET", key, "a text")):
        write(one, r1, 21, 121)
        redis.ask(*spoil)
        equal(write(one, r1, 22, 122), 122, spoil)
        check(redis.ask("PTTL", key) > 0, "it lives for a time after", spoil)


def test_a_redis_that_fails_costs_a_request_the_wait_once(scene):
    redis = Redis(scene, password=PASSWORD)
    r = replay(scene)
    g = reads(gateway(scene, "one", redis, r))
    never = "?max_age_seconds=0"  # neither book nor Redis is fresh enough: always Redis, then upstream

    def times(n):
        return [g.ask(QUOTE + never).seconds for _ in range(n)]
    well = statistics.median(times(50))
    reads_before = g.metric("opitios_redis_read_duration_seconds_count")
    redis.pause()
    asked = times(100)
    check(asked[0] < well + 0.020 + 0.100, "the first request waits redis.wait at most, and what a busy machine adds:", asked[0], well)
    check(statistics.median(asked[1:]) < well + 0.010, "the following ones do not wait:", sorted(asked[1:])[-8:], well)
    waited = g.metric("opitios_redis_read_duration_seconds_count") - reads_before
    check(waited <= 2, "one request waits (two, when the machine is so slow that the first ping is late):", waited)
    wait_for(lambda: g.metric("opitios_redis_breaker_open") == 1, 3, "the breaker")
    wait_for(lambda: g.ask("/api/v1/health/detailed").json["checks"]["cache"]["status"] == "unhealthy", 5, "health to tell")
    h = g.ask("/api/v1/health/detailed").json
    check(h["status"] == "degraded" and "cache" in str(h["reasons"]), h)
    check(h["checks"]["cache"]["last_error"], "with the reason")
    equal((g.ask("/livez").status, g.ask("/readyz").status), (200, 200), "alive and ready all the same")
    wait_for(lambda: lines(g, '"slot":"cache-writer"', "redis", "error"), 6, "the writer to tell")
    check(g.metric("opitios_redis_errors_total", role="http", redis="timeout") >= 1, "counted")
    redis.resume()
    reads(g)
    wait_for(lambda: g.metric("opitios_redis_breaker_open") == 0, 5, "the breaker to close")
    wait_for(lambda: g.metric("opitios_redis_lag_records") == 0 and g.metric("opitios_redis_up") == 2, 10, "what waited to be written")
    wait_for(lambda: redis.ask("EXISTS", "opitios:v2:quote:AAPL") == 1, 5, "the value")
    equal(len(lines(g, '"slot":"cache-writer"', "redis", '"error"')), 1, "one line an episode")


def test_what_redis_refuses_waits_in_the_journal(scene):
    redis = Redis(scene, password=PASSWORD)
    r = replay(scene)
    g = reads(gateway(scene, "one", redis, r))
    writer = g.pid("cache-writer")
    n = [100]

    def quote():
        n[0] += 1
        upstream_quote(r, f"2024-03-08T20:{n[0] // 60:02d}:{n[0] % 60:02d}Z", n[0])
        equal(g.ask(QUOTE + "?max_age_seconds=0").status, 200, "clients do not see it")

    def written(what):
        wait_for(lambda: (value(redis, "opitios:v2:quote:AAPL") or {}).get("bid_price") == n[0], 10, f"the value after {what}; " + g.tail(400))

    def episode(cause, begin, end):
        errors, said = g.metric("opitios_redis_errors_total", role="cache-writer", redis=cause), len(lines(g, "cache-writer", "redis", '"error"'))
        begin()
        quote()
        wait_for(lambda: g.metric("opitios_redis_errors_total", role="cache-writer", redis=cause) > errors, 8, f"{cause} to be counted; " + g.tail(600))
        equal(g.ask("/api/v1/health/detailed").json["checks"]["cache"]["status"], "unhealthy", cause)
        end()
        written(cause)
        wait_for(lambda: g.metric("opitios_redis_up", role="cache-writer") == 1, 5, "up")
        equal(len(lines(g, "cache-writer", "redis", '"error"')), said + 1, f"lines of {cause}: " + g.tail(900))
    quote()
    written("nothing")
    memory = rss_kib(writer)
    episode("oom", lambda: redis.config(maxmemory=1), lambda: redis.config(maxmemory=0))
    dead = free_port()
    episode("readonly", lambda: redis.ask("REPLICAOF", "127.0.0.1", dead), lambda: redis.ask("REPLICAOF", "NO", "ONE"))

    def new_password():
        redis.ask("CONFIG", "SET", "requirepass", "another")
        redis.password = "another"
        redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def old_password():
        redis.ask("CONFIG", "SET", "requirepass", PASSWORD)
        redis.password = PASSWORD
    episode("auth", new_password, old_password)
    episode("connect", redis.kill, redis.start)
    redis.ask("FLUSHALL")
    redis.ask("SCRIPT", "FLUSH")
    quote()
    written("a flush")
    check(rss_kib(writer) < memory * 1.5 + 4096, "the writer grew:", memory, rss_kib(writer))
    for secret in (PASSWORD, "another"):
        check(secret + "@" not in g.log_path.read_text() and PASSWORD not in g.log_path.read_text(), "a password in the log")


def test_a_writer_that_was_killed_leaves_nothing_out(scene):
    redis = Redis(scene)
    r = replay(scene)
    g = gateway(scene, "one", redis, r)
    for i in range(20):
        g.ask(QUOTE + "?max_age_seconds=0")
        if i % 5 == 4:
            pid = g.children()["cache-writer"]
            subprocess.run(["kill", "-9", str(pid)], check=True)
            wait_for(lambda p=pid: g.children().get("cache-writer") not in (None, p), 20, "a successor")
    last = int(g.metric("opitios_journal_sequence"))

    def sequences():
        return sorted({int(f[f.index("sequence") + 1]) for _, f in redis.ask("XRANGE", "opitios:v2:stream:iex", "-", "+") if "sequence" in f})
    wait_for(lambda: len(sequences()) >= 20, 10, "every quote in the stream")
    wait_for(lambda: str(last) in [redis.ask("GET", k) for k in redis.keys("opitios:v2:position:*")], 10, "the position")


def test_garbage_instead_of_redis_is_told_and_left(scene):
    """Something listens there that is no Redis, and says whatever it likes."""
    server = socket.create_server(("127.0.0.1", 0))
    answers = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*2147483647\r\n" * 7, b"$-5\r\n", b"$9999999999999\r\n", b"+PONG\r\n" * 50, b"", b"\x00" * 70000,
               b"*4096\r\n" * 20000]
    done = threading.Event()

    def serve():
        i = 0
        while not done.is_set():
            try:
                c, _ = server.accept()
            except OSError:
                return
            with c:
                c.settimeout(1)
                try:
                    c.recv(4096)
                    c.sendall(answers[i % len(answers)])
                    i += 1
                except OSError:
                    pass
    t = threading.Thread(target=serve, daemon=True)
    t.start()
    r = replay(scene)
    g = gateway(scene, "one", None, r, url=f"redis://:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}", settings=("--redis.connect_timeout=200ms",))
    wait_for(lambda: g.metric("opitios_redis_errors_total", redis="protocol") >= 4, 8, "garbage to be counted")
    equal(g.ask(QUOTE).status, 200, "clients are answered")
    equal(len(lines(g, "cache-writer", "redis", '"error"')), 1, "one line")
    check(all(rss_kib(p) < 60000 for p in g.children().values()), "memory")
    check(PASSWORD not in g.log_path.read_text(), "the password in the log")
    done.set()
    server.close()


def test_sentinel_names_the_new_master(scene):
    master = Redis(scene)
    replica = Redis(scene, replica_of=master)
    wait_for(lambda: "master_link_status:up" in replica.ask("INFO", "replication"), 10, "the replica to follow")
    sentinel = Redis(scene, sentinel_of=master)
    wait_for(lambda: "slaves=1" in sentinel.ask("INFO", "sentinel"), 15, "Sentinel to know the replica")
    r = replay(scene)
    g = reads(gateway(scene, "one", None, r, url=f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/gateway"))
    g.ask(QUOTE)
    wait_for(lambda: value(master, "opitios:v2:quote:AAPL"), 5, "the value on the master")
    master.kill()
    upstream_quote(r, "2024-03-09T20:00:00Z", 777)
    g.ask(QUOTE + "?max_age_seconds=0")
    wait_for(lambda: value_across(replica, "opitios:v2:quote:AAPL").get("bid_price") == 777, 20, "the value on the new master; " + g.tail(500))
    two = reads(gateway(scene, "two", None, url=f"redis+sentinel://127.0.0.1:{sentinel.port}/gateway"))
    equal(two.ask(QUOTE).json["metadata"]["cache"], "redis", "and it is read there")


def test_a_cluster_holds_each_key_where_it_belongs(scene):
    cluster = Cluster(scene)
    r = replay(scene)
    g = reads(gateway(scene, "one", None, r, url=cluster.url()))
    symbols = ["AAPL", "BRK.B"]
    got = [s for s in symbols if g.ask(f"/api/v1/stocks/{s}/snapshot").status == 200]
    check(len(got) >= 2, "symbols of the recording:", got)
    wanted = sorted(f"opitios:v2:{k}:{s}" for s in got for k in ("quote", "trade"))
    wait_for(lambda: set(wanted) <= set(cluster.keys("opitios:v2:*:*")), 8, "all keys; " + g.tail(500))
    check(sum(1 for n in cluster.nodes if n.keys("opitios:v2:*")) >= 2, "on several nodes")
    two = reads(gateway(scene, "two", None, url=cluster.url()))
    for s in got:
        equal(two.ask(f"/api/v1/stocks/{s}/quote").json["metadata"]["cache"], "redis", s)
    # A slot moves: MOVED is followed.
    key = f"opitios:v2:quote:{got[0]}"
    slot = cluster.nodes[0].ask("CLUSTER", "KEYSLOT", key)
    source = next(n for n in cluster.nodes if key in n.keys(key))
    target = next(n for n in cluster.nodes if n is not source)
    ids = {n.port: n.ask("CLUSTER", "MYID") for n in cluster.nodes}
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
    for k in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        source.ask("MIGRATE", "127.0.0.1", target.port, k, 0, 1000)
    upstream_quote(r, "2024-03-09T20:00:00Z", 555)  # now ASK
    g.ask(f"/api/v1/stocks/{got[0]}/quote?max_age_seconds=0")
    for n in (target, source, *cluster.nodes):
        n.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
    wait_for(lambda: key in target.keys(key), 5, "the key on its new node")
    g.ask(f"/api/v1/stocks/{got[0]}/quote?max_age_seconds=0")  # now MOVED
    wait_for(lambda: g.metric("opitios_redis_lag_records") == 0 and g.metric("opitios_redis_up") == 2, 5, "all to be written")


def test_a_url_that_is_none_is_one_line_without_it(scene):
    for url, words in (("rediss://:PW@h:1", "TLS"), ("http://:PW@h", "begins with none"), ("redis://:PW@h:x", "port"), ("redis://h:PW@", "host"),
                       ("redis+sentinel://:PW@h:1", "name of the master"), ("unix://:PW@relative", "path"), ("redis://u%zz:PW@h", "escape"),
                       ("redis+cluster://:PW@h:1/3", "cluster")):
        secret = "pw-in-a-bad-url"
        p = subprocess.run([str(BUILD / "opitios-alpaca"), "--check-config", f"--state.dir={scene.folder}/s"],
                           env={"REDIS_URL": url.replace("PW", secret)}, capture_output=True, text=True, timeout=10)
        equal(p.returncode, 78, url)
        said = p.stdout + p.stderr
        check("redis.url" in said and words in said and said.strip().count("\n") == 0, url, said)
        check(secret not in said, "the password is shown:", said)


if __name__ == "__main__":
    run_file(globals())
