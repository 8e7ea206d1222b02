/* symbol.js - one symbol: its latest quote with where it comes from, and its bars as candles and as a table. */
"use strict";

const BARS_MAX = 500, TABLE_MAX = 60, ASK_MS = 20000;
let asked = 0, chart = null, series = null, drawn = null, quoted = null;

// ---- asking

function path_of(kind, symbol) {
  return `api/v1/${kind}/${encodeURIComponent(kind === "crypto" ? symbol.replace("/", "-") : symbol)}`;
}
async function ask(path) { // the answer, or an Error that says what to do
  const answer = await fetch(path, { signal: AbortSignal.timeout(ASK_MS), headers: { Accept: "application/json" } });
  const body = await answer.json();
  if (body.error) {
    const reason = body.error.details && body.error.details.reason, action = body.metadata && body.metadata.suggested_action;
    throw new Error(`${body.error.message} (${body.error.code})${reason ? ": " + reason : ""}. ${action || ""}`);
  }
  return body;
}
function problem(what, e) {
  return make("p", `${what}: ${e.name === "TimeoutError" ? "no answer in time" : e.message}`, "problem");
}

// ---- what an answer says about itself

function lineage(m) {
  const list = make("dl", null, "facts lineage"), told = Date.now(), fresh = m.data_freshness_seconds;
  const quality = (m.quality || []).map((q) => typeof q === "string" ? q : q.flag || JSON.stringify(q)).join(", ");
  const draw = () => facts(list, [
    ["Source", `${m.data_source || "–"}, feed ${m.feed || "–"}, cache ${m.cache || "–"}`],
    ["Time of the event", m.event_time || "–"],
    ["Received", m.received_at || "–"],
    ["Age", known(fresh) ? age(fresh + (Date.now() - told) / 1000) + " since received" : "–"],
    ["Market", m.market_status || "–"],
    ["Quality", quality || "no flag", quality ? "warn" : ""],
  ]);
  draw();
  return { list, draw };
}
const number = (v) => known(v) ? String(v) : "–";

function draw_quote(symbol, body) {
  const q = body.data, box = make("div", null, "quote"), from = lineage(body.metadata);
  for (const [name, price, size, exchange] of [["Bid", q.bid_price, q.bid_size, q.bid_exchange], ["Ask", q.ask_price, q.ask_size, q.ask_exchange]]) {
    const d = make("div");
    d.append(make("span", `${name} of ${q.symbol || symbol}`), make("b", number(price)), make("span", `size ${number(size)}${exchange ? ", exchange " + exchange : ""}`));
    box.append(d);
  }
  quoted = from;
  $("quote").replaceChildren(box, from.list);
}

