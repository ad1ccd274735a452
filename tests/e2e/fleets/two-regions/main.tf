terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = "us-west-2"
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

variable "buildkite_agent_token" {
  type      = string
  sensitive = true
}

resource "aws_vpc" "west" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "west" {
  vpc_id     = aws_vpc.west.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_vpc" "east" {
  provider   = aws.us_east_1
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "east" {
  provider   = aws.us_east_1
  vpc_id     = aws_vpc.east.id
  cidr_block = "10.1.0.0/24"
}

resource "aws_security_group" "east" {
  provider = aws.us_east_1
  name     = "agents"
  vpc_id   = aws_vpc.east.id
}
