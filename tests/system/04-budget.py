"""One upstream answer for many clients, and a budget that is never overdrawn."""
import asyncio
import os
import time

from harness import ROOT, ask, check, equal, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
FULL = os.environ.get("OPITIOS_FULL") == "1"


async def one(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
    data = await reader.read()
    writer.close()
    return int(data.split(b" ", 2)[1])


def all_at_once(port, path, n):
    async def go():
        return await asyncio.gather(*(one(port, path) for _ in range(n)))
    return asyncio.run(go())


def test_a_thousand_identical_misses_cost_one_call(scene):
    r, g = scene.pair(DEMO, workers=2)
    path = "/api/v1/stocks/GOOG/bars?timeframe=1Day&start=2005-01-01&limit=250"
    r.fault("slow", count=1, path="/v2/stocks/bars", delay_ms=500)
    before = r.calls("/v2/stocks/bars")
    statuses = all_at_once(g.port, path, 1000)
    equal(set(statuses), {200}, "statuses")
    equal(r.calls("/v2/stocks/bars") - before, 1, "upstream calls")
    for _ in range(20):
        equal(g.ask(path).json["metadata"]["cache"], "l1", "every worker has it")
    equal(r.calls("/v2/stocks/bars") - before, 1, "upstream calls")


def test_single_quotes_that_arrive_together_travel_as_one_call(scene):
    r, g = scene.pair(DEMO, settings=("--upstream.merge_window=100ms",))
    symbols = ["A" + chr(65 + i // 26) + chr(65 + i % 26) for i in range(60)]

    async def go():
        return await asyncio.gather(*(one(g.port, f"/api/v1/stocks/{s}/quote") for s in symbols))
    statuses = asyncio.run(go())
    equal(set(statuses), {404}, "statuses")
    calls = r.calls("/v2/stocks/quotes/latest")
    check(calls <= 3, "60 symbols cost", calls, "calls")
    check(g.metric("opitios_upstream_merged_total", endpoint="stock_quote") >= 50)


def test_a_symbol_upstream_refuses_does_not_take_the_others_along(scene):
    r, g = scene.pair(DEMO, settings=("--upstream.merge_window=100ms",))
    r.body("/v2/stocks/quotes/latest", '{"message":"invalid symbol: QQQQ"}', status=400)

    async def go():
        return await asyncio.gather(*(one(g.port, f"/api/v1/stocks/{s}/quote") for s in ("GOOG", "QQQQ", "MSFT")))
    statuses = asyncio.run(go())
    equal(statuses, [404, 400, 404], "GOOG has no quote, QQQQ is refused, MSFT has no quote")
    equal(ask(g.port, "/api/v1/stocks/MSFT/quote").json["error"]["code"], "REAL_DATA_UNAVAILABLE")
    equal(g.metric("opitios_upstream_culprits_total"), 1)


def test_fifty_greedy_clients_never_draw_a_429(scene):
    """The replay enforces Alpaca's bucket: 200 at once, 200 a minute. The fetcher is killed on the way: its
    successor must not start with a full bucket."""
    r = scene.replay(DEMO, args=("--rate-per-minute", "200"))
    g = scene.gateway(r, workers=2, settings=("--freshness.negative=0", "--freshness.bars=0", "--freshness.closed=0"))
    seconds, statuses = 60 if FULL else 25, {}
    end = time.monotonic() + seconds

    async def greedy(i):
        n = 0
        while time.monotonic() < end:
            n += 1
            day = 1 + (n * 50 + i) % 28
            path = (f"/api/v1/stocks/GOOG/bars?start=2005-{1 + n % 12:02d}-{day:02d}&limit={1 + n % 50}" if n % 2 else
                    f"/api/v1/stocks/{'GOOG' if n % 4 else 'MSFT'}/quote?max_age_seconds=0")
            s = await one(g.port, path)
            statuses[s] = statuses.get(s, 0) + 1

    async def go():
        await asyncio.gather(*(greedy(i) for i in range(50)))

    import threading
    victim = threading.Timer(seconds / 2, lambda: os.kill(g.children()["fetcher-rest"], 9))
    victim.start()
    asyncio.run(go())
    victim.join()
    stats = r.stats()
    equal(stats["statuses"].get("429", 0), 0, "429s upstream sent")
    check(sum(r.stats()["calls"].values()) >= 150, "the budget was hardly used:", stats["calls"])
    check(set(statuses) <= {200, 404, 503}, statuses)
    wait_for(lambda: g.workers()["fetcher-rest"]["state"] == "ready", 5, "the fetcher's successor")
    equal(g.workers()["fetcher-rest"]["restarts"], 1)


if __name__ == "__main__":
    run_file(globals())
