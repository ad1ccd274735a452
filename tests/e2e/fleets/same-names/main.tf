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

module "a" {
  source = "./a"
}

module "b" {
  source = "./b"
}

locals {
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
  template     = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
}

resource "aws_cloudformation_stack" "network" {
  name          = "network"
  template_body = jsonencode({ Resources = { T = { Type = "AWS::SNS::Topic" } } })
}
