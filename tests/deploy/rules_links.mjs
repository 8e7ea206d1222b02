/* rules_links.mjs - what must hold between objects: selectors, ports, references, network, scaling.
 * Each rule takes the rendered objects and the overlay's figures, and returns the problems it found. */
import fs from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ports, service } from "./figures.mjs";
import { named, of } from "./render.mjs";
import { need, root } from "./report.mjs";
import { adminRoutes, metrics, routes } from "./tables.mjs";

const podOf = (d) => d.spec.template.spec;
const labelsOf = (d) => d.spec.template.metadata.labels;
const covers = (selector, labels) => Object.keys(selector ?? {}).length > 0 &&
	Object.entries(selector).every(([k, v]) => labels[k] === v);
const podsOf = (docs, selector) => of(docs, "Deployment").filter((d) => covers(selector, labelsOf(d)));
const portsOf = (d) => podOf(d).containers.flatMap((c) => c.ports ?? []);
const hasPort = (d, port) => portsOf(d).find((p) => p.name === port || p.containerPort === port);
const show = JSON.stringify;

export function selectorsMatch(docs) {
	const p = [];

	for (const d of of(docs, "Deployment")) {
		const mine = d.spec.selector.matchLabels;

		if (!covers(mine, labelsOf(d)))
			p.push(`${d.metadata.name}: its selector does not match its own pods`);
		for (const other of podsOf(docs, mine))
			if (other !== d)
				p.push(`${d.metadata.name}: its selector matches pods of ${other.metadata.name} too`);
		for (const t of podOf(d).topologySpreadConstraints ?? [])
			if (!covers(t.labelSelector.matchLabels, labelsOf(d)))
				p.push(`${d.metadata.name}: it is spread by labels it does not have`);
		if (!podOf(d).topologySpreadConstraints?.some((t) => t.topologyKey === "kubernetes.io/hostname"))
			p.push(`${d.metadata.name}: its pods are not spread over nodes`);
		const budgets = of(docs, "PodDisruptionBudget").filter((b) => covers(b.spec.selector.matchLabels, labelsOf(d)));

		if (budgets.length !== 1)
			p.push(`${d.metadata.name}: ${budgets.length} PodDisruptionBudgets, wanted one`);
		if (!of(docs, "NetworkPolicy").some((n) => covers(n.spec.podSelector.matchLabels, labelsOf(d)) && n.spec.policyTypes.length === 2))
			p.push(`${d.metadata.name}: no NetworkPolicy holds its pods in both directions`);
	}
	for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"])
		for (const o of of(docs, kind)) {
			const selector = o.spec.podSelector?.matchLabels ?? o.spec.selector?.matchLabels ?? o.spec.selector;

			if (podsOf(docs, selector).length === 0)
				p.push(`${kind} ${o.metadata.name} selects no pod: ${show(selector)}`);
		}
	for (const m of of(docs, "ServiceMonitor"))
		if (of(docs, "Service").filter((s) => covers(m.spec.selector.matchLabels, s.metadata.labels)).length !== 1)
			p.push(`ServiceMonitor ${m.metadata.name} does not select one Service`);
	return p;
}

