environment                 = "production"
kube_context                = "production"
redis_size                  = "10Gi"
postgres_size               = "20Gi"
monitoring_enabled          = true
load_balancer_enabled       = true
load_balancer_source_ranges = ["10.0.0.0/8"]
