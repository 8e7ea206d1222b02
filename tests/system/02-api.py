"""Every route with every kind of data, on a recording made for tests: shapes, nulls, flags, spelling, batches, caches."""
import time

from harness import check, equal, run_file, wait_for

META = {"data_source", "feed", "cache", "timestamp", "event_time", "received_at", "data_freshness_seconds", "market_status",
        "request_id", "quality"}
QUOTE = {"symbol", "bid_price", "bid_size", "bid_exchange", "ask_price", "ask_size", "ask_exchange", "conditions", "tape"}
TRADE = {"symbol", "price", "size", "exchange", "conditions", "tape", "trade_id"}
BAR = {"timestamp", "open", "high", "low", "close", "volume", "trade_count", "vwap"}
OPTION = {"underlying_symbol", "expiration_date", "option_type", "strike_price"}
CALL = "AAPL240315C00120000"


def fine(a, keys=None):
    equal(a.status, 200, a)
    equal(set(a.json["metadata"]), META, "metadata")
    equal(a.json["metadata"]["data_source"], "replay")
    if keys:
        check(keys <= set(a.json["data"]), keys - set(a.json["data"]), a)
    return a.json


def error(a, status, code):
    equal((a.status, a.json["error"]["code"]), (status, code), a)
    equal(set(a.json["error"]), {"code", "message", "type", "details"}, a)
    equal(set(a.json["metadata"]), {"request_id", "timestamp", "endpoint", "suggested_action", "retry_after"}, a)
    return a.json


def test_a_quote_is_what_was_recorded_and_the_symbol_is_spelled_for_the_client(scene):
    _, g = scene.pair()
    for spelled in ("AAPL", "aapl", "Aapl"):
        j = fine(g.ask(f"/api/v1/stocks/{spelled}/quote"), QUOTE)
        equal(j["data"], {"symbol": "AAPL", "bid_price": 170.12, "bid_size": 400, "bid_exchange": "K", "ask_price": 170.16,
                          "ask_size": 500, "ask_exchange": "V", "conditions": ["R"], "tape": "C"})
    equal(j["metadata"]["event_time"], "2024-03-08T20:44:59.5Z")
    equal(j["metadata"]["cache"], "book")
    equal(fine(g.ask("/api/v1/stocks/BRK.B/quote"))["data"]["ask_price"], 404.55)


def test_a_missing_side_is_null_and_flagged(scene):
    _, g = scene.pair()
    j = fine(g.ask("/api/v1/stocks/ONEA/quote"))
    equal((j["data"]["bid_price"], j["data"]["bid_size"], j["data"]["bid_exchange"]), (None, None, None))
    equal((j["data"]["ask_price"], j["metadata"]["quality"]), (12.75, ["one_sided"]))
    j = fine(g.ask("/api/v1/stocks/ONEB/quote"))
    equal((j["data"]["bid_price"], j["data"]["ask_price"], j["metadata"]["quality"]), (12.5, None, ["one_sided"]))


def test_crossed_and_locked_quotes_are_flagged_and_not_changed(scene):
    _, g = scene.pair()
    j = fine(g.ask("/api/v1/stocks/CRSS/quote"))
    equal((j["data"]["bid_price"], j["data"]["ask_price"], j["metadata"]["quality"]), (50.02, 50.01, ["crossed"]))
    equal(fine(g.ask("/api/v1/stocks/LOCK/quote"))["metadata"]["quality"], ["locked"])


def test_ids_beyond_what_a_double_holds_stay_exact(scene):
    _, g = scene.pair()
    check(b'"trade_id":9223372036854775807' in g.ask("/api/v1/stocks/AAPL/trade").body)
    check(b'"trade_id":3447222699101865077' in g.ask("/api/v1/crypto/BTC-USD/trade").body)


def test_a_snapshot_has_its_parts_and_null_for_what_upstream_left_out(scene):
    _, g = scene.pair()
    j = fine(g.ask("/api/v1/stocks/AAPL/snapshot"), {"latest_trade", "latest_quote", "minute_bar", "daily_bar", "previous_daily_bar"})
    check(BAR <= set(j["data"]["minute_bar"]), j)
    equal(fine(g.ask("/api/v1/stocks/ONEA/snapshot"))["data"]["daily_bar"], None)


def shown(j):
    """Bars without what only the store knows of them."""
    return [{k: v for k, v in b.items() if k != "versions"} for b in j["data"]["bars"]]


