/* rules_pod.mjs - what must hold within a Deployment: figures, probes, confinement, settings, budget.
 * Each rule takes the rendered objects and the overlay's figures, and returns the problems it found. */
import { isDeepStrictEqual } from "node:util";
import { ports, probes, uid } from "./figures.mjs";
import { named, of } from "./render.mjs";
import { adminRoutes, bytes, iniRead, routes, seconds, settingOf, settings } from "./tables.mjs";

const podOf = (d) => d.spec.template.spec;
const gateway = (d) => podOf(d).containers.find((c) => c.name === "opitios-alpaca");
const show = JSON.stringify;

/* Runs `rule` over each Deployment and puts its name in front of what was found. */
const each = (docs, rule) => of(docs, "Deployment").flatMap((d) => rule(d).map((p) => `${d.metadata.name}: ${p}`));

function want(problems, what, got, wanted) {
	if (!isDeepStrictEqual(got, wanted))
		problems.push(`${what} is ${show(got)}, wanted ${show(wanted)}`);
}

/* The configuration as the gateway would see it: table, then file, then environment. */
export function configOf(docs, d) {
	const volume = podOf(d).volumes.find((v) => v.configMap);
	const map = volume && named(docs, "ConfigMap", volume.configMap.name);
	const config = new Map([...settings].map(([k, s]) => [k, s.value]));

	for (const [k, v] of iniRead(map?.data["opitios-alpaca.conf"] ?? ""))
		config.set(k, v);
	for (const e of gateway(d).env)
		if (settingOf(e.name) && e.value !== undefined)
			config.set(settingOf(e.name), e.value);
	return config;
}

export function figures(docs, f) {
	const problems = [];

	want(problems, "the list of Deployments", of(docs, "Deployment").map((d) => d.metadata.name).sort(), [...f.deployments].sort());
	for (const o of docs)
		want(problems, `namespace of ${o.kind} ${o.metadata.name}`, o.metadata.namespace, f.namespace);
	return problems.concat(each(docs, (d) => {
		const p = [], { requests, limits } = gateway(d).resources, pod = podOf(d);
		const annotations = d.spec.template.metadata.annotations ?? {};

		want(p, "replicas", d.spec.replicas, f.replicas);
		want(p, "strategy", d.spec.strategy, { type: "RollingUpdate", rollingUpdate: { maxSurge: f.surge, maxUnavailable: f.unavailable } });
		for (const [kind, got] of [["requests", requests], ["limits", limits]])
			for (const [k, v] of Object.entries(f.resources[kind]))
				want(p, `${kind}.${k}`, got[k], v);
		want(p, "nodeSelector", pod.nodeSelector, f.nodeSelector);
		if (f.toleration)
			want(p, "tolerations", pod.tolerations, [f.toleration]);
		for (const [k, v] of Object.entries(f.scrape ?? {}))
			want(p, `annotation ${k}`, annotations[k], v);
		for (const [k, v] of Object.entries(f.env))
			want(p, `environment ${k}`, gateway(d).env.find((e) => e.name === k)?.value, v);
		const logs = pod.volumes.find((v) => v.name === "logs");

		want(p, "the claim for logs", logs?.persistentVolumeClaim?.claimName, f.claim);
		if (!gateway(d).volumeMounts.some((m) => m.name === "config" && m.readOnly === true))
			p.push("the configuration is not mounted read-only");
		if (!f.claim && !logs?.emptyDir)
			p.push("no volume for logs");
		return p;
	}));
}

export function probesHold(docs) {
	return each(docs, (d) => {
		const p = [], c = gateway(d), start = c.startupProbe;

		for (const [name, wanted] of Object.entries(probes))
			for (const [k, v] of Object.entries(wanted))
				want(p, `${name}.${k}`, c[name]?.[k], v);
		for (const name of ["startupProbe", "livenessProbe", "readinessProbe"]) {
			const ask = c[name]?.httpGet;
			const port = c.ports.find((q) => q.name === ask?.port || q.containerPort === ask?.port);
			const served = port?.name === "admin" ? adminRoutes : routes;

			if (!port)
				p.push(`${name} asks port ${show(ask?.port)}, which the container does not have`);
			else if (!served.has(ask.path))
				p.push(`${name} asks ${ask.path}, which is not served at ${port.name}`);
		}
		want(p, "livenessProbe.path", c.livenessProbe?.httpGet.path, "/livez");
		want(p, "readinessProbe.path", c.readinessProbe?.httpGet.path, "/readyz");
		if (start) {
			const allowed = start.periodSeconds * start.failureThreshold;

			if (allowed < 60 || allowed >= d.spec.progressDeadlineSeconds)
				p.push(`the start may take ${allowed} s: wanted a minute at least, and less than progressDeadlineSeconds`);
		}
		return p;
	});
}

