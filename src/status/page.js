/* page.js - draws the status document, live. Whatever it shows goes in as text, never as markup. */
"use strict";

const KEPT = 121;        // documents whose figures are kept: a minute of them
const WINDOW = 10;       // seconds that rates and percentiles look back
const CHANGED_MS = 10000;
const EVENTS_MAX = 12;
const $ = (id) => document.getElementById(id);

function make(tag, text, name) {
  const e = document.createElement(tag);
  if (text !== undefined && text !== null) e.textContent = text;
  if (name) e.className = name;
  return e;
}
const set = (e, text) => { if (e.textContent !== text) e.textContent = text; };
const look = (e, name) => { if (e.className !== name) e.className = name; };

// ---- words for figures; what is not known is a dash

const known = (v) => typeof v === "number" && Number.isFinite(v);
function count(v) {
  if (!known(v)) return "–";
  if (v < 10 && v !== Math.round(v)) return v.toFixed(1);
  if (v < 10000) return Math.round(v).toString();
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (v >= size) return (v / size).toFixed(v < 10 * size ? 1 : 0) + unit;
  return String(v);
}
function bytes(v) {
  if (!known(v)) return "–";
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]])
    if (v >= size) return (v / size).toFixed(v < 10 * size ? 1 : 0) + " " + unit;
  return v + " B";
}
function age(v) {
  if (!known(v)) return "–";
  if (v < 1) return "now";
  if (v < 60) return Math.floor(v) + " s";
  if (v < 3600) return Math.floor(v / 60) + " min";
  if (v < 86400) return Math.floor(v / 3600) + " h " + Math.floor(v % 3600 / 60) + " min";
  return Math.floor(v / 86400) + " d " + Math.floor(v % 86400 / 3600) + " h";
}
function seconds(v) {
  if (!known(v)) return "–";
  if (v < 0.001) return Math.round(v * 1e6) + " µs";
  return v < 1 ? +(v * 1000).toPrecision(3) + " ms" : +v.toPrecision(3) + " s";
}
const percent = (v) => known(v) ? (v < 10 ? v.toFixed(1) : Math.round(v)) + " %" : "–";
const clock = (text) => text ? text.slice(11, 19) : "–";
const day = (text) => text ? text.slice(0, 10) + " " + text.slice(11, 16) : "–";

// ---- what was seen: a ring for each curve, forgotten when the gateway is another one

let documents = [], curves = {}, began = null;
function remember(name, value) {
  const c = curves[name] = curves[name] || [];
  c.push(known(value) ? value : null);
  if (c.length > KEPT) c.shift();
}
function then() { // the document to compare the newest with
  const now = documents[documents.length - 1];
  for (const d of documents)
    if (now.monotonic_seconds - d.monotonic_seconds <= WINDOW) return d;
  return now;
}
function per_second(now, was, from, to) {
  const s = to.monotonic_seconds - from.monotonic_seconds;
  return s > 0.2 && known(now) && known(was) && now >= was ? (now - was) / s : NaN;
}
function percentile(now, was, bounds, share) { // {text, value}: the bound of the bucket it falls into
  if (!now) return { text: "–", value: NaN };
  const grown = now.map((n, i) => Math.max(0, n - (was ? was[i] : 0)));
  const all = grown.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; all > 0 && i < grown.length; i++)
    if ((sum += grown[i]) >= all * share)
      return i < bounds.length ? { text: "≤ " + seconds(bounds[i]), value: bounds[i] }
        : { text: "> " + seconds(bounds[bounds.length - 1]), value: bounds[bounds.length - 1] };
  return { text: "–", value: NaN };
}
const add = (a, b) => a ? a.map((v, i) => v + b[i]) : b;
const slots_of = (d) => Object.fromEntries(d.slots.map((s) => [s.slot, s]));

// ---- curves

