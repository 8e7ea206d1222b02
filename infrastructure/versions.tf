# What this was written for. A lock file of providers belongs to the one who applies it: `terraform init` writes it.
terraform {
  required_version = ">= 1.5, < 2.0"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 2.31"
    }
    helm = {
      source  = "hashicorp/helm"
      version = "~> 2.14"
    }
  }

  # Each environment has its own state, as a workspace: env:/<workspace>/alpaca-service/terraform.tfstate.
  backend "s3" {
    bucket  = "opitios-terraform-state"
    key     = "alpaca-service/terraform.tfstate"
    region  = "us-east-1"
    encrypt = true
    # A table with the key LockID: two who apply at once would leave a state of neither.
    dynamodb_table = "opitios-terraform-locks"
  }
}

provider "kubernetes" {
  config_path    = var.kubeconfig
  config_context = var.kube_context
}

provider "helm" {
  kubernetes {
    config_path    = var.kubeconfig
    config_context = var.kube_context
  }
}
