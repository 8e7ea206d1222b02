/* compose.mjs - docker-compose.dev.yml and what it mounts of monitoring/: by the tools that read them, and by what must agree. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { close, mustFind, need, report, root, skip } from "./report.mjs";
import { adminRoutes, metrics, settingOf } from "./tables.mjs";

const YAML = need("yaml");
const file = "docker-compose.dev.yml";
const read = (name) => fs.readFileSync(path.join(root, name), "utf8");
const load = (text) => YAML.parse(text, { merge: true });
const gateway = "opitios-alpaca";

/* Of "[address:]host:container" the three. */
function portOf(text) {
	const parts = String(text).split(":");

	return { address: parts.length === 3 ? parts[0] : "", outside: Number(parts.at(-2)), inside: Number(parts.at(-1)) };
}

/* The default within ${NAME:-default}. */
const given = (text) => String(text ?? "").replace(/\$\{\w+:-([^}]*)\}/g, "$1");

function promised(c) {
	const p = [], s = c.services;

	for (const name of [gateway, "redis", "postgres", "prometheus", "grafana"])
		if (!s[name])
			p.push(`there is no service ${name}`);
	if (!/^redis:7\b/.test(s.redis?.image) || !/--appendonly yes/.test([s.redis?.command].flat().join(" ")))
		p.push("redis is not version 7 with append-only");
	if (!/^postgres:15\b/.test(s.postgres?.image))
		p.push(`postgres is ${s.postgres?.image}`);
	for (const [name, one] of Object.entries(s)) {
		if (!one.build && !/:[\w.-]*\d/.test(one.image ?? ""))
			p.push(`${name}: image ${one.image} says no version`);
		for (const port of one.ports ?? [])
			if (portOf(port).address !== "127.0.0.1")
				p.push(`${name}: port ${port} is open to every machine, and the passwords are written here`);
	}
	return p;
}

/* Folders and files of the tree that are built from or mounted, and volumes. */
function pathsExist(c) {
	const p = [], used = new Set();

	for (const [name, one] of Object.entries(c.services)) {
		if (one.build && !fs.existsSync(path.join(root, one.build.context, one.build.dockerfile)))
			p.push(`${name}: no ${one.build.dockerfile}`);
		for (const v of one.volumes ?? []) {
			const from = v.split(":")[0];

			if (!from.startsWith("."))
				used.add(from);
			else if (!fs.existsSync(path.join(root, from)))
				p.push(`${name}: ${from} is not there`);
		}
	}
	for (const v of used)
		if (!(v in (c.volumes ?? {})))
			p.push(`volume ${v} is declared nowhere`);
	for (const v of Object.keys(c.volumes ?? {}))
		if (!used.has(v))
			p.push(`volume ${v} is used nowhere`);
	return p;
}

function namesKnown(c) {
	return Object.keys(c.services[gateway].environment).filter((n) => !settingOf(n)).map((n) => `${n} is no setting of config.def`);
}

