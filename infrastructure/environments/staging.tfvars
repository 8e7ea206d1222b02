environment           = "staging"
kube_context          = "staging"
redis_size            = "10Gi"
postgres_size         = "20Gi"
monitoring_enabled    = false
load_balancer_enabled = false
