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
  default = { team = "poweruser", owner = "ops" }
}

variable "size" {
  type    = number
  default = 5
}

resource "aws_ssm_parameter" "images" {
  type = "String"
  value = "x"
  name = "poweruser"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_subnet" "b" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_s3_bucket" "templates" {
  bucket = "acme-stack-templates"
}

resource "aws_s3_object" "template" {
  bucket  = aws_s3_bucket.templates.bucket
  key     = "v6.30.0/aws-stack.yml"
  content = jsonencode({
    Description = "Buildkite stack v6.30.0"
    Parameters  = { for name in ["BuildkiteQueue", "BuildkiteAgentTokenParameterStorePath", "InstanceTypes", "MaxSize", "MinSize", "VpcId", "Subnets", "ECRAccessPolicy", "InstanceOperatingSystem"] : name => { Type = "String", Default = "" } }
    Resources = { T = { Type = "AWS::SNS::Topic" } }
    Outputs   = { InstanceRoleName = { Value = { Ref = "T" } } }
  })
}

module "agents" {
  source   = "./queue"
  for_each = {
    builds = { types = "m5.large", max = 5 }
    gpu    = { types = "g4dn.xlarge", max = 5 }
    docs   = { types = "t3.large", max = 1 }
  }

  name    = each.key
  types   = each.value.types
  max     = each.value.max
  vpc_id  = aws_vpc.main.id
  subnets = [aws_subnet.a.id, aws_subnet.b.id]
  tags    = var.default_tags
  url     = "https://${aws_s3_bucket.templates.bucket}.s3.amazonaws.com/${aws_s3_object.template.key}"
}

resource "aws_cloudformation_stack" "win" {
  for_each     = { win = "windows", lin = "linux" }
  name         = "acme-${each.key}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = each.key
    BuildkiteAgentTokenParameterStorePath = "/acme/token"
    InstanceOperatingSystem               = each.value
    MaxSize                               = var.size
    MinSize                               = 5
    ECRAccessPolicy                       = "poweruser"
    VpcId                                 = aws_vpc.main.id
    Subnets                               = "${aws_subnet.a.id},${aws_subnet.b.id}"
  }

  tags       = var.default_tags
  depends_on = [aws_ssm_parameter.images]
}

output "stacks" {
  value = [for module in module.agents : module.stack]
}