const SVG = "http://www.w3.org/2000/svg";
function curve(box, values, label) {
  const w = KEPT - 1, h = 30, top = Math.max(1e-9, ...values.map((v) => v || 0)) * 1.25;
  const at = (v, i) => [w - values.length + 1 + i, h - 1 - (v || 0) / top * (h - 3)];
  const points = values.map(at);
  let svg = box.firstElementChild;
  if (!svg) {
    svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "curve");
    svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    for (const name of ["area", "line"]) {
      const p = document.createElementNS(SVG, "path");
      p.setAttribute("class", name);
      svg.append(p);
    }
    box.append(svg);
  }
  svg.setAttribute("aria-label", label);
  const line = points.map(([x, y], i) => (i ? "L" : "M") + x + " " + y.toFixed(2)).join("");
  svg.children[1].setAttribute("d", line);
  svg.children[0].setAttribute("d", points.length > 1 ? `${line}L${w} ${h}L${points[0][0]} ${h}Z` : "");
}

// ---- what changed while somebody looked

function told(text, kind) {
  const list = $("events"), li = make("li");
  if (list.dataset.empty) { list.replaceChildren(); delete list.dataset.empty; }
  li.append(make("time", new Date().toISOString().slice(11, 19)), make("span", text, "grow " + (kind || "")));
  list.prepend(li);
  while (list.children.length > EVENTS_MAX) list.lastElementChild.remove();
}
function empty(list, text) {
  list.replaceChildren(make("li", text, "quiet"));
  list.dataset.empty = "1";
}
const changed = {};
function compare(now, was) {
  const before = Object.fromEntries(was.health.workers.map((w) => [w.slot, w]));
  for (const w of now.health.workers) {
    const b = before[w.slot];
    if (!b) { told(`${w.slot}: new slot`); continue; }
    if (w.last_exit_at !== b.last_exit_at && w.last_exit) {
      told(`${w.slot} ended: ${w.last_exit}`, "bad");
      changed[w.slot] = Date.now();
    }
    if (w.pid !== b.pid && w.pid) {
      told(`${w.slot}: process ${w.pid} follows ${b.pid || "none"}`, "warn");
      changed[w.slot] = Date.now();
    } else if (w.state !== b.state) told(`${w.slot}: ${b.state} → ${w.state}`, w.state === "ready" ? "good" : "warn");
    delete before[w.slot];
  }
  for (const slot of Object.keys(before)) told(`${slot}: slot taken away`);
  if (now.health.status !== was.health.status)
    told(`the gateway is ${now.health.status}`, health_look(now.health.status));
  if (now.gateway.generation !== was.gateway.generation)
    told(`configuration ${now.gateway.generation} serves`, "good");
  if (now.market.status !== was.market.status) told(`the market is ${now.market.status}`);
}

// ---- the parts of the page

const health_look = (s) => s === "healthy" || s === "closed" ? "good" : s === "degraded" || s === "unknown" ? "warn" : "bad";

function draw_head(d) {
  const h = d.health, up = h.system ? h.system.uptime_seconds : NaN;
  look($("health"), "pill " + health_look(h.status));
  set($("health"), h.status);
  const words = [`version ${h.version}`];
  if (h.system && h.system.environment) words.push(h.system.environment);
  words.push(`up ${age(up)}`, `configuration ${d.gateway.generation}`);
  set($("identity"), words.join(" · "));
  document.title = (h.status === "healthy" ? "" : h.status.toUpperCase() + " · ") + "opitios-alpaca status";
  const reasons = h.reasons || [], box = $("reasons");
  box.hidden = reasons.length === 0;
  look(box, "banner" + (h.status === "unhealthy" ? " bad" : ""));
  if (box.textContent !== reasons.join(""))
    box.replaceChildren(...reasons.map((r) => make("li", r)));
}

