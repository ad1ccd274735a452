variable "aws_region" {
  type    = string
  default = "us-east-1"
}

variable "aws_profile" {
  type    = string
  default = ""
}

variable "environment" {
  type    = string
  default = "prod"
}

variable "buildkite_agent_token" {
  type      = string
  sensitive = true
  default   = ""
}

variable "buildkite_agent_amis" {
  type = map(string)
  default = {
    "amd64-linux" = "ami-0453ec754f44f9a4a"
    "arm64-linux" = "ami-0c101f26f147fa7fd"
  }
}

variable "vpc_cidr" {
  type    = string
  default = "10.0.0.0/16"
}
