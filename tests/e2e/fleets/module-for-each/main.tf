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

provider "aws" {
  alias  = "west"
  region = "us-west-2"
}

variable "default_tags" {
  type    = map(string)
  default = { team = "ci", owner = "platform" }
}

locals {
  queues = {
    builds = { types = "m5.large,m5a.large", max = 20, cluster = "main" }
    gpu    = { types = "g4dn.xlarge", max = 4, cluster = "gpu" }
    docs   = { types = "t3.large", max = 1, cluster = "main" }
  }
}

resource "aws_ssm_parameter" "token" {
  provider = aws.west
  for_each = toset(["main", "gpu"])
  name     = "/buildkite/${each.key}/token"
  type     = "SecureString"
  value    = "not-a-token-${each.key}"
}

resource "aws_vpc" "west" {
  provider   = aws.west
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "west" {
  provider   = aws.west
  count      = 2
  vpc_id     = aws_vpc.west.id
  cidr_block = cidrsubnet(aws_vpc.west.cidr_block, 8, count.index)
}

module "agents" {
  source   = "./queue"
  for_each = local.queues

  providers = {
    aws = aws.west
  }

  queue           = each.key
  types           = each.value.types
  max             = each.value.max
  token_parameter = aws_ssm_parameter.token[each.value.cluster].name
  vpc_id          = aws_vpc.west.id
  subnets         = aws_subnet.west[*].id
  tags            = var.default_tags
}
