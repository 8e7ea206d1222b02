# Without monitoring here the cluster needs another's: in one of its own the HPA has no prometheus-adapter and never scales down.
environment           = "staging"
kube_context          = "staging"
redis_size            = "10Gi"
postgres_size         = "20Gi"
monitoring_enabled    = false
load_balancer_enabled = false
