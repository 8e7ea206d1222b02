/* terraform.mjs - reads infrastructure/ as Terraform would, and holds versions, marks and figures against the promised ones. */
import fs from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { close, mustFind, need, report, root, skip } from "./report.mjs";

/* Packages of the stand-ins are there only where terraform is. */
const tool = process.env.DEPLOY_TERRAFORM ? await import("./validate.mjs") : undefined;
const { parse } = need("@cdktf/hcl2json");
const folder = path.join(root, "infrastructure");
const show = JSON.stringify;

const sources = Object.fromEntries(fs.readdirSync(folder).filter((f) => f.endsWith(".tf"))
	.map((f) => [f, fs.readFileSync(path.join(folder, f), "utf8")]));
const given = Object.fromEntries(fs.readdirSync(path.join(folder, "environments")).filter((f) => f.endsWith(".tfvars"))
	.map((f) => [f.replace(".tfvars", ""), fs.readFileSync(path.join(folder, "environments", f), "utf8")]));

/* All files as one: kind -> name -> body. */
async function read(texts) {
	const all = { terraform: {}, variable: {}, output: {}, resource: {}, provider: {} };

	for (const [name, text] of Object.entries(texts)) {
		const part = await parse(name, text);

		Object.assign(all.terraform, part.terraform?.[0]);
		for (const kind of ["variable", "output", "provider"])
			for (const [k, v] of Object.entries(part[kind] ?? {}))
				all[kind][k] = v[0];
		for (const [type, list] of Object.entries(part.resource ?? {}))
			for (const [k, v] of Object.entries(list))
				all.resource[`${type}.${k}`] = v[0];
	}
	return all;
}

/* What stands within yamlencode(...), as an object. */
async function valuesOf(release) {
	const inner = release.values?.[0].match(/^\$\{yamlencode\(([\s\S]*)\)\}$/)?.[1];

	return inner === undefined ? {} : (await parse("v.tf", `locals {\n  v = ${inner}\n}\n`)).locals[0].v;
}

const at = (o, where) => where.split(".").reduce((x, k) => x?.[k], o);

function want(problems, what, got, wanted) {
	if (!isDeepStrictEqual(got, wanted))
		problems.push(`${what} is ${show(got)}, wanted ${show(wanted)}`);
}

const charts = {
	redis: { name: "redis-cluster", chart: "redis", version: "17.15.2", values: {
		"architecture": "replication", "auth.enabled": true, "replica.replicaCount": 2, "master.persistence.enabled": true,
		"replica.persistence.enabled": true, "master.persistence.size": "${var.redis_size}", "replica.persistence.size": "${var.redis_size}",
		"master.resources": { requests: { memory: "256Mi", cpu: "100m" }, limits: { memory: "512Mi", cpu: "500m" } } } },
	postgresql: { name: "postgresql", chart: "postgresql", version: "12.10.0", values: {
		"primary.persistence.enabled": true, "primary.persistence.size": "${var.postgres_size}",
		"primary.resources": { requests: { memory: "256Mi", cpu: "100m" }, limits: { memory: "1Gi", cpu: "1000m" } } } },
	prometheus: { name: "prometheus", chart: "kube-prometheus-stack", version: "51.7.0", values: {
		"prometheus.prometheusSpec.retention": "30d", "grafana.persistence.enabled": true, "grafana.persistence.size": "10Gi",
		"prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.resources.requests.storage": "50Gi" } },
};

async function figures(t) {
	const p = [];

	for (const [name, c] of Object.entries(charts)) {
		const r = t.resource[`helm_release.${name}`], values = await valuesOf(r ?? {});

		for (const k of ["name", "chart", "version"])
			want(p, `${name}.${k}`, r?.[k], c[k]);
		for (const [k, v] of Object.entries(c.values))
			want(p, `${name}: ${k}`, at(values, k), v);
	}
	const lb = t.resource["kubernetes_service.load_balancer"]?.spec?.[0];

	want(p, "the load balancer's type", lb?.type, "LoadBalancer");
	want(p, "the load balancer's pods", lb?.selector, { app: "opitios-alpaca" });
	want(p, "the load balancer's port", [lb?.port?.[0].port, lb?.port?.[0].target_port], [80, 8081]);
	if (!lb?.load_balancer_source_ranges)
		p.push("the load balancer is open to everybody");
	want(p, "the namespace", t.resource["kubernetes_namespace.gateway"]?.metadata[0].name, "${var.environment}");
	want(p, "the sizes", [t.variable.redis_size?.default, t.variable.postgres_size?.default], ["10Gi", "20Gi"]);
	return p;
}

