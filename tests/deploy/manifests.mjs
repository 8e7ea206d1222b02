/* manifests.mjs - renders every overlay, with and without components, and holds it against rules and schemas. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { overlays } from "./figures.mjs";
import { plant } from "./planted.mjs";
import { of, render, renderText, renderWith } from "./render.mjs";
import { close, mustFind, need, report, root, skip } from "./report.mjs";
import * as links from "./rules_links.mjs";
import * as pod from "./rules_pod.mjs";
import { excess, validate } from "./schema.mjs";
import { settingOf } from "./tables.mjs";

export const rules = {
	"figures of the architecture": pod.figures,
	"probes ask what is served, at the promised pace": pod.probesHold,
	"pods are confined": pod.confined,
	"every setting exists, secrets come by reference": pod.settingsKnown,
	"the grace period covers the drain": pod.drainFits,
	"the pods' shares fit the account's budget": pod.budgetFits,
	"the journal fits its volume": pod.stateFits,
	"images have a version": pod.imageNamed,
	"selectors match their pods and no others": links.selectorsMatch,
	"ports exist": links.portsExist,
	"what is referred to is there or documented": links.referencesHold,
	"the network is closed but for what is needed": links.networkClosed,
	"scaling looks at what is served": links.scalingHolds,
};
const colourRules = { "one colour serves": links.oneColourServes, "the colours are alike": pod.coloursAlike };

/* Set by set: what is rendered, and the figures it must have. */
const sets = {};

for (const [name, f] of Object.entries(overlays)) {
	sets[name] = { docs: render(path.join(root, "k8s/overlays", name)), f };
	for (const c of ["linkerd", "istio", "monitoring", "otlp"])
		sets[`${name}-${c}`] = { docs: renderWith(name, f.namespace, [c]), f, component: c };
}
/* The overlay that doc/kubernetes.md has its reader write. */
const told = fs.readFileSync(path.join(root, "doc/kubernetes.md"), "utf8").match(/<<'END'\n([\s\S]*?)END\n/)[1];

sets.documented = { docs: renderText(told), f: overlays.production, component: "monitoring" };
report("the documented overlay has the image it names", of(sets.documented.docs, "Deployment").map((d) => d.spec.template.spec.containers[0].image)
	.filter((i) => i !== "registry.example.com/opitios-alpaca:0.1.0"));
for (const [name, { docs, f }] of Object.entries(sets)) {
	for (const [what, rule] of Object.entries({ ...rules, ...(f.deployments.length > 1 ? colourRules : {}) }))
		report(`${name}: ${what}`, rule(docs, f));
	report(`${name}: fits the schemas`, validate(docs));
}

/* Components must have done something: a patch that matches nothing is silent. */
for (const [name, { docs, component }] of Object.entries(sets)) {
	const has = {
		linkerd: (d) => d.spec.template.metadata.annotations?.["linkerd.io/inject"] === "enabled",
		istio: (d) => d.spec.template.metadata.labels["sidecar.istio.io/inject"] === "true" &&
			d.spec.template.metadata.annotations["prometheus.istio.io/merge-metrics"] === "false",
		otlp: () => of(docs, "NetworkPolicy").some((n) => n.metadata.name === "opitios-alpaca-otlp"),
		monitoring: () => of(docs, "ServiceMonitor").length === 1 && of(docs, "PrometheusRule").length === 1 &&
			of(docs, "ConfigMap").filter((m) => m.metadata.labels?.grafana_dashboard === "1").length === 4,
	}[component];

	if (component) {
		report(`${name}: the component is in every pod`, of(docs, "Deployment").every(has) ? [] : ["not in all"]);
		if (component === "monitoring")
			report(`${name}: alerts name metrics that exist`, links.alertsKnown(docs));
	}
}

/* One run of the compiler for the overlays and for the faults, as it is most of the time this takes. */
const faults = plant(sets);
const typed = Object.fromEntries([...Object.entries(sets), ...Object.entries(faults.excess)].map(([n, s]) => [n, s.docs]));
const unknown = excess(typed);

for (const name of Object.keys(sets))
	report(`${name}: has no field that Kubernetes does not know`, unknown[name]);
for (const [name, { words }] of Object.entries(faults.excess))
	mustFind(name, unknown[name], words);
for (const { name, rule, docs, f, words } of faults.rules)
	mustFind(name, rule(docs, f), words);

/* The gateway itself reads its configuration, as each pod would. */
const gateway = path.join(process.env.OPITIOS_BUILD ?? "", "opitios-alpaca");

function accepts(docs, d) {
	const c = d.spec.template.spec.containers[0];
	const file = path.join(process.env.DEPLOY_MODULES, "opitios-alpaca.conf");
	const env = Object.fromEntries(c.env.filter((e) => settingOf(e.name)).map((e) => [e.name, e.value ??
		(/URL/.test(e.name) ? { REDIS_URL: "redis://r:6379/0", POSTGRES_URL: "postgresql://u@p/d" }[e.name] : "key")]));

	fs.writeFileSync(file, of(docs, "ConfigMap").find((m) => m.metadata.name === d.spec.template.spec.volumes
		.find((v) => v.configMap).configMap.name).data["opitios-alpaca.conf"]);
	const r = spawnSync(gateway, ["--config", file, "--check-config"], { env, encoding: "utf8", timeout: 5000 });

	return r.status === 0 ? [] : [`--check-config ended with ${r.status}: ${r.stdout}${r.stderr}`];
}
if (fs.existsSync(gateway)) {
	for (const name of Object.keys(overlays))
		for (const d of of(sets[name].docs, "Deployment"))
			report(`${name}: ${d.metadata.name}'s configuration is one the gateway accepts`, accepts(sets[name].docs, d));
	const { docs, words } = faults.configuration;

	mustFind("a configuration the gateway refuses", accepts(docs, of(docs, "Deployment")[0]), words);
} else {
	skip("configurations by the gateway itself", `${gateway} is not built`);
}

/* Alerts by Prometheus' own tool. */
function alertsRead(spec) {
	const file = path.join(process.env.DEPLOY_MODULES, "rules.yaml");

	fs.writeFileSync(file, need("yaml").stringify({ groups: spec.groups }));
	const r = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8", timeout: 10000 });

	return r.status === 0 ? [] : [`${r.stdout}${r.stderr}`];
}
if (spawnSync("promtool", ["--version"]).status === 0) {
	const spec = of(sets["production-monitoring"].docs, "PrometheusRule")[0].spec;

	report("promtool reads the alerts", alertsRead(spec));
	mustFind("an alert that is no expression", alertsRead({ groups: [{ name: "x", rules: [{ alert: "X", expr: "sum(" }] }] }), /parse error/);
} else {
	skip("alerts by promtool", "it is not installed");
}
close();