/* Whom a service asks is another one, at a port that one has, with the password it was given. */
function linksHold(c) {
	const p = [], s = c.services, env = s[gateway].environment, db = s.postgres.environment, docker = read(s[gateway].build.dockerfile);
	const replay = (s.replay?.command ?? []).join(" ").match(/--port (\d+)/)?.[1];

	for (const name of ["ALPACA_DATA_URL", "ALPACA_TRADING_URL"])
		if (given(env[name]) !== `http://replay:${replay}`)
			p.push(`${name} is ${given(env[name])}, and the stand-in listens at replay:${replay}`);
	if (!/^redis:\/\/redis:6379\//.test(env.REDIS_URL))
		p.push(`REDIS_URL is ${env.REDIS_URL}`);
	const wanted = `postgresql://${db.POSTGRES_USER}:${db.POSTGRES_PASSWORD}@postgres:5432/${db.POSTGRES_DB}`;

	if (env.POSTGRES_URL !== wanted)
		p.push(`POSTGRES_URL is ${env.POSTGRES_URL}, wanted ${wanted}`);
	for (const port of s[gateway].ports ?? [])
		if (!new RegExp(`_ADDRESS=0\\.0\\.0\\.0:${portOf(port).inside}\\b`).test(docker))
			p.push(`the gateway's port ${port} is none that ${s[gateway].build.dockerfile} listens at`);
	for (const [name, one] of Object.entries(s))
		for (const [other, how] of Object.entries(Array.isArray(one.depends_on) ?
			Object.fromEntries(one.depends_on.map((o) => [o, {}])) : one.depends_on ?? {}))
			if (!s[other])
				p.push(`${name} depends on ${other}, which is no service`);
			else if (how.condition === "service_healthy" && !s[other].healthcheck?.test)
				p.push(`${name} waits until ${other} is healthy, which nobody asks`);
	return p;
}

/* Prometheus scrapes services at ports they have, and routes they know. */
function scrapesHold(c, prometheus) {
	const p = [], targets = [];

	for (const job of prometheus.scrape_configs)
		for (const target of (job.static_configs ?? []).flatMap((x) => x.targets)) {
			const [host, port] = target.split(":");

			targets.push(target);
			if (host !== "localhost" && !c.services[host] || host === gateway && port !== "8082")
				p.push(`job ${job.job_name}: nobody answers at ${target}`);
			else if (host === gateway && !adminRoutes.has(job.metrics_path ?? "/metrics"))
				p.push(`job ${job.job_name}: ${target} has no ${job.metrics_path}`);
		}
	for (const target of (prometheus.alerting?.alertmanagers ?? []).flatMap((a) => a.static_configs).flatMap((x) => x.targets))
		if (!c.services[target.split(":")[0]]?.ports.some((x) => x.endsWith(":" + target.split(":")[1])))
			p.push(`alerts go to ${target}, where nobody answers`);
	if (!targets.includes(`${gateway}:8082`))
		p.push("the gateway is not scraped");
	if (!c.services.prometheus.volumes.some((v) => /^\.\/monitoring(\/prometheus\.yml)?:\/etc\/prometheus(\/prometheus\.yml)?(:ro)?$/.test(v)))
		p.push("monitoring/prometheus.yml is not what Prometheus reads");
	return p;
}

/* All panels, those within rows too. */
const panelsOf = (d) => (d.panels ?? []).flatMap((x) => [x, ...(x.panels ?? [])]);
const expressionsOf = (d) => panelsOf(d).flatMap((x) => (x.targets ?? []).map((t) => [x.title, t.expr])).filter(([, e]) => e);

function dashboardsShow(c, sources, providers, dashboards) {
	const p = [], mounts = c.services.grafana.volumes.map((v) => v.split(":"));
	const uids = new Set(sources.datasources.map((d) => d.uid));
	const at = (where) => mounts.find((m) => m[1] === where)?.[0];

	for (const d of sources.datasources)
		if (d.type === "prometheus" && d.url !== "http://prometheus:9090")
			p.push(`data source ${d.name} asks ${d.url}`);
	if (at("/etc/grafana/provisioning/datasources") !== "./monitoring/grafana/provisioning/datasources" ||
		at("/etc/grafana/provisioning/dashboards") !== "./monitoring/grafana/provisioning/dashboards")
		p.push("the provisioning is not mounted where Grafana looks");
	for (const one of providers.providers)
		if (at(one.options.path) !== "./monitoring/grafana/dashboards")
			p.push(`provider ${one.name} reads ${one.options.path}, where no dashboards are mounted`);
	if (Object.keys(dashboards).length === 0)
		p.push("there is no dashboard");
	for (const [name, d] of Object.entries(dashboards)) {
		const variables = new Set((d.templating?.list ?? []).filter((v) => v.type === "datasource").map((v) => v.name));

		if (!d.uid || !d.title)
			p.push(`${name}: no uid or no title`);
		for (const x of panelsOf(d).flatMap((y) => [y, ...(y.targets ?? [])])) {
			const uid = x.datasource?.uid, variable = uid?.match(/^\$\{?(\w+)\}?$/)?.[1];

			if (uid && !uids.has(uid) && !variables.has(variable) && !/^-- \w+ --$|^grafana$/.test(uid))
				p.push(`${name}: data source ${uid} is provisioned nowhere`);
		}
		for (const [title, e] of expressionsOf(d))
			for (const [m] of e.matchAll(/\bopitios_\w+/g)) {
				const plain = m.replace(/_(bucket|sum|count)$/, "");

				if (!metrics.has(m) && metrics.get(plain) !== "HISTOGRAM")
					p.push(`${name}: '${title}' shows ${m}, which is no metric`);
			}
	}
	return p;
}

/* Every expression as a rule of its own, for promtool; Grafana's variables stand for something. */
function promtoolAsked(dashboards) {
	const rules = Object.values(dashboards).flatMap(expressionsOf).map(([, e], n) => ({ record: `shown:expression${n}`,
		expr: e.replace(/\[\$\{?\w+\}?/g, "[5m").replace(/\$__(rate_)?interval|\$\{__(rate_)?interval\}|\$__range/g, "5m").replace(/\$\{?\w+(:\w+)?\}?/g, "x") }));
	const at = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "opitios-compose-")), "rules.yml");

	fs.writeFileSync(at, YAML.stringify({ groups: [{ name: "shown", rules }] }));
	const done = spawnSync("promtool", ["check", "rules", at], { encoding: "utf8", timeout: 20000 });

	fs.rmSync(path.dirname(at), { recursive: true });
	return done.status === 0 ? [] : [(done.stderr + done.stdout).slice(0, 600)];
}