def test_bars_come_in_every_order_and_page(scene):
    r, g = scene.pair(replay_args=("--rate-per-minute", "0", "--page-max", "7"))
    base = "/api/v1/stocks/AAPL/bars?timeframe=1Min&start=2024-03-08T14:30:00Z&end=2024-03-08T20:00:00Z"
    j = fine(g.ask(base + "&limit=20"), {"symbol", "timeframe", "adjustment", "bars", "count", "complete", "next_page_token"})
    equal((j["data"]["count"], j["data"]["complete"]), (20, False))
    check(set(j["data"]["bars"][0]) == BAR | {"final", "versions"}, j["data"]["bars"][0])
    more = fine(g.ask(base + "&limit=20&page_token=" + j["data"]["next_page_token"]))
    times = [b["timestamp"] for b in j["data"]["bars"] + more["data"]["bars"]]
    equal(times, sorted(set(times)), "pages overlap or are out of order")
    equal(shown(fine(g.ask(base + "&limit=40"))), shown(j) + shown(more))
    down = fine(g.ask(base + "&limit=20&sort=desc"))["data"]["bars"]
    equal([b["timestamp"] for b in down], sorted((b["timestamp"] for b in down), reverse=True))
    short = fine(g.ask(base.replace("1Min", "1T") + "&limit=20"))["data"]
    equal((short["timeframe"], shown({"data": short})), ("1Min", shown(j)))


def test_a_range_without_bars_is_told(scene):
    _, g = scene.pair()
    error(g.ask("/api/v1/stocks/AAPL/bars?start=1999-01-01&end=1999-02-01"), 404, "HISTORICAL_DATA_UNAVAILABLE")


def test_an_option_carries_what_its_name_says(scene):
    _, g = scene.pair()
    j = fine(g.ask(f"/api/v1/options/{CALL}/quote"), QUOTE | OPTION)
    equal([j["data"][k] for k in ("underlying_symbol", "expiration_date", "option_type", "strike_price")],
          ["AAPL", "2024-03-15", "call", 120])
    j = fine(g.ask(f"/api/v1/options/{CALL}/snapshot"), OPTION | {"greeks", "implied_volatility", "latest_quote"})
    equal(j["data"]["greeks"]["delta"], 0.9567110374646104)
    error(g.ask("/api/v1/options/AAPL990315C00120000/quote"), 404, "OPTION_DATA_UNAVAILABLE")
    for bad in ("AAPL240230C00120000", "AAPL240315X00120000", "AAPL", "240315C00120000"):
        error(g.ask(f"/api/v1/options/{bad}/quote"), 400, "INVALID_SYMBOL_FORMAT")


def test_a_chain_is_walked_and_filtered(scene):
    r, g = scene.pair()
    j = fine(g.ask("/api/v1/options/AAPL/chain?limit=10000"), {"underlying_symbol", "expiration_dates", "contracts", "total_contracts",
                                                             "filters_applied"})["data"]
    check(j["total_contracts"] > 250 and j["complete"], j["total_contracts"])
    equal(len({c["symbol"] for c in j["contracts"]}), j["total_contracts"])
    calls = fine(g.ask("/api/v1/options/AAPL/chain?type=call&strike_price_gte=150&strike_price_lte=160"))["data"]
    check(calls["contracts"] and all(c["option_type"] == "call" and 150 <= c["strike_price"] <= 160 for c in calls["contracts"]))
    equal(calls["filters_applied"], {"type": "call", "strike_price_gte": 150, "strike_price_lte": 160})
    same = fine(g.ask("/api/v1/options/chain", "POST", {"underlying_symbol": "aapl", "type": "call", "strike_price_gte": 150,
                                                      "strike_price_lte": 160}))["data"]
    equal(same, calls)
    error(g.ask("/api/v1/options/MSFT/chain?expiration_date=2031-01-17"), 404, "OPTIONS_CHAIN_UNAVAILABLE")


def test_crypto_needs_no_key(scene):
    _, g = scene.pair(keys=False)
    j = fine(g.ask("/api/v1/crypto/BTC-USD/quote"), QUOTE)
    # Which feed a recording is of is not known.
    equal((j["data"]["symbol"], j["metadata"]["feed"]), ("BTC/USD", None))
    fine(g.ask("/api/v1/crypto/btc%2Fusd/trade"), TRADE)
    check(fine(g.ask("/api/v1/crypto/BTC-USD/bars?timeframe=1Min&limit=5"))["data"]["count"] == 5)
    error(g.ask("/api/v1/crypto/BTCUSD/quote"), 400, "INVALID_SYMBOL_FORMAT")
    error(g.ask("/api/v1/crypto/NONE-USD/quote"), 404, "SYMBOL_NOT_FOUND")
    error(g.ask("/api/v1/stocks/AAPL/quote"), 503, "UPSTREAM_AUTHENTICATION_FAILED")
    equal(g.ask("/api/v1/market/status").json["data"]["status"], "unknown")