export function portsExist(docs) {
	const p = [], main = named(docs, "Service", service.name);

	for (const s of of(docs, "Service"))
		for (const q of s.spec.ports)
			for (const d of podsOf(docs, s.spec.selector))
				if (!hasPort(d, q.targetPort ?? q.port))
					p.push(`Service ${s.metadata.name}: ${d.metadata.name} has no port ${q.targetPort ?? q.port}`);
	for (const d of of(docs, "Deployment")) {
		for (const [name, number] of Object.entries(ports))
			if (hasPort(d, name)?.containerPort !== number)
				p.push(`${d.metadata.name}: port ${name} is not ${number}`);
		const a = d.spec.template.metadata.annotations ?? {};

		if (a["prometheus.io/scrape"] === "true" && (!hasPort(d, Number(a["prometheus.io/port"])) || !adminRoutes.has(a["prometheus.io/path"])))
			p.push(`${d.metadata.name}: Prometheus is sent to ${a["prometheus.io/port"]}${a["prometheus.io/path"]}, which is not served`);
	}
	for (const [port, target] of Object.entries(service.ports)) {
		const q = main?.spec.ports.find((x) => x.port === Number(port));
		const pods = main ? podsOf(docs, main.spec.selector) : [];

		if (!q || pods.length === 0 || pods.some((d) => hasPort(d, q.targetPort)?.containerPort !== target))
			p.push(`${service.name}: ${port} does not lead to ${target}`);
	}
	for (const i of of(docs, "Ingress"))
		for (const x of i.spec.rules.flatMap((r) => r.http.paths)) {
			const b = x.backend.service, s = named(docs, "Service", b.name);

			if (!s?.spec.ports.some((q) => q.name === b.port.name || q.port === b.port.number))
				p.push(`Ingress ${i.metadata.name}: no Service ${b.name} with port ${show(b.port)}`);
			/* A prefix leads to all below it: none that has a route of the cluster's own there. */
			const own = (r) => !/^\/(api\/v1\/(stocks|options|crypto|market)\/|api\/v1\/health$|openapi\.json$)/.test(r);

			for (const r of [x.path, ...routes].filter(own))
				if (r === x.path || (x.pathType === "Prefix" && r.startsWith(x.path)))
					p.push(`Ingress ${i.metadata.name}: ${x.path} leads to ${r}, which is not for clients`);
		}
	for (const i of of(docs, "Ingress")) {
		const a = Object.entries(i.metadata.annotations).filter(([k]) => /\/(whitelist-source-range|auth-type|auth-url)$/.test(k));

		if (a.length === 0 || a.some(([, v]) => /(^|,)\s*(0\.0\.0\.0|::)\/0/.test(v)))
			p.push(`Ingress ${i.metadata.name}: open to everybody, without a password`);
	}
	for (const m of of(docs, "ServiceMonitor"))
		for (const e of m.spec.endpoints)
			for (const s of of(docs, "Service").filter((x) => covers(m.spec.selector.matchLabels, x.metadata.labels)))
				if (!s.spec.ports.some((q) => q.name === e.port) || !adminRoutes.has(e.path))
					p.push(`ServiceMonitor ${m.metadata.name}: ${s.metadata.name} has no ${e.port}${e.path}`);
	return p;
}

/* Secrets are made by hand: the document that tells how must name each with its key. */
export function secretsTold(name, key) {
	const text = fs.readFileSync(path.join(root, "doc/kubernetes.md"), "utf8").replaceAll("\\\n", " ");

	return text.split("\n").some((l) => new RegExp(`create secret generic ${name} `).test(l) && new RegExp(`--from-(literal|file)=${key}=`).test(l));
}

export function referencesHold(docs, f) {
	const p = [];

	for (const s of of(docs, "Secret"))
		p.push(`Secret ${s.metadata.name} is in the manifests`);
	for (const d of of(docs, "Deployment")) {
		const pod = podOf(d), refs = pod.containers.flatMap((c) => c.env ?? []).map((e) => e.valueFrom?.secretKeyRef).filter(Boolean);

		for (const r of refs)
			if (!secretsTold(r.name, r.key))
				p.push(`${d.metadata.name}: doc/kubernetes.md does not say how to create secret ${r.name} with key ${r.key}`);
		for (const s of f.secrets)
			if (!refs.some((r) => r.name === s && !r.optional))
				p.push(`${d.metadata.name}: secret ${s} is not referred to, or optional`);
		for (const v of pod.volumes) {
			if (v.configMap && !named(docs, "ConfigMap", v.configMap.name))
				p.push(`${d.metadata.name}: no ConfigMap ${v.configMap.name}`);
			if (v.persistentVolumeClaim && !named(docs, "PersistentVolumeClaim", v.persistentVolumeClaim.claimName))
				p.push(`${d.metadata.name}: no claim ${v.persistentVolumeClaim.claimName}`);
		}
		for (const m of pod.containers.flatMap((c) => c.volumeMounts))
			if (!pod.volumes.some((v) => v.name === m.name))
				p.push(`${d.metadata.name}: no volume ${m.name}`);
		const account = named(docs, "ServiceAccount", pod.serviceAccountName);

		if (account?.automountServiceAccountToken !== false)
			p.push(`${d.metadata.name}: no ServiceAccount ${pod.serviceAccountName} without a token`);
	}
	for (const c of of(docs, "PersistentVolumeClaim"))
		if (!isDeepStrictEqual(c.spec.accessModes, ["ReadWriteMany"]))
			p.push(`claim ${c.metadata.name}: several pods write to it, so it must be ReadWriteMany`);
	return p;
}

