/* provider.mjs - stands in for the kubernetes and helm providers, so that `terraform validate` runs without their registry.
 *
 * It serves their real schemas, which the CDK for Terraform ships as descriptions of its own classes, and answers what
 * validation asks. Terraform then checks types, names, references and what is required by itself.
 */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { need } from "./report.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

/* What an attribute holds, in the JSON of cty; a block is told by the name of its class instead. */
function typeOf(type) {
	if (type.primitive)
		return { primitive: { string: "string", number: "number", boolean: "bool", any: "dynamic" }[type.primitive] };
	if (type.union) {
		const rest = type.union.types.filter((t) => t.fqn !== "cdktf.IResolvable");

		return rest.length === 1 ? typeOf(rest[0]) : { primitive: "dynamic" };
	}
	if (type.collection) {
		const inner = typeOf(type.collection.elementtype);

		if (inner.fqn)
			return { fqn: inner.fqn, many: true };
		return { primitive: [type.collection.kind === "map" ? "map" : "list", inner.primitive] };
	}
	return { fqn: type.fqn };
}

/* "... Release#set_sensitive}" -> "set_sensitive": the name in Terraform stands only in the documentation. */
const nameOf = (p) => `${p.docs?.summary} ${p.docs?.remarks}`.match(/#(\w+)\}/)?.[1] ?? p.name;

function blockOf(types, fqn) {
	const block = { attributes: [], block_types: [] };

	for (const p of types[fqn].properties ?? []) {
		const t = typeOf(p.type), name = nameOf(p);

		if (t.fqn === undefined)
			block.attributes.push({ name, type: Buffer.from(JSON.stringify(t.primitive)), required: !p.optional, optional: !!p.optional, computed: !!p.optional });
		else if (types[t.fqn] && name !== "timeouts")
			block.block_types.push({ type_name: name, block: blockOf(types, t.fqn), nesting: "LIST",
				min_items: p.optional ? 0 : 1, max_items: t.many ? 0 : 1 });
	}
	return block;
}

/* Lists that only the cluster fills, such as a Service's status, may hold anything. */
function computedOf(types, fqn, block) {
	const known = new Set([...block.attributes.map((a) => a.name), ...block.block_types.map((b) => b.type_name)]);

	for (const p of types[fqn].properties ?? [])
		if (!p.static && /List$/.test(p.type?.fqn ?? "") && !known.has(nameOf(p)))
			block.attributes.push({ name: nameOf(p), type: Buffer.from('"dynamic"'), computed: true });
	return block;
}

/* The class that stands for a resource, or for the provider itself, is the one whose summary links to it. */
function schemas(provider, resources) {
	const file = path.join(path.dirname(need.resolve(`@cdktf/provider-${provider}/package.json`)), ".jsii");
	const types = JSON.parse(fs.readFileSync(file, "utf8")).types;
	const find = (name, link) => {
		const found = Object.keys(types).find((f) => types[f].kind === "class" && types[`${f}Config`] &&
			types[f].docs?.summary?.endsWith(` ${name}}.`) && link.test(types[f].docs.summary));

		if (!found)
			throw new Error(`@cdktf/provider-${provider} has no class for ${name}`);
		return { version: 0, block: computedOf(types, found, blockOf(types, `${found}Config`)) };
	};

	return { provider: find(provider, /\/docs /), resource_schemas: Object.fromEntries(resources.map((r) => [r, find(r, /\/docs\/resources\//)])) };
}

/* Listens for each provider; resolves to what TF_REATTACH_PROVIDERS wants, and a way to end. */
export async function serve(wanted) {
	const grpc = need("@grpc/grpc-js");
	const proto = grpc.loadPackageDefinition(need("@grpc/proto-loader").loadSync(path.join(here, "provider.proto"), { keepCase: true }));
	const servers = [], reattach = {};

	for (const [provider, resources] of Object.entries(wanted)) {
		const server = new grpc.Server(), schema = schemas(provider, resources);

		server.addService(proto.tfplugin5.Provider.service, {
			GetSchema: (_, done) => done(null, schema),
			PrepareProviderConfig: (call, done) => done(null, { prepared_config: call.request.config }),
			ValidateResourceTypeConfig: (_, done) => done(null, {}),
			Stop: (_, done) => done(null, {}),
		});
		const port = await new Promise((ok, bad) => server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(),
			(e, p) => e ? bad(e) : ok(p)));

		servers.push(server);
		reattach[`registry.terraform.io/hashicorp/${provider}`] = { Protocol: "grpc", ProtocolVersion: 5, Pid: process.pid, Test: true,
			Addr: { Network: "tcp", String: `127.0.0.1:${port}` } };
	}
	return { reattach: JSON.stringify(reattach), close: () => servers.forEach((s) => s.forceShutdown()) };
}
