resource "aws_cloudformation_stack" "spare" {
  count              = 2
  name               = "nested-spare-${count.index}"
  template_url       = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities       = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
  timeout_in_minutes = 30

  parameters = {
    BuildkiteAgentTokenParameterStorePath = "/nested/token"
    BuildkiteQueue                        = "spare-${count.index}"
  }

  tags = var.tags

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [tags["patch"]]
  }
}
