variable "name" { type = string }
variable "types" { type = string }
variable "max" { type = number }
variable "vpc_id" { type = string }
variable "subnets" { type = list(string) }
variable "tags" { type = map(string) }
variable "url" { type = string }

resource "aws_cloudformation_stack" "win" {
  name         = "acme-${var.name}"
  template_url = var.url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = var.name
    BuildkiteAgentTokenParameterStorePath = "/acme/token"
    InstanceTypes                         = var.types
    MaxSize                               = var.max
    VpcId                                 = var.vpc_id
    Subnets                               = join(",", var.subnets)
  }

  tags = merge(var.tags, { Queue = var.name, Name = "acme-${var.name}" })
}

output "stack" {
  value = aws_cloudformation_stack.win.name
}
