variable "name" {}
variable "tags" { type = map(string) }
resource "aws_cloudformation_stack" "this" {
  name         = "nested-${replace(var.name, ".", "-")}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = { BuildkiteQueue = var.name, BuildkiteAgentTokenParameterStorePath = "/nested/token" }
  tags         = merge(var.tags, { Name = var.name })
}
output "stack" { value = aws_cloudformation_stack.this.name }