function draw_tiles(d, from) {
  const now = { requests: 0, bad: 0, in_flight: 0, connections: 0 }, was = { requests: 0, bad: 0 };
  let buckets = null, before = null;
  for (const s of d.slots.filter((s) => s.by_class)) {
    now.requests += s.requests_total; now.bad += s.by_class["5xx"]; now.in_flight += s.in_flight; now.connections += s.connections;
    buckets = add(buckets, s.duration_buckets);
  }
  for (const s of from.slots.filter((s) => s.by_class)) {
    was.requests += s.requests_total; was.bad += s.by_class["5xx"];
    before = add(before, s.duration_buckets);
  }
  const rate = per_second(now.requests, was.requests, from, d), bad = per_second(now.bad, was.bad, from, d);
  const last = documents[documents.length - 2];
  const newest = last ? per_second(now.requests, last.slots.reduce((n, s) => n + (s.by_class ? s.requests_total : 0), 0), last, d) : NaN;
  const p99 = percentile(buckets, before, d.bucket_seconds.http, 0.99), p50 = percentile(buckets, before, d.bucket_seconds.http, 0.5);
  remember("rate", newest); remember("p99", p99.value);
  unit($("rate"), count(rate), "/s");
  curve($("rate-spark"), curves.rate, `Requests a second over the last minute, now ${count(rate)}`);
  set($("rate-more"), `${count(now.in_flight)} in flight, ${count(now.connections)} connections, ${count(bad)} failed/s`);
  set($("p99"), p99.text);
  curve($("p99-spark"), curves.p99, `99th percentile of latency over the last minute, now ${p99.text}`);
  set($("p99-more"), `median ${p50.text}`);

  const u = d.upstream, left = known(u.budget_left) && u.budget_limit > 0 ? Math.min(100, u.budget_left / u.budget_limit * 100) : NaN;
  const meter = $("budget-meter"), low = left < 10 ? "bad" : left < 30 ? "warn" : "";
  unit($("budget"), count(u.budget_left), known(u.budget_limit) ? ` of ${count(u.budget_limit)}` : "");
  look(meter, "meter " + low);
  meter.firstElementChild.style.width = (known(left) ? left : 0) + "%";
  meter.setAttribute("aria-valuenow", known(left) ? Math.round(left) : 0);
  meter.setAttribute("aria-valuetext", known(left) ? `${Math.round(left)} percent` : "not known");
  const waiting = Object.values(u.queue).reduce((a, b) => a + b, 0);
  set($("budget-more"), `calls a minute; ${count(waiting)} waiting`);

  const j = d.journal;
  remember("lag", j.lag_records);
  unit($("lag"), count(j.lag_records), " records");
  curve($("lag-spark"), curves.lag, `Records not stored yet over the last minute, now ${count(j.lag_records)}`);
  set($("lag-more"), `journal ${bytes(j.bytes)}`);

  draw_age(d);
  const m = d.market;
  set($("market"), m.status);
  look($("market"), "figure " + (m.status === "open" ? "good" : m.status === "unknown" ? "warn" : ""));
  set($("market-more"), m.status === "unknown" ? "its clock has told nothing that holds now"
    : (m.status === "open" ? "closes " + day(m.next_close) : "opens " + day(m.next_open)) + " UTC");
}
function unit(e, text, small) {
  const key = text + "|" + small;
  if (e.dataset.key === key) return;
  e.dataset.key = key;
  e.replaceChildren(text, make("small", small));
}

function draw_age(d) { // by family; the youngest is the figure
  const ages = Object.entries(d.data).filter(([, v]) => known(v)).sort((a, b) => a[1] - b[1]);
  set($("age"), ages.length ? age(ages[0][1]) : "–");
  set($("age-more"), ages.length ? "since received: " + ages.map(([k, v]) => `${k} ${age(v)}`).join(", ")
    : "no value received since the fetcher began");
}

