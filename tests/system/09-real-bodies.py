"""Recorded data of others, used in place where it is present: every number that is relayed comes out equal as a decimal."""
import decimal
import json
import zipfile

from harness import SHARED, Skip, check, equal, run_file, wait_for

BODIES = SHARED / "alpaca-responses"
LEAN = SHARED / "lean"
NAMES = {"quote": {"bp": "bid_price", "bs": "bid_size", "ap": "ask_price", "as": "ask_size"},
         "trade": {"p": "price", "s": "size", "i": "trade_id"},
         "bar": {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trade_count", "vw": "vwap"},
         "greeks": {k: k for k in ("delta", "gamma", "rho", "theta", "vega")}}
PARTS = {"latestQuote": ("latest_quote", "quote"), "latestTrade": ("latest_trade", "trade"), "minuteBar": ("minute_bar", "bar"),
         "dailyBar": ("daily_bar", "bar"), "prevDailyBar": ("previous_daily_bar", "bar"), "greeks": ("greeks", "greeks")}


def exact(text):
    return json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def same(kind, sent, got, where):
    """Compares; returns how many numbers."""
    n = 0
    for key, name in NAMES[kind].items():
        if key in sent and not isinstance(sent[key], (str, list)):
            equal(got[name], sent[key], f"{where} {key}")
            n += 1
    if "t" in sent:
        check(sent["t"] in (got.get("timestamp"), got.get("event_time")), where, "t", sent["t"], got)
    return n


def same_snapshot(sent, got, where):
    n = 0
    for part, (name, kind) in PARTS.items():
        if sent.get(part) is None:
            equal(got.get(name), None, f"{where} {part}")
        else:
            n += same(kind, sent[part], got[name], f"{where} {part}")
    if "impliedVolatility" in sent:
        equal(got["implied_volatility"], sent["impliedVolatility"], where)
        n += 1
    return n


def relay(g, r, name, body):
    """Serves one recorded body at the path it belongs to, asks the gateway, compares. Numbers compared, or None when
    the gateway has no such path."""
    text = body.decode()
    doc = exact(text)
    crypto, option = "Crypto" in name, "options_test" in name
    if "Perp" in name or "currency" in doc:
        return None
    path_quote = ("/v1beta3/crypto/us/latest/quotes" if crypto else "/v1beta1/options/quotes/latest" if option
                  else "/v2/stocks/quotes/latest")
    path_trade = "/v1beta3/crypto/us/latest/trades" if crypto else "/v2/stocks/trades/latest"
    path_bars = "/v1beta3/crypto/us/bars" if crypto else "/v2/stocks/bars"
    mine = "crypto" if crypto else "options" if option else "stocks"
    total = 0
    if "Latest" in name and ("quotes" in doc or ("trades" in doc and not option)):
        kind = "quote" if "quotes" in doc else "trade"
        for symbol, sent in doc[kind + "s"].items():
            r.body(path_quote if kind == "quote" else path_trade, text)
            a = g.ask(f"/api/v1/{mine}/{symbol.replace('/', '-')}/{kind}?max_age_seconds=0")
            equal(a.status, 200, f"{name} {symbol} {a}")
            got = exact(a.body)
            equal(got["metadata"]["event_time"], sent["t"], name)
            total += same(kind, {k: v for k, v in sent.items() if k != "t"}, got["data"], f"{name} {symbol}")
    elif "bars" in doc and isinstance(next(iter(doc["bars"].values()), None), list) and not option:
        for symbol, sent in doc["bars"].items():
            one = text if len(doc["bars"]) == 1 else None
            if one is None:
                return None
            r.body(path_bars, one, count=1)
            r.body(path_bars, '{"bars":{},"next_page_token":null}', count=1)
            frame = "15Min" if sent[0]["t"][14:16] in ("15", "45", "30") else "1Day"
            a = g.ask(f"/api/v1/{mine}/{symbol.replace('/', '-')}/bars?timeframe={frame}&start=2015-01-01&limit={len(sent)}&max_age_seconds=0")
            equal(a.status, 200, f"{name} {symbol} {a}")
            got = exact(a.body)["data"]["bars"]
            equal(len(got), len(sent), name)
            r.heal()
            for s, b in zip(sent, got):
                total += same("bar", s, b, f"{name} {symbol}")
    elif "snapshots" in doc and option:
        for symbol, sent in doc["snapshots"].items():
            r.body("/v1beta1/options/snapshots", json.dumps({"snapshots": {symbol: None}}).replace("null", _text_of(text, symbol)))
            a = g.ask(f"/api/v1/options/{symbol}/snapshot?max_age_seconds=0")
            equal(a.status, 200, f"{name} {symbol} {a}")
            total += same_snapshot(sent, exact(a.body)["data"], f"{name} {symbol}")
    elif "latestTrade" in text and not crypto and not option:
        for symbol, sent in ((k, v) for k, v in doc.items() if v is not None):
            r.body("/v2/stocks/snapshots", text)
            a = g.ask(f"/api/v1/stocks/{symbol}/snapshot?max_age_seconds=0")
            equal(a.status, 200, f"{name} {symbol} {a}")
            total += same_snapshot(sent, exact(a.body)["data"], f"{name} {symbol}")
    else:
        return None
    return total


def _text_of(text, symbol):
    """The JSON text of one symbol's value, byte for byte."""
    start = text.index(f'"{symbol}"') + len(symbol) + 2
    start = text.index("{", start)
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


def test_every_number_of_recorded_bodies_comes_out_equal(scene):
    if not BODIES.is_dir():
        raise Skip(f"{BODIES} is not here")
    r, g = scene.pair(settings=("--history.wait=0",))
    files = numbers = 0
    for path in sorted(BODIES.glob("*.json")):
        try:
            n = relay(g, r, path.name, path.read_bytes())
        except ValueError:
            continue            # a recorded error body, not JSON
        r.heal()
        if n:
            files, numbers = files + 1, numbers + n
    print(f"        {files} bodies, {numbers} numbers equal")
    check(files >= 15 and numbers >= 150, files, numbers)


def test_lean_ticks_become_quotes_and_trades(scene):
    if not LEAN.is_dir():
        raise Skip(f"{LEAN} is not here")
    r, g = scene.pair(LEAN / "tick", replay_args=("--rate-per-minute", "0", "--speed", "1"))

    def quote():
        a = g.ask("/api/v1/stocks/IBM/quote")
        return a if a.status == 200 else None
    a = wait_for(quote, 10, "a quote of IBM")
    m = a.json["metadata"]
    equal(m["data_source"], "replay")
    check(m["event_time"].startswith(("2013-10-07", "2013-10-08")), m)
    rows = zipfile.ZipFile(LEAN / "tick/ibm/20131007_quote.zip")
    text = rows.read(rows.namelist()[0]).decode().splitlines()
    prices = {decimal.Decimal(p) / 10000 for line in text for p in (line.split(",")[1], line.split(",")[3]) if p not in ("0", "")}
    got = exact(a.body)["data"]
    for side in ("bid_price", "ask_price"):
        check(got[side] is None or got[side] in prices, side, got[side], "is no recorded price")
    check(g.ask("/api/v1/stocks/IBM/trade").status == 200)
    equal(g.ask("/api/v1/market/status").json["data"]["status"], "open")


def test_lean_minutes_become_bars_and_absent_minutes_stay_absent(scene):
    if not LEAN.is_dir():
        raise Skip(f"{LEAN} is not here")
    _, g = scene.pair(LEAN / "minute")
    a = g.ask("/api/v1/stocks/AAPL/bars?timeframe=1Min&start=2014-06-05T00:00:00-04:00&end=2014-06-05T23:59:59-04:00&limit=10000")
    equal(a.status, 200, a)
    rows = zipfile.ZipFile(LEAN / "minute/aapl/20140605_trade.zip")
    wanted = [line.split(",") for line in rows.read(rows.namelist()[0]).decode().splitlines()]
    got = exact(a.body)["data"]["bars"]
    equal(len(got), len(wanted), "bars")
    for w, b in zip(wanted, got):
        equal([b[k] for k in ("open", "high", "low", "close")], [decimal.Decimal(x) / 10000 for x in w[1:5]], w[0])


if __name__ == "__main__":
    run_file(globals())
