variable "environment" {
  description = "Which deployment this is; also the name of its namespace and of the workspace that holds its state."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "The environment is staging or production."
  }
}

variable "kubeconfig" {
  description = "File that says how the cluster is reached."
  type        = string
  default     = "~/.kube/config"
}

variable "kube_context" {
  description = "Context within kubeconfig; named for each environment, so that nobody applies one to the other's cluster."
  type        = string

  validation {
    condition     = length(var.kube_context) > 0
    error_message = "Name the context: the one that happens to be current is not asked."
  }
}

variable "redis_password" {
  description = "Password of Redis; the gateway gets it within the secret redis-connection."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.redis_password) >= 16 && can(regex("^[A-Za-z0-9_.~-]+$", var.redis_password))
    error_message = "At least 16 characters, of those that need no escaping in a URL: letters, digits, and _ . ~ -"
  }
}

variable "postgres_password" {
  description = "Password of PostgreSQL's superuser."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.postgres_password) >= 16 && can(regex("^[A-Za-z0-9_.~-]+$", var.postgres_password))
    error_message = "At least 16 characters, of those that need no escaping in a URL: letters, digits, and _ . ~ -"
  }
}

variable "gateway_password" {
  description = "Password of the role the gateway writes history with."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.gateway_password) >= 16 && can(regex("^[A-Za-z0-9_.~-]+$", var.gateway_password))
    error_message = "At least 16 characters, of those that need no escaping in a URL: letters, digits, and _ . ~ -"
  }
}

variable "grafana_admin_password" {
  description = "Password of Grafana's admin; wanted where monitoring is installed."
  type        = string
  sensitive   = true
  default     = ""

  validation {
    condition     = var.grafana_admin_password == "" || can(regex("^[A-Za-z0-9_.~-]{12,}$", var.grafana_admin_password))
    error_message = "At least 12 characters, of those that Helm takes as they are: letters, digits, and _ . ~ -"
  }
}

variable "monitoring_enabled" {
  description = "Whether Prometheus, Grafana and the adapter are installed: by one environment of a cluster, into the namespace monitoring."
  type        = bool
  default     = true
}

variable "bitnami_images" {
  description = "Where the images of the two Bitnami charts are: those of these versions moved away from docker.io/bitnami in 2025. A mirror of your own is safer."
  type        = string
  default     = "bitnamilegacy"
}

variable "redis_size" {
  description = "Volume of each Redis."
  type        = string
  default     = "10Gi"

  validation {
    condition     = can(regex("^[1-9][0-9]*Gi$", var.redis_size))
    error_message = "A whole number of Gi, such as 10Gi."
  }
}

variable "postgres_size" {
  description = "Volume of PostgreSQL."
  type        = string
  default     = "20Gi"

  validation {
    condition     = can(regex("^[1-9][0-9]*Gi$", var.postgres_size))
    error_message = "A whole number of Gi, such as 20Gi."
  }
}

variable "load_balancer_enabled" {
  description = "Whether the gateway has an address of its own beside the ingress. Not with blue-green: it would reach both colours."
  type        = bool
  default     = true
}

variable "load_balancer_source_ranges" {
  description = "Who may use that address. The gateway's data is the account's: never everybody."
  type        = list(string)
  default     = ["10.0.0.0/8"]

  validation {
    condition = length(var.load_balancer_source_ranges) > 0 && alltrue([
      for r in var.load_balancer_source_ranges : can(cidrhost(r, 0)) && !endswith(r, "/0")
    ])
    error_message = "Networks as address/bits, one at least, and none that is the whole Internet."
  }
}

variable "load_balancer_annotations" {
  description = "What makes the cloud give that address inside its own network: where it is a public one, nobody comes to it from 10.0.0.0/8."
  type        = map(string)
  default = {
    "networking.gke.io/load-balancer-type"                    = "Internal"
    "service.beta.kubernetes.io/aws-load-balancer-internal"   = "true"
    "service.beta.kubernetes.io/aws-load-balancer-scheme"     = "internal"
    "service.beta.kubernetes.io/azure-load-balancer-internal" = "true"
  }
}

variable "pod_networks" {
  description = "The cluster's own pod networks, where they lie within load_balancer_source_ranges: its pods are not let in by that rule."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for r in var.pod_networks : can(cidrhost(r, 0))])
    error_message = "Networks as address/bits."
  }
}