const rows = {};
function row_of(slot) {
  if (rows[slot]) return rows[slot];
  const tr = make("tr"), name = make("th", slot);
  name.scope = "row";
  const cells = { state: make("td", "", "state-cell"), spark: make("td", "", "curve-cell") };
  cells.state.append(make("span", "", "state"));
  cells.spark.append(make("div", "", "spark"));
  tr.append(name, cells.state, cells.spark);
  for (const [key, label] of [["rate", "Per second"], ["fly", "In flight"], ["p99", "p99"], ["cpu", "CPU"], ["rss", "Memory"], ["up", "Up"], ["restarts", "Restarts"]]) {
    cells[key] = make("td", "–", "n");
    cells[key].dataset.label = label;
    tr.append(cells[key]);
  }
  cells.doing = make("td", "", "doing");
  tr.append(cells.doing);
  tr.dataset.slot = slot;
  $("slots-table").tBodies[0].append(tr);
  return rows[slot] = { tr, cells };
}
function state_of(w) {
  if (w.failed) return ["failed", "bad"];
  if (w.state === "ready") return w.heartbeat_age > 5 ? [`silent ${age(w.heartbeat_age)}`, "bad"] : ["ready", "good"];
  return [w.state || "–", w.state === "starting" || w.state === "draining" ? "warn" : "bad"];
}
function doing_of(w) {
  if (w.note) return w.note;
  if (w.doing && w.doing_seconds >= 1) return `${w.doing} (${age(w.doing_seconds)})`;
  return w.last_exit ? `${w.last_exit}, ${clock(w.last_exit_at)} UTC` : w.doing || "";
}
function draw_slots(d, from) {
  const now = slots_of(d), was = slots_of(from), last = documents.length > 1 ? slots_of(documents[documents.length - 2]) : {};
  const seen = new Set();
  for (const w of d.health.workers) {
    const { tr, cells } = row_of(w.slot), s = now[w.slot] || {}, b = was[w.slot] || {}, l = last[w.slot] || {};
    const [word, kind] = state_of(w), rate = per_second(s.requests_total, b.requests_total, from, d);
    const previous = documents[documents.length - 2] || d;
    const p = percentile(s.duration_buckets, b.duration_buckets, d.bucket_seconds[s.role], 0.99);
    seen.add(w.slot);
    remember("slot " + w.slot, per_second(s.requests_total, l.requests_total, previous, d));
    set(cells.state.firstElementChild, word);
    look(cells.state.firstElementChild, "state " + kind);
    curve(cells.spark.firstElementChild, curves["slot " + w.slot], `${w.slot}: a second, over the last minute; now ${count(rate)}`);
    set(cells.rate, count(rate));
    set(cells.fly, count(s.in_flight));
    set(cells.p99, p.text);
    set(cells.cpu, percent(per_second(s.cpu_seconds, b.cpu_seconds, from, d) * 100));
    set(cells.rss, bytes(s.rss_bytes));
    set(cells.up, age(w.uptime_seconds));
    set(cells.restarts, count(w.restarts));
    look(cells.restarts, "n" + (w.restarts > 0 ? " warn" : ""));
    set(cells.doing, doing_of(w));
    look(tr, Date.now() - (changed[w.slot] || 0) < CHANGED_MS ? "changed" : "");
  }
  for (const slot of Object.keys(rows))
    if (!seen.has(slot)) { rows[slot].tr.remove(); delete rows[slot]; }
}

const OUTCOMES = ["hit", "joined", "miss", "expired", "stale", "refused", "failed"];
function draw_cache(d, from) {
  const body = $("cache-table").tBodies[0], was = Object.fromEntries(from.cache.map((c) => [c.layer, c]));
  const all = (c) => OUTCOMES.reduce((n, k) => n + (c[k] || 0), 0);
  d.cache.forEach((c, i) => {
    let tr = body.rows[i];
    if (!tr) {
      tr = body.insertRow();
      const name = make("th", c.layer), ratio = make("div", null, "ratio"), meter = make("div", null, "meter");
      name.scope = "row";
      meter.append(make("span"));
      ratio.append(meter, make("b"));
      tr.append(name, make("td"), make("td", "", "n"), make("td", "", "n"), make("td", "", "n"));
      tr.children[1].append(ratio);
    }
    const outcomes = OUTCOMES.filter((k) => c[k]).map((k) => `${count(c[k])} ${k}`).join(", ");
    const looked = all(c), hits = c.hit || 0, share = looked ? hits / looked * 100 : NaN, b = was[c.layer];
    tr.title = outcomes;
    tr.children[1].firstElementChild.firstElementChild.firstElementChild.style.width = (known(share) ? share : 0) + "%";
    // The last layer has no hits: it is where all others have sent.
    tr.children[1].firstElementChild.firstElementChild.hidden = c.layer === "upstream";
    set(tr.children[1].firstElementChild.lastElementChild, c.layer === "upstream" ? outcomes || "–" : percent(share));
    set(tr.children[2], looked ? count(per_second(looked, b ? all(b) : NaN, from, d)) : "unused");
    set(tr.children[3], c.entries ? count(c.entries) : "–");
    set(tr.children[4], c.bytes ? bytes(c.bytes) : "–");
  });
}

