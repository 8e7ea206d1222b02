/* figures.mjs - what docs and operators were promised, by overlay; the one place of these numbers in the checks. */
const small = { requests: { memory: "256Mi", cpu: "200m" }, limits: { memory: "512Mi", cpu: "500m" } };
const large = { requests: { memory: "512Mi", cpu: "500m" }, limits: { memory: "1Gi", cpu: "1000m" } };
const production = {
	namespace: "production", replicas: 5, resources: large, surge: 1, unavailable: 1,
	env: { ENVIRONMENT: "production", ALPACA_PAPER_TRADING: "false" },
	secrets: ["redis-connection", "postgres-connection", "alpaca-credentials"],
	nodeSelector: { "node-type": "compute-optimized" },
	toleration: { key: "compute-optimized", operator: "Equal", value: "true", effect: "NoSchedule" },
	scrape: { "prometheus.io/scrape": "true", "prometheus.io/path": "/metrics" },
	claim: "opitios-logs-pvc",
};

export const overlays = {
	staging: {
		...production, namespace: "staging", replicas: 2, resources: small, deployments: ["opitios-alpaca-staging"],
		env: { ENVIRONMENT: "staging", ALPACA_PAPER_TRADING: "true" },
		secrets: ["redis-connection", "alpaca-credentials"],
		nodeSelector: undefined, toleration: undefined, scrape: undefined, claim: undefined,
	},
	production: { ...production, deployments: ["opitios-alpaca-production"] },
	"blue-green": { ...production, deployments: ["opitios-alpaca-blue", "opitios-alpaca-green"] },
};

export const probes = {
	livenessProbe: { initialDelaySeconds: 30, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
	readinessProbe: { initialDelaySeconds: 5, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 2 },
};

export const service = { name: "opitios-alpaca-service", ports: { 80: 8081, 8081: 8081 } };
export const ports = { http: 8081, admin: 8082 };
export const uid = 1001;
