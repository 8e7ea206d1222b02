/* render.mjs - overlays as objects, by a real kustomize. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { need, root } from "./report.mjs";

const command = process.env.DEPLOY_KUSTOMIZE.split(" ");

export function render(folder) {
	const text = execFileSync(command[0], [...command.slice(1), folder],
		{ encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 24, timeout: 20000 });

	return need("yaml").parseAllDocuments(text).map((d) => {
		if (d.errors.length)
			throw d.errors[0];
		return d.toJS();
	});
}

/* An overlay of somebody's own that adds components; `k8s` is where the rest of it lies. */
export function renderWith(overlay, namespace, components) {
	const folder = fs.mkdtempSync(path.join(process.env.DEPLOY_MODULES, "overlay-"));
	const at = (p) => `  - ${path.relative(folder, path.join(root, "k8s", p))}`;

	try {
		fs.writeFileSync(path.join(folder, "kustomization.yaml"), [
			"apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", `namespace: ${namespace}`,
			"resources:", at(`overlays/${overlay}`), "components:", ...components.map((c) => at(`components/${c}`)), ""].join("\n"));
		return render(folder);
	} finally {
		fs.rmSync(folder, { recursive: true });
	}
}

/* The objects of a kind within a rendered list, and the one with a name. */
export const of = (docs, kind) => docs.filter((d) => d.kind === kind);
export const named = (docs, kind, name) => of(docs, kind).find((d) => d.metadata.name === name);
