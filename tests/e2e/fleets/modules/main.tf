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

variable "environment" {
  type    = string
  default = "production"
}

variable "sizes" {
  type    = number
  default = 7
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "agents" {
  for_each   = { a = "10.0.0.0/24", b = "10.0.1.0/24" }
  vpc_id     = aws_vpc.main.id
  cidr_block = each.value
}

resource "aws_ssm_parameter" "token" {
  name  = "/ci/token"
  type  = "SecureString"
  value = jsonencode({ token = "not-a-real-token", other = "x" })
}

data "aws_ssm_parameter" "token" {
  name = aws_ssm_parameter.token.name
}

resource "aws_ssm_parameter" "poweruser" {
  name  = "poweruser"
  type  = "String"
  value = "x"
}

resource "aws_iam_policy" "agents" {
  name   = "agents"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:ListAllMyBuckets", Resource = "*" }] })
}

locals {
  tags = { team = "ci", environment = var.environment }
}

module "docs" {
  source = "./queue"
  vpc_id = aws_vpc.main.id
  queue  = "docs"
  tags   = local.tags
}

output "stack" {
  value = module.docs.name
}
