terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "queue" { type = string }
variable "types" { type = string }
variable "max" { type = number }
variable "token_parameter" { type = string }
variable "vpc_id" { type = string }
variable "subnets" { type = list(string) }
variable "tags" { type = map(string) }