/* What `docker compose` itself thinks of it. */
function composeAsked(tool, text) {
	const at = path.join(root, `.compose-check-${process.pid}.yml`);

	fs.writeFileSync(at, text);
	const done = spawnSync(tool[0], [...tool.slice(1), "-f", at, "config", "-q"], { encoding: "utf8", timeout: 60000 });

	fs.rmSync(at);
	return done.status === 0 ? [] : [(done.stderr || done.stdout || String(done.error)).slice(0, 600)];
}

/* What the gateway itself says to the environment it would be given. */
function gatewayAsked(c, program) {
	const env = { PATH: process.env.PATH };

	for (const [, name, value] of read(c.services[gateway].build.dockerfile).matchAll(/\b(OPITIOS_\w+_ADDRESS)=(\S+)/g))
		env[name] = value;
	for (const [name, value] of Object.entries(c.services[gateway].environment))
		env[name] = given(value);
	const done = spawnSync(program, ["--check-config", "--state-dir", os.tmpdir()], { encoding: "utf8", timeout: 20000, env });

	return done.status === 0 ? [] : [(done.stderr + done.stdout).slice(0, 600)];
}

const has = (...words) => spawnSync(words[0], words.slice(1), { timeout: 30000 }).status === 0;
const text = read(file), c = load(text);
const prometheus = YAML.parse(read("monitoring/prometheus.yml"));
const provisioning = (kind) => fs.readdirSync(path.join(root, "monitoring/grafana/provisioning", kind))
	.filter((f) => /\.ya?ml$/.test(f)).map((f) => YAML.parse(read(`monitoring/grafana/provisioning/${kind}/${f}`)));
const sources = { datasources: provisioning("datasources").flatMap((x) => x.datasources ?? []) };
const providers = { providers: provisioning("dashboards").flatMap((x) => x.providers ?? []) };
const dashboards = Object.fromEntries(fs.readdirSync(path.join(root, "monitoring/grafana/dashboards"))
	.filter((f) => f.endsWith(".json")).map((f) => [f, JSON.parse(read(`monitoring/grafana/dashboards/${f}`))]));

const tool = has("docker", "compose", "version") ? ["docker", "compose"] : has("docker-compose", "version") ? ["docker-compose"] : undefined;

