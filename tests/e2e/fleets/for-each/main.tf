terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = { ManagedBy = "terraform" }
  }
}

locals {
  tokens = {
    docs  = "/buildkite/docs/token"
    gpu   = "/buildkite/gpu/token"
    build = "/buildkite/build/token"
    test  = "/buildkite/test/token"
  }
}

resource "aws_ssm_parameter" "token" {
  for_each = local.tokens
  name     = each.value
  type     = "SecureString"
  value    = "not-a-token-${each.key}"
}

module "vpc" {
  source = "./vpc"
}

output "queues" {
  value = sort([for queue, stack in local.bk_queue : stack.parameters.BuildkiteQueue])
}
