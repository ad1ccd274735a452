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
}

variable "tags" {
  type    = map(string)
  default = { team = "ci" }
}

module "fleet" {
  source = "./fleet"
  tags   = var.tags
}

module "solo" {
  source = "./stack"
  count  = 1
  name   = "solo"
  tags   = var.tags
}

output "solo" {
  value = module.solo[0].stack
}

output "spare" {
  value = aws_cloudformation_stack.spare[*].name
}