if (tool) {
	report(`${tool.join(" ")} accepts it`, composeAsked(tool, text));
	mustFind("a key compose does not know", composeAsked(tool, text.replace("    ports:", "    portz:")), /portz/);
} else {
	skip("docker compose accepts it", "neither docker compose nor docker-compose is installed");
}
report("services, versions, and no port open to others", promised(c));
report("what is built and mounted is there", pathsExist(c));
report("the environment's names are settings", namesKnown(c));
report("services ask one another where they are", linksHold(c));
report("Prometheus scrapes what answers", scrapesHold(c, prometheus));
report("Grafana shows metrics there are, from the source there is", dashboardsShow(c, sources, providers, dashboards));
const program = path.join(process.env.OPITIOS_BUILD ?? "build", "opitios-alpaca");

if (fs.existsSync(program)) {
	report("the gateway accepts its environment", gatewayAsked(c, program));
	mustFind("a level there is not", gatewayAsked({ ...c, services: { ...c.services, [gateway]: { ...c.services[gateway],
		environment: { LOG_LEVEL: "loud" } } } }, program), /loud|level/);
} else {
	skip("the gateway accepts its environment", `there is no ${program}`);
}
if (has("promtool", "--version")) {
	const done = spawnSync("promtool", ["check", "config", path.join(root, "monitoring/prometheus.yml")], { encoding: "utf8", timeout: 20000 });

	report("promtool accepts monitoring/prometheus.yml", done.status === 0 ? [] : [(done.stdout + done.stderr).slice(0, 600)]);
	report("promtool accepts every expression of the dashboards", promtoolAsked(dashboards));
	mustFind("half an expression", promtoolAsked({ x: { panels: [{ title: "x", targets: [{ expr: "sum(rate(x[1m])" }] }] } }), /parse/);
} else {
	skip("promtool accepts configuration and expressions", "it is not installed");
}

/* what is wrong | the rule that must see it | the fault | how it must be told */
const copy = (o) => structuredClone(o);
const table = [
	["another Redis", promised, (x) => { x.services.redis.image = "redis:6-alpine"; }, /not version 7/],
	["a Redis that forgets", promised, (x) => { x.services.redis.command = ["redis-server"]; }, /append-only/],
	["the newest, whatever it is", promised, (x) => { x.services.grafana.image = "grafana/grafana:latest"; }, /says no version/],
	["a database for everybody", promised, (x) => { x.services.postgres.ports = ["5432:5432"]; }, /open to every machine/],
	["a folder that is not there", pathsExist, (x) => { x.services.prometheus.volumes[0] = "./monitor:/etc/prometheus"; }, /\.\/monitor is not there/],
	["a volume nobody declared", pathsExist, (x) => { delete x.volumes.redis_data; }, /redis_data is declared nowhere/],
	["a name nobody reads", namesKnown, (x) => { x.services[gateway].environment.REDIS_URI = "x"; }, /REDIS_URI/],
	["another password", linksHold, (x) => { x.services.postgres.environment.POSTGRES_PASSWORD = "x"; }, /POSTGRES_URL/],
	["a port nobody listens at", linksHold, (x) => { x.services[gateway].ports = ["127.0.0.1:8081:8080"]; }, /8080/],
	["a stand-in elsewhere", linksHold, (x) => { x.services.replay.command[3] = "9001"; }, /9001/],
	["a service that is waited for in vain", linksHold, (x) => { delete x.services.redis.healthcheck; }, /nobody asks/],
];

for (const [name, rule, fault, words] of table) {
	const broken = copy(c);

	fault(broken);
	mustFind(name, rule(broken), words);
}
mustFind("a scrape of the clients' port", scrapesHold(c, { scrape_configs: [{ job_name: "x", static_configs: [{ targets: [`${gateway}:9999`] }] }] }), /nobody answers/);
mustFind("a metric that is not there", dashboardsShow(c, sources, providers, { x: { uid: "x", title: "x", panels: [{ title: "x",
	targets: [{ expr: "opitios_nothing_total" }] }] } }), /no metric/);
mustFind("a source that is not there", dashboardsShow(c, sources, providers, { x: { uid: "x", title: "x", panels: [{ title: "x",
	datasource: { uid: "other" } }] } }), /provisioned nowhere/);
close();