def test_a_batch_has_an_entry_for_every_symbol_asked(scene):
    r, g = scene.pair()
    asked = ["AAPL", "zzzz", "1bad", "AAPL", "BRK.B"]
    a = g.ask("/api/v1/stocks/quotes/batch", "POST", {"symbols": asked})
    j = a.json
    equal([e["symbol"].upper() for e in j["data"]["quotes"]], [s.upper() for s in asked], "order and duplicates")
    equal([e["status"] for e in j["data"]["quotes"]], ["ok", "error", "error", "ok", "ok"])
    equal([e["error"]["code"] for e in j["data"]["quotes"] if e["status"] == "error"], ["SYMBOL_NOT_FOUND", "INVALID_SYMBOL_FORMAT"])
    equal(j["data"]["summary"], {"total_requested": 5, "successful": 3, "failed": 2})
    equal(r.calls("/v2/stocks/quotes/latest"), 1, "one upstream call")
    get = g.ask("/api/v1/stocks/quotes?symbols=" + ",".join(asked)).json
    equal([e["status"] for e in get["data"]["quotes"]], [e["status"] for e in j["data"]["quotes"]])
    options = g.ask("/api/v1/options/quotes/batch", "POST", {"contracts": [CALL, "AAPL990315C00120000"]}).json
    equal(options["data"]["summary"], {"total_requested": 2, "successful": 1, "failed": 1})
    for bad in ({"symbols": []}, {"symbols": "AAPL"}, {"symbols": ["A"] * 101}, {}, {"symbols": [1]}):
        error(g.ask("/api/v1/stocks/quotes/batch", "POST", bad), 400, "INVALID_PARAMETER")
    equal(fine(g.ask("/api/v1/stocks/quote", "POST", {"symbol": "AAPL"}))["data"]["symbol"], "AAPL")
    equal(fine(g.ask("/api/v1/options/quote", "POST", {"contract": CALL}))["data"]["symbol"], CALL)


def test_a_client_can_ask_for_younger_values_and_is_told_the_age(scene):
    r, g = scene.pair()
    fine(g.ask("/api/v1/stocks/AAPL/quote"))
    begun = time.monotonic()
    old = wait_for(lambda: (a := g.ask("/api/v1/stocks/AAPL/quote")).json["metadata"]["data_freshness_seconds"] >= 0.3 and a, 5, "age")
    check(old.json["metadata"]["data_freshness_seconds"] <= time.monotonic() - begun + 0.1, old)
    equal(r.calls("/v2/stocks/quotes/latest"), 1)
    young = g.ask("/api/v1/stocks/AAPL/quote?max_age_seconds=0.2")
    equal(young.json["metadata"]["cache"], "miss")
    check(young.json["metadata"]["data_freshness_seconds"] <= 0.2, young)
    equal(r.calls("/v2/stocks/quotes/latest"), 2)
    wait_for(lambda: int(g.ask("/api/v1/stocks/AAPL/quote").headers["age"]) >= 1, 5, "the Age header")
    check("max-age=" in g.ask("/api/v1/stocks/AAPL/quote").headers["cache-control"])


def test_one_answer_fills_the_caches_of_all_workers(scene):
    r, g = scene.pair(workers=4)
    # The fetcher greets each worker with the market's clock: from then on it shares with it.
    wait_for(lambda: all(g.metric("opitios_channel_messages_received_total", worker=f"http-{i}") >= 1 for i in range(4)), 20, "channels")
    fine(g.ask("/api/v1/stocks/AAPL/quote"))
    fine(g.ask("/api/v1/options/AAPL/chain"))
    # Shares travel beside the answer: wait until each worker has taken both.
    wait_for(lambda: g.metric("opitios_cache_entries", layer="book") >= 4 and g.metric("opitios_cache_entries", layer="l1") >= 4, 5, "shares")
    for _ in range(40):
        equal(g.ask("/api/v1/stocks/AAPL/quote").json["metadata"]["cache"], "book")
        equal(g.ask("/api/v1/options/AAPL/chain").json["metadata"]["cache"], "l1")
    equal((r.calls("/v2/stocks/quotes/latest"), r.calls("/v1beta1/options/snapshots")), (1, 1), "upstream calls")


def test_market_status_is_the_clock_of_upstream(scene):
    _, g = scene.pair()
    j = wait_for(lambda: (a := g.ask("/api/v1/market/status").json)["data"]["status"] != "unknown" and a, 5, "the clock")
    equal((j["data"]["status"], j["data"]["is_open"]), ("open", True))
    equal((j["data"]["next_close"], j["data"]["next_open"]), ("2024-03-08T21:00:00Z", "2024-03-11T13:30:00Z"))
    equal(g.ask("/api/v1/stocks/AAPL/quote").json["metadata"]["market_status"], "open")


if __name__ == "__main__":
    run_file(globals())