/* `~> 2.31` takes 2.x from there on; a version without an upper end takes whatever comes. */
function pinned(t) {
	const p = [];

	for (const name of ["kubernetes", "helm"]) {
		const q = t.terraform.required_providers?.[0][name];

		want(p, `source of ${name}`, q?.source, `hashicorp/${name}`);
		if (!/^~> 2\.\d+$/.test(q?.version ?? ""))
			p.push(`version of provider ${name} is ${show(q?.version)}, wanted ~> 2.N`);
	}
	if (!/^>= 1\.\d+, < 2/.test(t.terraform.required_version ?? ""))
		p.push(`required_version is ${show(t.terraform.required_version)}`);
	for (const [name, r] of Object.entries(t.resource))
		if (name.startsWith("helm_release.") && !/^\d+\.\d+\.\d+$/.test(r.version ?? ""))
			p.push(`${name}: version ${show(r.version)} is not one version`);
	const s3 = t.terraform.backend?.s3?.[0];

	want(p, "the state", [s3?.bucket, s3?.key, s3?.region, s3?.encrypt], ["opitios-terraform-state", "alpaca-service/terraform.tfstate", "us-east-1", true]);
	if (!s3?.dynamodb_table && !s3?.use_lockfile)
		p.push("the state is not locked");
	return p;
}

