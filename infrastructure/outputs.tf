output "namespace" {
  description = "Where k8s/overlays of this environment go."
  value       = local.namespace
}

output "secrets" {
  description = "Secrets that pods refer to and that exist now; alpaca-credentials is made by hand."
  value       = [kubernetes_secret.redis.metadata[0].name, kubernetes_secret.postgres.metadata[0].name]
}

output "load_balancer" {
  description = "Address or host name of the load balancer; null where there is none, or none yet."
  value       = try(kubernetes_service.load_balancer[0].status[0].load_balancer[0].ingress[0], null)
}

output "grafana" {
  description = "How Grafana is reached from here."
  value       = var.monitoring_enabled ? "kubectl -n monitoring port-forward service/prometheus-grafana 3000:80" : null
}

output "redis_url" {
  description = "The same as in the secret redis-connection."
  value       = kubernetes_secret.redis.data["url"]
  sensitive   = true
}