const flat = (rules, side) => (rules ?? []).flatMap((r) => (r[side] ?? [{}]).flatMap((peer) =>
	(r.ports ?? [{}]).map((q) => ({ peer, at: `${q.protocol ?? "any"}/${q.port ?? "any"}` }))));

/* Pods a peer names, as "namespace/name"; "any" where it names none. */
function peerName(peer) {
	const space = peer.namespaceSelector ? peer.namespaceSelector.matchLabels?.["kubernetes.io/metadata.name"] ?? "any" : "";
	const pods = peer.podSelector?.matchExpressions?.flatMap((e) => e.values).join("|") ?? "any";

	return peer.ipBlock ? `ip ${peer.ipBlock.cidr}` : `${space}/${pods}`;
}

export function networkClosed(docs) {
	const p = [], n = named(docs, "NetworkPolicy", "opitios-alpaca");
	const wanted = {
		from: ["ingress-nginx/ingress-nginx TCP/8081", "monitoring/prometheus TCP/8082"],
		to: ["/postgresql TCP/5432", "/redis TCP/6379", "ip 0.0.0.0/0 TCP/443", "kube-system/kube-dns TCP/53", "kube-system/kube-dns UDP/53"],
	};

	for (const [side, rules] of [["from", n?.spec.ingress], ["to", n?.spec.egress]]) {
		const got = flat(rules, side).map((x) => `${peerName(x.peer)} ${x.at}`).sort();

		if (!isDeepStrictEqual(got, wanted[side]))
			p.push(`traffic ${side}: ${show(got)}, wanted ${show(wanted[side])}`);
		for (const { peer } of flat(rules, side)) {
			if (peer.podSelector?.matchLabels)
				p.push(`traffic ${side}: matchLabels of others' pods would be given the overlay's labels: ${show(peer.podSelector)}`);
			for (const inside of ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"])
				if (peer.ipBlock && !peer.ipBlock.except.includes(inside))
					p.push(`traffic ${side} the Internet reaches ${inside}`);
		}
	}
	return p;
}

export function scalingHolds(docs, f) {
	const p = [], adapter = need("yaml").parse(fs.readFileSync(path.join(root, "k8s/components/monitoring/adapter.yaml"), "utf8"));

	for (const d of of(docs, "Deployment")) {
		const h = of(docs, "HorizontalPodAutoscaler").find((x) => x.spec.scaleTargetRef.name === d.metadata.name);

		if (!h) {
			p.push(`${d.metadata.name}: no HorizontalPodAutoscaler`);
			continue;
		}
		if (h.spec.minReplicas !== f.replicas || h.spec.maxReplicas <= h.spec.minReplicas)
			p.push(`${h.metadata.name}: from ${h.spec.minReplicas} to ${h.spec.maxReplicas} pods, wanted from ${f.replicas} to more`);
		if (!h.spec.metrics.some((m) => m.resource?.name === "cpu"))
			p.push(`${h.metadata.name}: does not look at the processor`);
		const own = h.spec.metrics.filter((m) => m.pods).map((m) => m.pods.metric.name);

		if (own.length === 0)
			p.push(`${h.metadata.name}: looks at no metric of the gateway`);
		for (const m of own) {
			if (metrics.get(m) !== "GAUGE")
				p.push(`${h.metadata.name}: ${m} is no gauge of include/tables/metrics.def`);
			if (!adapter.rules.custom.some((r) => r.name.as === m && r.seriesQuery.startsWith(`${m}{`)))
				p.push(`${h.metadata.name}: adapter.yaml does not provide ${m}`);
		}
	}
	return p;
}

/* Service and switch of the two colours: exactly one of them gets clients. */
export function oneColourServes(docs) {
	const s = named(docs, "Service", service.name), pods = podsOf(docs, s?.spec.selector);

	return pods.length === 1 && ["blue", "green"].includes(s.spec.selector.version) ? [] :
		[`${service.name} selects ${pods.length} Deployments by version ${s?.spec.selector.version}`];
}

/* Alerts must speak of what is served. */
export function alertsKnown(docs) {
	return of(docs, "PrometheusRule").flatMap((r) => r.spec.groups.flatMap((g) => g.rules).flatMap((rule) =>
		[...rule.expr.matchAll(/\bopitios_\w+/g)].map((m) => m[0].replace(/_(bucket|sum|count)$/, ""))
			.filter((m) => !metrics.has(m)).map((m) => `${rule.alert}: no metric ${m}`)));
}
