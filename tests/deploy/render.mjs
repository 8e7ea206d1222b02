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

/* A kustomization that was written for a folder beside the overlays, from a folder that does not disturb them. */
export function renderText(text) {
	const folder = fs.mkdtempSync(path.join(process.env.DEPLOY_MODULES, "overlay-"));
	const k8s = path.relative(folder, path.join(root, "k8s"));

	try {
		fs.writeFileSync(path.join(folder, "kustomization.yaml"),
			text.replaceAll("../../components/", `${k8s}/components/`).replace(/(?<![./])\.\.\/(\w)/g, `${k8s}/overlays/$1`));
		return render(folder);
	} finally {
		fs.rmSync(folder, { recursive: true });
	}
}

/* An overlay of somebody's own that adds components. */
export const renderWith = (overlay, namespace, components) => renderText([
	"apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", `namespace: ${namespace}`,
	"resources:", `  - ../${overlay}`, "components:", ...components.map((c) => `  - ../../components/${c}`), ""].join("\n"));

/* The objects of a kind within a rendered list, and the one with a name. */
export const of = (docs, kind) => docs.filter((d) => d.kind === kind);
export const named = (docs, kind, name) => of(docs, kind).find((d) => d.metadata.name === name);