function facts(list, entries) { // [name, text, look]; written anew only where it differs
  entries.forEach(([name, text, kind], i) => {
    let dt = list.children[2 * i], dd = list.children[2 * i + 1];
    if (!dt) list.append(dt = make("dt"), dd = make("dd"));
    set(dt, name);
    set(dd, text);
    look(dd, kind || "");
  });
  while (list.children.length > 2 * entries.length) list.lastElementChild.remove();
}
function check_fact(name, c) {
  if (!c) return [name, "–"];
  const words = [c.status];
  if (known(c.response_time_ms)) words.push(seconds(c.response_time_ms / 1000));
  if (known(c.age_seconds)) words.push(c.age_seconds < 1 ? "just now" : age(c.age_seconds) + " ago");
  if (c.last_error) words.push(c.last_error);
  return [name, words.join(" · "), c.status === "healthy" ? "good" : c.status === "unknown" ? "warn" : "bad"];
}
const sum = (o) => Object.values(o).reduce((a, b) => a + b, 0);
const pairs = (o) => Object.entries(o).filter(([, v]) => v).map(([k, v]) => `${count(v)} ${k.replace(/_/g, " ")}`).join(", ");

function draw_upstream(d, from) {
  const u = d.upstream, h = d.health.upstream || {}, open = Object.entries(h.breaker || {}).filter(([, v]) => v === "open").map(([k]) => k);
  facts($("upstream"), [
    check_fact("Last check", (d.health.checks || {}).external_api),
    ["Address", h.url || "–"],
    ["Breaker", !h.breaker ? "not known" : open.length ? "open for " + open.join(", ") : "closed for all", !h.breaker ? "warn" : open.length ? "bad" : "good"],
    ["Calls", `${count(per_second(sum(u.outcomes), sum(from.upstream.outcomes), from, d))}/s; ${pairs(u.outcomes) || "none yet"}`],
    ["Spared", `${count(u.coalesced_total)} joined, ${count(u.merged_total)} travelled with others`],
    ["Tried again", count(u.retries_total), u.retries_total > from.upstream.retries_total ? "warn" : ""],
    ["Waiting", pairs(u.queue) || "none"],
  ]);
}
function draw_stores(d, from) {
  const s = d.stores, f = from.stores, j = d.journal, p = (name) => percentile(s[name + "_buckets"], null, d.bucket_seconds[name], 0.99).text;
  const entries = [
    check_fact("History store", (d.health.checks || {}).database),
    check_fact("Cache", (d.health.checks || {}).cache),
    ["Rows", `${count(per_second(sum(s.rows_total), sum(f.rows_total), from, d))}/s; ${pairs(s.rows_total) || "none yet"}`],
    ["Commit p99", `${p("commit")}; from journal to store ${p("delay")}`],
    ["Failed, tried again", pairs(s.errors_total) || "none", sum(s.errors_total) > sum(f.errors_total) ? "bad" : ""],
    ["Dead letters", pairs(s.dead_letters_total) || "none", sum(s.dead_letters_total) ? "bad" : ""],
    ["Journal", `record ${known(j.sequence) ? j.sequence : "–"}, ${bytes(j.bytes)}, lag ${count(j.lag_records)}`],
    ["Not journalled", `${count(j.dropped_total)} dropped, ${count(j.corrupt_total)} corrupt`, j.dropped_total + j.corrupt_total ? "bad" : ""],
  ];
  if (s.redis_up) entries.push(["Redis lag", `${count(s.redis_lag_records)} records`]);
  if (s.redis_breakers_open) entries.push(["Redis", `${count(s.redis_breakers_open)} workers do not ask it`, "bad"]);
  facts($("stores"), entries);
}

