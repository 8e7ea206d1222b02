/* validate.mjs - what `terraform` itself says: of the whole, with stand-ins for its providers, and of the variables' values. */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { serve } from "./provider.mjs";
import { root } from "./report.mjs";

export const available = spawnSync("terraform", ["version"], { timeout: 10000 }).status === 0;

const resources = {
	kubernetes: ["kubernetes_namespace", "kubernetes_secret", "kubernetes_service", "kubernetes_network_policy"],
	helm: ["helm_release"],
};

/* Not spawnSync: the stand-ins answer from this same process. Nothing of the machine's own configuration counts. */
function terraform(cwd, more, ...argv) {
	return new Promise((done) => {
		const c = spawn("terraform", argv, { cwd, timeout: 30000, stdio: ["ignore", "pipe", "pipe"],
			env: { PATH: process.env.PATH, HOME: cwd, TF_CLI_CONFIG_FILE: "/dev/null", CHECKPOINT_DISABLE: "1", ...more } });
		let said = "";

		c.stdout.on("data", (d) => { said += d; });
		c.stderr.on("data", (d) => { said += d; });
		c.on("close", (code) => done({ code, said: said.replace(/\s+/g, " ") }));
	});
}

/* A folder with these files, and k8s/ where the configuration looks for it. */
async function within(texts, work) {
	const folder = fs.mkdtempSync(path.join(process.env.DEPLOY_MODULES, "terraform-")), inside = path.join(folder, "infrastructure");

	fs.mkdirSync(inside);
	fs.symlinkSync(path.join(root, "k8s"), path.join(folder, "k8s"));
	for (const [name, text] of Object.entries(texts))
		fs.writeFileSync(path.join(inside, name), text);
	try {
		return await work(inside);
	} finally {
		fs.rmSync(folder, { recursive: true });
	}
}

const problemsOf = (r) => r.code === 0 ? [] : [`terraform ended with ${r.code}: ${r.said.slice(0, 600)}`];

/* `terraform validate` of several versions of the configuration, one after the other: the problems of each. */
export async function validateAll(versions) {
	const standins = await serve(resources), env = { TF_REATTACH_PROVIDERS: standins.reattach };
	const found = [];

	try {
		for (const texts of versions)
			found.push(await within(texts, async (folder) => {
				const init = await terraform(folder, env, "init", "-backend=false", "-input=false", "-no-color");

				return problemsOf(init.code ? init : await terraform(folder, env, "validate", "-no-color"));
			}));
	} finally {
		standins.close();
	}
	return found;
}

/* A plan of the variables alone: types and conditions, without a provider. */
export function variablesTake(variables, tfvars, secrets, ...argv) {
	return within({ "variables.tf": variables, "given.tfvars": tfvars }, async (folder) => problemsOf(await terraform(folder,
		Object.fromEntries(Object.entries(secrets).map(([k, v]) => [`TF_VAR_${k}`, v])),
		"plan", "-input=false", "-no-color", "-var-file=given.tfvars", ...argv)));
}
