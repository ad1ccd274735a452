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

locals {
  template = jsonencode({
    Description = "Buildkite stack v6.30.0"
    Parameters = {
      for name in [
        "BuildkiteQueue",
        "BuildkiteAgentTokenParameterStorePath",
        "CostAllocationTagName",
        "InstanceTypes",
        "MinSize",
      ] : name => { Type = "String", Default = "" }
    }
    Resources = {
      Role = {
        Type       = "AWS::IAM::Role"
        Properties = { AssumeRolePolicyDocument = { Version = "2012-10-17", Statement = [] } }
      }
    }
    Outputs = { InstanceRoleName = { Value = { Ref = "Role" } } }
  })
}

resource "aws_s3_bucket" "templates" {
  bucket = "acme-templates"
}

resource "aws_s3_object" "template" {
  bucket  = aws_s3_bucket.templates.id
  key     = "elastic.yml"
  content = local.template
}