function draw_crashes(d) {
  const list = $("crashes"), key = d.crashes.map((c) => c.id).join();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  if (!d.crashes.length) { empty(list, "No process has crashed, as far as reports are kept."); return; }
  list.replaceChildren(...d.crashes.map((c) => {
    const li = make("li"), when = make("time", day(c.time) + " UTC");
    when.dateTime = c.time || "";
    li.append(when, make("span", `${c.slot}: ${c.ended}`, "grow"));
    if (d.has_reports) {
      const b = make("button", "Report " + c.id, "small");
      b.type = "button";
      b.addEventListener("click", () => show_report(c.id));
      li.append(b);
    } else li.append(make("code", `opitios-ctl crashes ${c.id}`));
    return li;
  }));
}
async function show_report(id) {
  const body = $("report-body");
  set($("report-title"), `Crash report ${id}`);
  body.replaceChildren(make("p", "Reading …", "quiet"));
  $("report").showModal();
  try {
    const r = await (await fetch(`status/crash?id=${id}`, { signal: AbortSignal.timeout(5000) })).json();
    if (r.error) throw new Error(r.error.message);
    const list = make("dl", null, "facts"), or = (v) => v === null || v === undefined ? "–" : String(v);
    facts(list, [["Slot", `${r.slot}, pid ${r.pid}`], ["When", or(r.time)], ["Ended", r.ended], ["Cause", or(r.cause)],
      ["Up", age(r.uptime)], ["Peak memory", bytes(r.peak_rss_bytes)], ["Version", `${or(r.version)}, build ${or(r.build_id)}`],
      ["Doing", r.doing && r.doing.text ? `${r.doing.text}${r.doing.in_hand ? " (in hand)" : ""}` : "–"], ["Core", or(r.core)]]);
    const frames = (r.frames || []).map((f, i) => `#${i} ${f.module}+${f.offset}`).join("\n");
    body.replaceChildren(list, make("h3", "Where"), make("pre", frames || "It wrote nothing: killed, or not by a signal."),
      make("h3", "Its last lines"), make("pre", (r.log || []).join("\n") || "none"));
  } catch (e) {
    body.replaceChildren(make("p", `The report cannot be read: ${e.message}`, "problem"));
  }
}

// ---- live

let arrived = 0, stream = null, again = 0;
function draw(d) {
  arrived = Date.now();
  if (began !== d.gateway.started_at) { documents = []; curves = {}; began = d.gateway.started_at; }
  const was = documents[documents.length - 1];
  if (was && d.monotonic_seconds <= was.monotonic_seconds) return;
  documents.push(d);
  while (documents.length > 2 && d.monotonic_seconds - documents[1].monotonic_seconds > WINDOW) documents.shift();
  const from = then();
  draw_head(d); draw_tiles(d, from); draw_slots(d, from); draw_cache(d, from); draw_upstream(d, from); draw_stores(d, from); draw_crashes(d);
  if (was) compare(d, was);
  document.dispatchEvent(new CustomEvent("status", { detail: d }));
  draw_live();
}
function draw_live() {
  const silent = (Date.now() - arrived) / 1000, live = $("live"), d = documents[documents.length - 1];
  const is_live = arrived > 0 && silent < 3;
  document.body.classList.toggle("stale", !is_live && arrived > 0);
  look(live, "pill " + (is_live ? "good" : "bad"));
  set(live, is_live ? `live from ${d.seen_by}` : arrived ? `no data for ${age(silent)}` : "no data yet");
}
function connect() {
  clearTimeout(again);
  if (stream) stream.close();
  stream = new EventSource("status/events");
  stream.addEventListener("status", (e) => { try { draw(JSON.parse(e.data)); } catch (why) { console.error(why); } });
  stream.addEventListener("error", () => {
    if (stream && stream.readyState === EventSource.CLOSED) { again = setTimeout(connect, 2000); poll(); }
  });
}
async function poll() { // refused a stream: the document once, until the next try
  try {
    const answer = await fetch("status/now.json", { signal: AbortSignal.timeout(1500) });
    if (answer.ok) draw(await answer.json());
  } catch (why) { /* the pill tells that nothing comes */ }
}
document.addEventListener("visibilitychange", () => { // who does not look holds no stream
  if (!document.hidden) connect();
  else if (stream) { stream.close(); stream = null; clearTimeout(again); }
});
$("report-close").addEventListener("click", () => $("report").close());
empty($("events"), "Nothing changed yet.");
setInterval(draw_live, 500);
connect();
