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

variable "default_tags" {
  type    = map(string)
  default = { team = "benchmarks", owner = "arrow" }
}

variable "buildkite_bootstrap_script_url" {
  type    = string
  default = "https://raw.githubusercontent.com/example/infra/main/bootstrap.sh"
}

variable "buildkite_agent_token" {
  type      = string
  sensitive = true
}

variable "cluster" {
  type    = string
  default = "benchmarks"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "public" {
  count      = 2
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
}

resource "aws_subnet" "public_extra" {
  count      = 1
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, 100 + count.index)
}

resource "aws_ssm_parameter" "buildkite_agent_token" {
  name        = "/buildkite/agent-token-benchmark-machines"
  description = "Buildkite Agent Token for benchmark machines"
  type        = "SecureString"
  value       = var.buildkite_agent_token
  tags        = var.default_tags
}

resource "aws_ssm_parameter" "setting" {
  for_each = { region = "us-east-1", cache = "cache-bucket" }
  name     = "/buildkite/config/${each.key}"
  type     = "String"
  value    = each.value
}

resource "aws_iam_policy" "buildkite_agent" {
  name = "${var.cluster}-buildkite-agent-policy"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
        Resource = "arn:aws:ssm:us-east-1:*:parameter/buildkite/*"
      },
      {
        Effect   = "Allow"
        Action   = "eks:DescribeCluster"
        Resource = "arn:aws:eks:us-east-1:*:cluster/${var.cluster}"
      },
    ]
  })
}

output "pipeline_queue" {
  value = aws_cloudformation_stack.conbench.parameters.BuildkiteQueue
}