export function confined(docs) {
	return each(docs, (d) => {
		const p = [], pod = podOf(d), s = pod.securityContext ?? {};

		want(p, "runAsNonRoot", s.runAsNonRoot, true);
		for (const k of ["runAsUser", "runAsGroup", "fsGroup"])
			want(p, k, s[k], uid);
		want(p, "seccompProfile", s.seccompProfile, { type: "RuntimeDefault" });
		want(p, "automountServiceAccountToken", pod.automountServiceAccountToken, false);
		for (const k of ["hostNetwork", "hostPID", "hostIPC"])
			want(p, k, pod[k], undefined);
		for (const c of [...pod.containers, ...(pod.initContainers ?? [])]) {
			const cs = c.securityContext ?? {};

			want(p, `${c.name}: allowPrivilegeEscalation`, cs.allowPrivilegeEscalation, false);
			want(p, `${c.name}: readOnlyRootFilesystem`, cs.readOnlyRootFilesystem, true);
			want(p, `${c.name}: capabilities`, cs.capabilities, { drop: ["ALL"] });
		}
		for (const v of pod.volumes)
			if (v.hostPath)
				p.push(`volume ${v.name} is a path of the node`);
		const state = gateway(d).env.find((e) => e.name === "OPITIOS_STATE_DIR")?.value;

		if (!gateway(d).volumeMounts.some((m) => m.mountPath === state && !m.readOnly))
			p.push(`state.dir ${show(state)} is no writable volume, and the root is read-only`);
		return p;
	});
}

/* Names that the gateway would not read are settings that somebody believes in. */
export function settingsKnown(docs) {
	return each(docs, (d) => {
		const p = [], config = configOf(docs, d);

		for (const e of gateway(d).env) {
			const key = settingOf(e.name);

			if (!key && e.name !== "POD_NAME")
				p.push(`no setting is called ${e.name}`);
			if (key && settings.get(key).type === "SECRET" && (e.value !== undefined || !e.valueFrom?.secretKeyRef))
				p.push(`${e.name} is a secret and not a reference to one`);
		}
		for (const key of config.keys())
			if (!settings.has(key))
				p.push(`the configuration has ${key}, which is no setting`);
		for (const [key, port] of [["http.address", ports.http], ["admin.address", ports.admin]])
			want(p, key, config.get(key), `0.0.0.0:${port}`);
		return p;
	});
}

export function drainFits(docs) {
	return each(docs, (d) => {
		const config = configOf(docs, d);
		const needed = seconds(config.get("supervisor.drain_delay")) + seconds(config.get("supervisor.drain_timeout")) + 10;
		const grace = podOf(d).terminationGracePeriodSeconds;

		return grace >= needed ? [] : [`terminationGracePeriodSeconds is ${grace}, the drain may take ${needed} s`];
	});
}

/* One account serves all pods there can be at once, of all Deployments together. */
export function budgetFits(docs) {
	const problems = [];
	let sum = 0, plan = Infinity;

	for (const d of of(docs, "Deployment")) {
		const hpa = of(docs, "HorizontalPodAutoscaler").find((h) => h.spec.scaleTargetRef.name === d.metadata.name);
		/* Those that drain count neither as replicas nor as surge, and go on serving for drain_delay. */
		const { maxSurge, maxUnavailable } = d.spec.strategy.rollingUpdate;
		const pods = Math.max(d.spec.replicas, hpa?.spec.maxReplicas ?? 0) + maxSurge + (maxSurge + maxUnavailable);
		const config = configOf(docs, d), share = Number(config.get("upstream.budget_per_minute"));

		plan = Math.min(plan, Number(d.metadata.annotations?.["opitios-alpaca/plan-per-minute"]));
		sum += pods * share;
		if (!(Number(config.get("upstream.budget_reserve")) < share / 2))
			problems.push(`${d.metadata.name}: more than half of a pod's share of ${share} is held back as reserve`);
	}
	if (!(sum <= plan))
		problems.push(`the pods may spend ${sum} calls a minute, the plan allows ${plan}`);
	return problems;
}

export function stateFits(docs) {
	return each(docs, (d) => {
		const journal = bytes(configOf(docs, d).get("journal.max_bytes"));
		const state = podOf(d).volumes.find((v) => v.name === "state")?.emptyDir?.sizeLimit;
		const disk = gateway(d).resources.limits["ephemeral-storage"];
		const p = [];

		if (!state || journal > 0.75 * bytes(state))
			p.push(`the journal may grow to ${journal} bytes on a volume of ${state}`);
		if (!disk || bytes(disk) < bytes(state ?? "0"))
			p.push(`ephemeral-storage of ${disk} is less than the volume of ${state}`);
		return p;
	});
}

export function imageNamed(docs) {
	return each(docs, (d) => podOf(d).containers.flatMap((c) =>
		/^(\S+\/)?opitios-alpaca:(?!latest$)[\w.-]+$/.test(c.image) ? [] : [`image ${c.image} is not opitios-alpaca at a version`]));
}

/* Both colours are the same but for their colour: a switch must change the version, nothing else. */
export function coloursAlike(docs) {
	const plain = of(docs, "Deployment").map((d) => JSON.stringify(d).replaceAll(/\b(blue|green)\b/g, "colour"));

	return plain.length === 2 && plain[0] === plain[1] ? [] : [`${plain.length} Deployments, or blue and green differ`];
}
