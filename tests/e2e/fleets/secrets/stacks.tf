resource "aws_cloudformation_stack" "queue" {
  for_each     = { one = "planted-a", two = "planted-b" }
  name         = "secrets-${each.key}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteAgentToken = each.value
    BuildkiteQueue      = each.key
    BootstrapScriptUrl  = "https://example.com/boot.sh?signature=${var.meta}"
  }

  tags = { meta = var.meta, note = "${each.key}-${var.meta}" }
}
