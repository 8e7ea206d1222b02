# An address of the gateway's own, for those inside the named networks.

resource "kubernetes_service" "load_balancer" {
  count = var.load_balancer_enabled ? 1 : 0

  metadata {
    name      = "opitios-alpaca-lb"
    namespace = local.namespace
    labels    = local.labels
    # Without, most clouds give a public address, which nobody of the named networks comes to by his own.
    annotations = var.load_balancer_annotations
  }

  spec {
    type                        = "LoadBalancer"
    load_balancer_source_ranges = var.load_balancer_source_ranges
    # Clients keep their address, which the policy below looks at.
    external_traffic_policy = "Local"

    selector = {
      app = "opitios-alpaca"
    }

    port {
      name        = "http"
      port        = 80
      target_port = 8081
      protocol    = "TCP"
    }
  }
}

# The gateway's own policy lets in the ingress controller and Prometheus; policies add up.
resource "kubernetes_network_policy" "load_balancer" {
  count = var.load_balancer_enabled ? 1 : 0

  metadata {
    name      = "opitios-alpaca-lb"
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    pod_selector {
      match_labels = {
        app = "opitios-alpaca"
      }
    }
    policy_types = ["Ingress"]

    ingress {
      dynamic "from" {
        for_each = var.load_balancer_source_ranges

        content {
          ip_block {
            cidr   = from.value
            except = [for r in var.pod_networks : r if from.value == "${cidrhost("${cidrhost(r, 0)}/${split("/", from.value)[1]}", 0)}/${split("/", from.value)[1]}"]
          }
        }
      }

      ports {
        port     = "8081"
        protocol = "TCP"
      }
    }
  }
}