// ---- candles

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function dress() { // in the colours of the page, which follow the system's
  if (!chart) return;
  chart.applyOptions({
    layout: { background: { color: "transparent" }, textColor: colour("--quiet"), fontFamily: getComputedStyle(document.body).fontFamily, attributionLogo: false },
    grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
    rightPriceScale: { borderColor: colour("--line") }, timeScale: { borderColor: colour("--line") },
  });
  series.applyOptions({ upColor: colour("--up"), downColor: colour("--down"), wickUpColor: colour("--up"), wickDownColor: colour("--down"), borderVisible: false });
}
let library = null;
function library_load() { // once, when a chart is wanted
  return library = library || new Promise((done, fail) => {
    const s = document.createElement("script");
    s.src = "status/chart.js";
    s.addEventListener("load", () => window.LightweightCharts ? done(window.LightweightCharts) : fail(new Error("it did not start")));
    s.addEventListener("error", () => fail(new Error("it cannot be loaded")));
    document.head.append(s);
  });
}
async function draw_chart(bars, words, timeframe) {
  const box = $("chart"), lib = await library_load();
  box.hidden = false;
  box.setAttribute("aria-label", words);
  if (!chart) {
    chart = lib.createChart(box, { autoSize: true, crosshair: { mode: 0 }, layout: { attributionLogo: false } });
    series = chart.addSeries(lib.CandlestickSeries);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
    dress();
  }
  chart.applyOptions({ timeScale: { timeVisible: /Min|Hour/.test(timeframe), secondsVisible: false } });
  series.setData(bars.map((b) => ({ time: Date.parse(b.timestamp) / 1000, open: b.open, high: b.high, low: b.low, close: b.close })));
  chart.timeScale().fitContent();
  $("chart-credit").hidden = false;
}
function bars_table(bars) {
  const more = make("details"), table = make("table"), head = table.createTHead().insertRow();
  more.append(make("summary", `The newest ${Math.min(bars.length, TABLE_MAX)} bars as a table`), table);
  for (const name of ["Time", "Open", "High", "Low", "Close", "Volume"]) {
    const th = make("th", name, name === "Time" ? "" : "n");
    th.scope = "col";
    head.append(th);
  }
  const body = table.createTBody();
  for (const b of bars.slice(-TABLE_MAX).reverse()) {
    const tr = body.insertRow();
    tr.append(make("td", day(b.timestamp)));
    for (const v of [b.open, b.high, b.low, b.close, b.volume]) tr.append(make("td", number(v), "n"));
  }
  return more;
}
async function draw_bars(symbol, timeframe, body, mine) {
  const known_bars = (body.data.bars || []).filter((b) => [b.open, b.high, b.low, b.close].every(known));
  const bars = known_bars.sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp));
  const m = body.metadata, box = $("bars");
  if (!bars.length) {
    $("chart").hidden = true;
    box.replaceChildren(make("p", `There is no bar of ${symbol} at ${timeframe}.`, "problem"));
    return;
  }
  const words = `${bars.length} bars of ${symbol}, ${timeframe}, ${day(bars[0].timestamp)} to ${day(bars[bars.length - 1].timestamp)} UTC; last close ${bars[bars.length - 1].close}`;
  const note = make("p", `${words}. Source ${m.data_source || "–"}, feed ${m.feed || "–"}, cache ${m.cache || "–"}, received ${m.received_at || "–"}.`, "quiet");
  box.replaceChildren(note);
  $("bars-table").replaceChildren(bars_table(bars));
  if (!drawn.has_chart) {
    box.append(make("p", "No chart is built in: the charting library was not there when this gateway was built.", "problem"));
    return;
  }
  try {
    await draw_chart(bars, "Candles: " + words, timeframe);
  } catch (e) {
    if (mine === asked) box.append(problem("The chart cannot be drawn", e));
  }
}

// ---- the form

async function show(kind, symbol, timeframe) {
  const mine = ++asked, path = path_of(kind, symbol);
  quoted = null;
  $("quote").replaceChildren(make("p", "Asking …", "quiet"));
  $("bars").replaceChildren();
  $("bars-table").replaceChildren();
  $("chart").hidden = true;
  const [quote, bars] = await Promise.allSettled([ask(`${path}/quote`), ask(`${path}/bars?timeframe=${timeframe}&limit=${BARS_MAX}&sort=desc`)]);
  if (mine !== asked) return;
  if (quote.status === "fulfilled") draw_quote(symbol, quote.value);
  else $("quote").replaceChildren(problem(`No quote of ${symbol}`, quote.reason));
  if (bars.status === "fulfilled") await draw_bars(symbol, timeframe, bars.value, mine);
  else $("bars").replaceChildren(problem(`No bars of ${symbol}`, bars.reason));
}
$("symbol-form").addEventListener("submit", (e) => {
  e.preventDefault();
  const symbol = $("symbol").value.trim().toUpperCase();
  if (symbol) show($("kind").value, symbol, $("timeframe").value);
});
document.addEventListener("status", (e) => {
  const d = e.detail, first = !drawn;
  drawn = d;
  if (quoted) quoted.draw();
  if (!first) return;
  $("symbol-form").hidden = !d.has_symbols;
  if (d.has_symbols) return;
  const port = /:(\d+)$/.exec(d.gateway.http_address || ""), box = $("symbol-elsewhere");
  box.hidden = false;
  box.textContent = "This is the master's own address, which holds no quotes. ";
  if (!port) return;
  const a = make("a", `The gateway at ${d.gateway.http_address} shows symbols.`);
  a.href = `http://${location.hostname}:${port[1]}/status`;
  box.append(a);
});
