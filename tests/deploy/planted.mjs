/* planted.mjs - faults, one at least for each rule: a check that cannot fail is none. */
import { of, named } from "./render.mjs";
import * as links from "./rules_links.mjs";
import * as pod from "./rules_pod.mjs";
import { validate } from "./schema.mjs";

const deployment = (docs) => of(docs, "Deployment")[0];
const container = (docs) => deployment(docs).spec.template.spec.containers[0];
const env = (docs, name) => container(docs).env.find((e) => e.name === name);
const conf = (docs, from, to) => {
	const m = of(docs, "ConfigMap")[0];

	m.data["opitios-alpaca.conf"] = m.data["opitios-alpaca.conf"].replace(from, to);
};
const policy = (docs) => named(docs, "NetworkPolicy", "opitios-alpaca").spec;

/* what is wrong | the rule that must see it | the fault | how it must be told | in which set (production) */
const table = [
	["one replica too few", pod.figures, (d) => { deployment(d).spec.replicas = 4; }, /replicas is 4/],
	["a smaller limit", pod.figures, (d) => { container(d).resources.limits.memory = "512Mi"; }, /limits.memory/],
	["no surge", pod.figures, (d) => { deployment(d).spec.strategy.rollingUpdate.maxSurge = 0; }, /strategy/],
	["any node will do", pod.figures, (d) => { delete deployment(d).spec.template.spec.nodeSelector; }, /nodeSelector/],
	["another namespace", pod.figures, (d) => { of(d, "Service")[0].metadata.namespace = "default"; }, /namespace of Service/],
	["a writable configuration", pod.figures, (d) => { container(d).volumeMounts.find((m) => m.name === "config").readOnly = false; }, /read-only/],
	["live trading in staging", pod.figures, (d) => { env(d, "ALPACA_PAPER_TRADING").value = "false"; }, /ALPACA_PAPER_TRADING/, "staging"],
	["a slower probe", pod.probesHold, (d) => { container(d).livenessProbe.periodSeconds = 30; }, /livenessProbe.periodSeconds/],
	["a probe of nothing", pod.probesHold, (d) => { container(d).readinessProbe.httpGet.path = "/ready"; }, /asks \/ready/],
	["a probe of no port", pod.probesHold, (d) => { container(d).startupProbe.httpGet.port = 9000; }, /asks port 9000/],
	["a start without an end", pod.probesHold, (d) => { container(d).startupProbe.failureThreshold = 600; }, /the start may take 1200 s/],
	["root", pod.confined, (d) => { deployment(d).spec.template.spec.securityContext.runAsUser = 0; }, /runAsUser/],
	["a writable root", pod.confined, (d) => { container(d).securityContext.readOnlyRootFilesystem = false; }, /readOnlyRootFilesystem/],
	["a capability", pod.confined, (d) => { container(d).securityContext.capabilities.add = ["NET_RAW"]; }, /capabilities/],
	["state on a read-only root", pod.confined, (d) => { env(d, "OPITIOS_STATE_DIR").value = "/state"; }, /no writable volume/],
	["a name nobody reads", pod.settingsKnown, (d) => { env(d, "REDIS_URL").name = "REDIS_URI"; }, /REDIS_URI/],
	["a key nobody reads", pod.settingsKnown, (d) => conf(d, "drain_delay", "drain_dealy"), /supervisor.drain_dealy/],
	["a secret in the open", pod.settingsKnown, (d) => { env(d, "ALPACA_SECRET_KEY").value = "x"; }, /ALPACA_SECRET_KEY is a secret/],
	["health at the loopback", pod.settingsKnown, (d) => { env(d, "OPITIOS_ADMIN_ADDRESS").value = "127.0.0.1:8082"; }, /admin.address/],
	["a drain longer than the grace", pod.drainFits, (d) => conf(d, "drain_timeout = 30s", "drain_timeout = 2m"), /the drain may take 140 s/],
	["more budget than the plan", pod.budgetFits, (d) => conf(d, "budget_per_minute = 750", "budget_per_minute = 1000"), /may spend 13000/],
	["more pods than budget", pod.budgetFits, (d) => { of(d, "HorizontalPodAutoscaler")[0].spec.maxReplicas = 20; }, /may spend 17250/],
	["a share per colour as if alone", pod.budgetFits, (d) => conf(d, "= 380", "= 750"), /may spend/, "blue-green"],
	["a reserve as large as the share", pod.budgetFits, (d) => conf(d, "budget_reserve = 3", "budget_reserve = 30"), /reserve/, "staging"],
	["a journal larger than its volume", pod.stateFits, (d) => conf(d, "max_bytes = 4G", "max_bytes = 8G"), /the journal may grow/],
	["the newest image, whatever it is", pod.imageNamed, (d) => { container(d).image = "opitios-alpaca:latest"; }, /latest/],
	["a selector that is not the pods'", links.selectorsMatch, (d) => { deployment(d).spec.selector.matchLabels.app = "other"; }, /does not match its own pods/],
	["a service of nobody", links.selectorsMatch, (d) => { of(d, "Service")[0].spec.selector.app = "opitios"; }, /selects no pod/],
	["colours that share their pods", links.selectorsMatch, (d) => { delete deployment(d).spec.selector.matchLabels.version;
		for (const x of of(d, "Deployment")) delete x.spec.template.metadata.labels.version; }, /too/, "blue-green"],
	["no disruption budget", links.selectorsMatch, (d) => d.splice(d.indexOf(of(d, "PodDisruptionBudget")[0]), 1), /0 PodDisruptionBudgets/],
	["a service to no port", links.portsExist, (d) => { of(d, "Service")[0].spec.ports[0].targetPort = "web"; }, /has no port web/],
	["a scrape at the wrong port", links.portsExist, (d) => { deployment(d).spec.template.metadata.annotations["prometheus.io/port"] = "9090"; }, /Prometheus is sent/],
	["an ingress to no service", links.portsExist, (d) => { of(d, "Ingress")[0].spec.rules[0].http.paths[0].backend.service.name = "x"; }, /no Service x/],
	["metrics for everybody", links.portsExist, (d) => { of(d, "Ingress")[0].spec.rules[0].http.paths[0].path = "/"; }, /not for clients/],
	["detailed health for everybody", links.portsExist, (d) => { Object.assign(of(d, "Ingress")[0].spec.rules[0].http.paths[0], { path: "/api/", pathType: "Prefix" }); }, /health\/detailed, which is not for clients/],
	["an ingress for everybody", links.portsExist, (d) => { of(d, "Ingress")[0].metadata.annotations = {}; }, /open to everybody/],
	["a configuration that is not there", links.referencesHold, (d) => d.splice(d.indexOf(of(d, "ConfigMap")[0]), 1), /no ConfigMap/],
	["a secret nobody creates", links.referencesHold, (d) => { env(d, "REDIS_URL").valueFrom.secretKeyRef.name = "redis"; }, /secret redis with key url/],
	["a claim that is not there", links.referencesHold, (d) => d.splice(d.indexOf(of(d, "PersistentVolumeClaim")[0]), 1), /no claim/],
	["an account with a token", links.referencesHold, (d) => { of(d, "ServiceAccount")[0].automountServiceAccountToken = true; }, /without a token/],
	["a secret in the manifests", links.referencesHold, (d) => d.push({ kind: "Secret", metadata: { name: "s" } }), /in the manifests/],
	["a way in for everybody", links.networkClosed, (d) => policy(d).ingress.push({}), /traffic from/],
	["a way out to the cluster", links.networkClosed, (d) => { policy(d).egress.at(-1).to[0].ipBlock.except = []; }, /10\.0\.0\.0/],
	["scaling by a metric nobody serves", links.scalingHolds, (d) => { of(d, "HorizontalPodAutoscaler")[0].spec.metrics[1].pods.metric.name = "opitios_rps"; }, /opitios_rps is no gauge/],
	["scaling of nothing", links.scalingHolds, (d) => { of(d, "HorizontalPodAutoscaler")[0].spec.scaleTargetRef.name = "x"; }, /no HorizontalPodAutoscaler/],
	["both colours at once", links.oneColourServes, (d) => { delete of(d, "Service")[0].spec.selector.version; }, /selects 2 Deployments/, "blue-green"],
	["a colour that differs", pod.coloursAlike, (d) => { deployment(d).spec.replicas = 3; }, /differ/, "blue-green"],
	["an alert about no metric", links.alertsKnown, (d) => { of(d, "PrometheusRule")[0].spec.groups[0].rules[0].expr = "opitios_gone > 1"; }, /opitios_gone/, "production-monitoring"],
	["a wrong type", validate, (d) => { deployment(d).spec.replicas = "five"; }, /replicas/],
	["a missing field", validate, (d) => { delete deployment(d).spec.selector; }, /selector/],
	["an object of no kind", validate, (d) => { of(d, "Service")[0].apiVersion = "v3"; }, /no schema/],
];

/* Fields that do not exist are the compiler's to find; it sees them together with the overlays. */
const surplus = {
	"a-misspelt-probe": [(d) => { container(d).livenessprobe = container(d).livenessProbe; }, /livenessprobe/],
	"a-field-at-the-wrong-level": [(d) => { deployment(d).spec.template.spec.readOnlyRootFilesystem = true; }, /readOnlyRootFilesystem/],
};

export function plant(sets) {
	const copy = (set, fault) => {
		const docs = structuredClone(sets[set].docs);

		fault(docs);
		return docs;
	};

	return {
		rules: table.map(([name, rule, fault, words, set = "production"]) => ({ name, rule, words, docs: copy(set, fault), f: sets[set].f })),
		excess: Object.fromEntries(Object.entries(surplus).map(([n, [fault, words]]) => [n, { docs: copy("production", fault), words }])),
		configuration: { docs: copy("production", (d) => conf(d, "max_bytes = 4G", "max_bytes = much")), words: /max_bytes/ },
	};
}
