/* schema.mjs - objects against the schemas of Kubernetes and of the Prometheus operator.
 *
 * Two tools, because each lets through what the other finds: the validators refuse wrong types and missing
 * fields, and the compiler refuses fields that do not exist, which the validators ignore.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { need } from "./report.mjs";

/* "apps/v1" -> the module that has its classes; undefined for what nobody here knows. */
function moduleOf(apiVersion) {
	const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];

	if (group === "monitoring.coreos.com")
		return `@kubernetes-models/prometheus-operator/${group}/${version}`;
	return group === "" ? `kubernetes-models/${version}` : `kubernetes-models/${group}/${version}`;
}

const nameOf = (o) => `${o.kind} ${o.metadata?.name}`;

function classOf(o) {
	try {
		return need(moduleOf(o.apiVersion))[o.kind];
	} catch {
		return undefined;
	}
}

export function validate(docs) {
	const problems = [];

	for (const o of docs) {
		const Kind = classOf(o);

		if (Kind === undefined) {
			problems.push(`${nameOf(o)}: no schema of ${o.apiVersion} ${o.kind}`);
			continue;
		}
		try {
			new Kind(structuredClone(o)).validate();
		} catch (e) {
			problems.push(`${nameOf(o)}: ${e.message}`);
		}
	}
	return problems;
}

/* Sets of objects by name -> problems by name; one run of the compiler for all. */
export function excess(sets) {
	const folder = fs.mkdtempSync(path.join(process.env.DEPLOY_MODULES, "types-"));
	const problems = Object.fromEntries(Object.keys(sets).map((n) => [n, []]));

	for (const [name, docs] of Object.entries(sets)) {
		const lines = docs.filter(classOf).map((o, i) =>
			`import { I${o.kind} as T${i} } from "${moduleOf(o.apiVersion)}"; export const o${i}: T${i} = ${JSON.stringify(o)};`);

		fs.writeFileSync(path.join(folder, `${name}.ts`), lines.join("\n") + "\n");
	}
	const r = spawnSync(process.execPath, [need.resolve("typescript/lib/tsc.js"), "--noEmit", "--strict", "--skipLibCheck",
		"--module", "node16", "--moduleResolution", "node16", "--target", "es2022", "--pretty", "false",
		...Object.keys(sets).map((n) => path.join(folder, `${n}.ts`))], { encoding: "utf8", timeout: 60000, cwd: folder });

	fs.rmSync(folder, { recursive: true });
	for (const line of r.stdout.split("\n").filter((l) => /error TS/.test(l))) {
		const m = line.match(/([\w-]+)\.ts\((\d+),\d+\): error TS\d+: (.*)/);

		if (m === null || problems[m[1]] === undefined)
			throw new Error(`tsc: ${line}`);
		problems[m[1]].push(`${nameOf(sets[m[1]].filter(classOf)[m[2] - 1])}: ${m[3].slice(0, 200)}`);
	}
	if (r.error || (r.status !== 0 && !/error TS/.test(r.stdout)))
		throw new Error(`tsc did not run: ${r.error ?? r.stderr}${r.stdout}`);
	return problems;
}
