# What the gateway stands on: its namespace, Redis, PostgreSQL, monitoring, an address. The gateway itself is k8s/.

locals {
  labels = {
    environment = var.environment
    service     = "opitios-alpaca"
  }
  namespace = kubernetes_namespace.gateway.metadata[0].name
  database  = "opitios_${var.environment}"
}

resource "kubernetes_namespace" "gateway" {
  metadata {
    name = var.environment
    labels = merge(local.labels, {
      # The gateway's pods are `restricted`; what the charts start is only known to be `baseline`.
      "pod-security.kubernetes.io/enforce" = "baseline"
      "pod-security.kubernetes.io/warn"    = "restricted"
    })
  }

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = terraform.workspace == var.environment
      error_message = "This is the workspace of another environment: terraform workspace select ${var.environment}"
    }
  }
}

resource "helm_release" "redis" {
  name       = "redis-cluster"
  repository = "https://charts.bitnami.com/bitnami"
  chart      = "redis"
  version    = "17.15.2"
  namespace  = local.namespace
  atomic     = true
  timeout    = 600

  values = [
    yamlencode({
      architecture = "replication"
      image = {
        repository = "${var.bitnami_images}/redis"
      }
      auth = {
        enabled = true
      }
      master = {
        persistence = {
          enabled = true
          size    = var.redis_size
        }
        resources = {
          requests = {
            memory = "256Mi"
            cpu    = "100m"
          }
          limits = {
            memory = "512Mi"
            cpu    = "500m"
          }
        }
      }
      replica = {
        replicaCount = 2
        persistence = {
          enabled = true
          size    = var.redis_size
        }
        resources = {
          requests = {
            memory = "256Mi"
            cpu    = "100m"
          }
          limits = {
            memory = "512Mi"
            cpu    = "500m"
          }
        }
      }
    })
  ]

  # Apart from the values, which plans print.
  set_sensitive {
    name  = "auth.password"
    value = var.redis_password
  }
}

resource "helm_release" "postgresql" {
  name       = "postgresql"
  repository = "https://charts.bitnami.com/bitnami"
  chart      = "postgresql"
  version    = "12.10.0"
  namespace  = local.namespace
  atomic     = true
  timeout    = 600

  values = [
    yamlencode({
      image = {
        repository = "${var.bitnami_images}/postgresql"
      }
      auth = {
        database = local.database
        username = "gateway"
      }
      primary = {
        persistence = {
          enabled = true
          size    = var.postgres_size
        }
        resources = {
          requests = {
            memory = "256Mi"
            cpu    = "100m"
          }
          limits = {
            memory = "1Gi"
            cpu    = "1000m"
          }
        }
      }
    })
  ]

  set_sensitive {
    name  = "auth.postgresPassword"
    value = var.postgres_password
  }

  set_sensitive {
    name  = "auth.password"
    value = var.gateway_password
  }
}

# The two secrets whose content is known here; alpaca-credentials and the certificate are made by hand.
resource "kubernetes_secret" "redis" {
  metadata {
    name      = "redis-connection"
    namespace = local.namespace
    labels    = local.labels
  }

  data = {
    url = "redis://:${var.redis_password}@redis-cluster-master:6379/0"
  }

  depends_on = [helm_release.redis]
}

resource "kubernetes_secret" "postgres" {
  metadata {
    name      = "postgres-connection"
    namespace = local.namespace
    labels    = local.labels
  }

  data = {
    url = "postgresql://gateway:${var.gateway_password}@postgresql:5432/${local.database}"
  }

  depends_on = [helm_release.postgresql]
}
