/* tables.mjs - what the gateway knows, read out of include/tables: no figure is written down twice. */
import fs from "node:fs";
import path from "node:path";
import { root } from "./report.mjs";

function rows(table, pattern) {
	const text = fs.readFileSync(path.join(root, "include/tables", table), "utf8");
	const found = [...text.matchAll(pattern)];

	if (found.length === 0)
		throw new Error(`include/tables/${table}: no row looks like ${pattern}`);
	return found;
}

/* Settings by "section.key", with type, default and the names the environment may use. */
export const settings = new Map(rows("config.def",
	/^CONFIG\((\w+), (\w+), (\w+), "([^"]*)",.*?(?:RELOAD|RESTART), "(\w*)",/gm).map((m) => [`${m[1]}.${m[2]}`, {
	type: m[3], value: m[4],
	names: [`OPITIOS_${m[1]}_${m[2]}`.toUpperCase(), ...(m[5] ? [m[5]] : [])],
}]));

export const metrics = new Map(rows("metrics.def", /^METRIC\(\w+, (\w+), (\w+),/gm).map((m) => [`opitios_${m[1]}`, m[2]]));
for (const m of rows("metrics.def", /^HISTOGRAM\(\w+, (\w+),/gm))
	metrics.set(`opitios_${m[1]}`, "HISTOGRAM");
/* Shown without a cell of the board. */
for (const m of ["build_info", "start_time_seconds"])
	metrics.set(`opitios_${m}`, "GAUGE");
export const routes = new Set(rows("routes.def", /^ROUTE\(GET, "([^"]+)"/gm).map((m) => m[1]));
export const adminRoutes = new Set(rows("admin_routes.def", /^ADMIN_ROUTE\("([^"]+)"/gm).map((m) => m[1]));

/* The setting of which this is a name in the environment. */
export function settingOf(name) {
	for (const [key, s] of settings)
		if (s.names.includes(name) || s.names.some((n) => name === `${n}_FILE`))
			return key;
	return undefined;
}

/* "[section] key = value" as Map("section.key" => value). */
export function iniRead(text) {
	const found = new Map();
	let section = "";

	for (const line of text.split("\n").map((l) => l.replace(/(^|\s);.*$/, "").trim())) {
		const head = line.match(/^\[(\w+)\]$/), pair = line.match(/^(\w+)\s*=\s*(.*)$/);

		if (head)
			section = head[1];
		else if (pair)
			found.set(`${section}.${pair[1]}`, pair[2]);
	}
	return found;
}

/* MSEC as seconds: a bare number is seconds. */
export function seconds(text) {
	const m = text.match(/^([\d.]+)(ms|s|m|h)?$/);

	return Number(m[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[m[2] ?? "s"];
}

/* BYTES of this project (k, M, G) and quantities of Kubernetes (Ki, Mi, Gi) as bytes. */
export function bytes(text) {
	const m = text.match(/^([\d.]+)([kKMG]?)i?$/);

	return Number(m[1]) * 1024 ** " kMG".indexOf(m[2] ? m[2].replace("K", "k") : " ");
}