/* A password that is not marked is printed by every plan; one within `values` is, marked or not, for older Helm providers. */
function secretsMarked(t) {
	const p = [], secret = /password|secret|token/;

	for (const [name, v] of Object.entries(t.variable)) {
		if (secret.test(name) && v.sensitive !== true)
			p.push(`variable ${name} is not sensitive`);
		if (secret.test(name) && v.default)
			p.push(`variable ${name} has a default`);
		if (v.sensitive && !v.validation)
			p.push(`variable ${name} takes any value`);
		if (!v.description || !v.type)
			p.push(`variable ${name} has no description or no type`);
	}
	for (const [name, r] of Object.entries(t.resource))
		if (name.startsWith("helm_release.") && /var\.\w*password/.test(show(r.values)))
			p.push(`${name}: a password is within values`);
	for (const [name, o] of Object.entries(t.output)) {
		if (/\.data\[/.test(o.value) && o.sensitive !== true)
			p.push(`output ${name} shows a secret`);
		if (!o.description)
			p.push(`output ${name} has no description`);
	}
	for (const [name, text] of Object.entries(given))
		if (secret.test(text))
			p.push(`environments/${name}.tfvars has a secret`);
	return p;
}

/* What is declared is used and what is used is declared. */
function namesHold(t, texts) {
	const p = [], all = Object.values(texts).join("\n");
	const used = new Set([...all.matchAll(/\bvar\.(\w+)/g)].map((m) => m[1]));

	for (const v of used)
		if (!t.variable[v])
			p.push(`var.${v} is declared nowhere`);
	for (const v of Object.keys(t.variable))
		if (!used.has(v))
			p.push(`variable ${v} is used nowhere`);
	for (const m of all.matchAll(/\b(helm_release|kubernetes_\w+)\.(\w+)/g))
		if (!t.resource[`${m[1]}.${m[2]}`])
			p.push(`${m[0]} is declared nowhere`);
	for (const m of all.matchAll(/\$\{path\.module\}\/([\w./-]+)/g))
		if (!fs.existsSync(path.join(folder, m[1])))
			p.push(`${m[1]} is not there`);
	return p;
}

async function environments(t, texts) {
	const p = [];

	want(p, "the environments", Object.keys(texts).sort(), ["production", "staging"]);
	for (const [name, text] of Object.entries(texts)) {
		const values = await parse(`${name}.tf`, `locals {\n${text}\n}\n`).then((o) => o.locals[0]);

		want(p, `environment of ${name}.tfvars`, values.environment, name);
		for (const k of Object.keys(values))
			if (!t.variable[k])
				p.push(`${name}.tfvars sets ${k}, which is no variable`);
		for (const [k, v] of Object.entries(t.variable))
			if (v.default === undefined && !v.sensitive && values[k] === undefined)
				p.push(`${name}.tfvars does not set ${k}`);
	}
	return p;
}

/* The secrets made here are those the pods refer to. */
function secretsServe(t) {
	const p = [];

	for (const [name, host] of [["redis", "redis-cluster-master:6379"], ["postgres", "postgresql:5432"]]) {
		const s = t.resource[`kubernetes_secret.${name}`];

		want(p, `secret ${name}`, s?.metadata[0].name, `${name}-connection`);
		if (!s?.data?.url?.includes(`@${host}/`))
			p.push(`secret ${name} does not lead to ${host}`);
	}
	return p;
}

const rules = { "figures of the architecture": figures, "versions are pinned": pinned, "secrets are marked": secretsMarked,
	"names are declared and used": namesHold, "secrets lead to what is installed": secretsServe };
const tree = await read(sources);

for (const [name, rule] of Object.entries(rules))
	report(`infrastructure: ${name}`, await rule(tree, sources));
report("infrastructure: every environment sets what has no default", await environments(tree, given));

/* file, what becomes what, and how the rule must tell */
const faults = [
	["one replica of Redis", figures, "main.tf", "replicaCount = 2", "replicaCount = 1", /replicaCount is 1/],
	["a year of metrics", figures, "monitoring.tf", '"30d"', '"365d"', /retention/],
	["a smaller volume", figures, "monitoring.tf", '"50Gi"', '"5Gi"', /storage/],
	["a load balancer to another port", figures, "load_balancer.tf", "target_port = 8081", "target_port = 8082", /port is \[80,8082\]/],
	["a load balancer for everybody", figures, "load_balancer.tf", /\n.*load_balancer_source_ranges = .*/, "", /open to everybody/],
	["any version of a provider", pinned, "versions.tf", '"~> 2.14"', '">= 2.0"', /provider helm/],
	["any version of a chart", pinned, "main.tf", '"17.15.2"', '"~> 17"', /helm_release.redis: version/],
	["a state in the open", pinned, "versions.tf", "encrypt = true", "encrypt = false", /the state/],
	["a password in plans", secretsMarked, "variables.tf", /sensitive   = true/, "sensitive   = false", /redis_password is not sensitive/],
	["a password in values", secretsMarked, "main.tf", "enabled = true\n", "enabled = true\n        password = var.redis_password\n", /within values/],
	["an output that shows a secret", secretsMarked, "outputs.tf", "sensitive   = true", "sensitive   = false", /output redis_url/],
	["a variable that nobody declared", namesHold, "main.tf", "var.redis_size", "var.redis_bytes", /redis_bytes is declared nowhere/],
	["a resource that nobody declared", namesHold, "main.tf", "[helm_release.redis]", "[helm_release.cache]", /helm_release.cache is declared nowhere/],
	["a secret that leads elsewhere", secretsServe, "main.tf", "@redis-cluster-master", "@redis", /does not lead/],
];

for (const [name, rule, file, from, to, words] of faults) {
	const texts = { ...sources, [file]: sources[file].replace(from, to) };

	mustFind(name, texts[file] === sources[file] ? ["nothing was planted"] : await rule(await read(texts), texts), words);
}
mustFind("an environment without its context", await environments(tree, { ...given, staging: given.staging.replace(/kube_context.*/, "") }), /does not set kube_context/);
mustFind("a file that is no Terraform", await read({ "x.tf": "resource {" }).then(() => [], (e) => [String(e)]), /x\.tf/);

/* Where terraform is: the configuration against the schemas of its providers, and the variables' conditions. */
const wrong = [
	["an argument that does not exist", "main.tf", "atomic     = true", "atomical   = true", /Unsupported argument/],
	["a required argument left out", "main.tf", /\n.*chart      = "redis"/, "", /Missing required argument/],
	["a value of another type", "monitoring.tf", "timeout          = 900", 'timeout          = "long"', /a number is required/],
	["a reference to nothing", "outputs.tf", "kubernetes_secret.redis.metadata", "kubernetes_secret.cache.metadata", /undeclared resource/],
];
const refused = [
	["an environment of another name", "environment=dev", /staging or production/],
	["no context", "kube_context=", /Name the context/],
	["a size without a unit", "redis_size=10", /whole number of Gi/],
	["the whole Internet", 'load_balancer_source_ranges=["0.0.0.0/0"]', /none that is the whole Internet/],
	["no network", "load_balancer_source_ranges=[]", /one at least/],
	["a password that Helm would cut in two", "grafana_admin_password=0123456789ab,c=d", /Helm takes as they are/],
	["a short password", "redis_password=short", /At least 16 characters/],
	["a password that would break the URL", "gateway_password=0123456789abcdef@host", /no escaping in a URL/],
];

if (tool?.available) {
	const versions = wrong.map(([, file, from, to]) => ({ ...sources, [file]: sources[file].replace(from, to) }));
	const [whole, ...planted] = await tool.validateAll([sources, ...versions]);
	const secrets = Object.fromEntries(["redis", "postgres", "gateway", "grafana_admin"].map((n) => [`${n}_password`, "0123456789abcdef"]));

	report("terraform validates it against its providers' schemas", whole);
	for (const [i, [name, , , , words]] of wrong.entries())
		mustFind(name, planted[i], words);
	for (const [name, text] of Object.entries(given))
		report(`terraform takes ${name}.tfvars`, await tool.variablesTake(sources["variables.tf"], text, secrets));
	for (const [name, value, words] of refused)
		mustFind(name, await tool.variablesTake(sources["variables.tf"], given.production, secrets, "-var", value), words);
} else {
	skip("terraform validate", "terraform is not installed, or the stand-ins for its providers are not");
}
close();
