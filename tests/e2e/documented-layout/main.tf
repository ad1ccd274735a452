terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region  = var.aws_region
  profile = var.aws_profile == "" ? null : var.aws_profile

  default_tags {
    tags = {
      Project     = "conbench"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}

locals {
  name_prefix = "conbench-${var.environment}"

  common_tags = {
    Project     = "conbench"
    Environment = var.environment
  }

  buildkite_queues = {
    "arm64-t4g-2xlarge-linux" = { arch = "arm64", type = "t4g.2xlarge" }
    "amd64-m5-4xlarge-linux"  = { arch = "amd64", type = "m5.4xlarge" }
    "amd64-c6a-4xlarge-linux" = { arch = "amd64", type = "c6a.4xlarge" }
  }
}
