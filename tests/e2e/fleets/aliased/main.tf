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

resource "aws_s3_bucket" "secrets" {
  bucket = "example-agent-secrets"
}

locals {
  queues = {
    big   = { BuildkiteQueue = "big", SecretsBucket = aws_s3_bucket.secrets.bucket, MaxSize = 4 }
    small = { BuildkiteQueue = "small", SecretsBucket = aws_s3_bucket.secrets.bucket, MaxSize = 2 }
  }
}
