# Prometheus, Grafana, and what tells the HPA how many connections a pod holds. Once for a cluster.

resource "helm_release" "prometheus" {
  count = var.monitoring_enabled ? 1 : 0

  name             = "prometheus"
  repository       = "https://prometheus-community.github.io/helm-charts"
  chart            = "kube-prometheus-stack"
  version          = "51.7.0"
  namespace        = "monitoring"
  create_namespace = true
  atomic           = true
  timeout          = 900

  values = [
    yamlencode({
      prometheus = {
        prometheusSpec = {
          retention = "30d"
          # Less than the volume: the oldest days go before it is full.
          retentionSize = "45GB"
          storageSpec = {
            volumeClaimTemplate = {
              spec = {
                accessModes = ["ReadWriteOnce"]
                resources = {
                  requests = {
                    storage = "50Gi"
                  }
                }
              }
            }
          }
        }
      }
      grafana = {
        persistence = {
          enabled = true
          size    = "10Gi"
        }
      }
    })
  ]

  set_sensitive {
    name  = "grafana.adminPassword"
    value = var.grafana_admin_password
  }

  lifecycle {
    precondition {
      condition     = var.grafana_admin_password != ""
      error_message = "Where monitoring is installed, grafana_admin_password is wanted."
    }
  }
}

resource "helm_release" "prometheus_adapter" {
  count = var.monitoring_enabled ? 1 : 0

  name       = "prometheus-adapter"
  repository = "https://prometheus-community.github.io/helm-charts"
  chart      = "prometheus-adapter"
  version    = "4.9.0"
  namespace  = helm_release.prometheus[0].namespace
  atomic     = true
  timeout    = 300

  values = [file("${path.module}/../k8s/components/monitoring/adapter.yaml")]
}
