resource "aws_cloudformation_stack" "build" {
  count        = 1
  name         = "ci-${var.environment}-build"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue      = "build"
    BuildkiteAgentToken = jsondecode(data.aws_ssm_parameter.token.value)["token"]
    BuildkiteAgentTags  = "env=${var.environment},team=ci"
    ECRAccessPolicy     = "poweruser"
    InstanceTypes       = "m5.large"
    MaxSize             = var.sizes
    ScaleOutFactor      = 7
    ManagedPolicyARNs   = aws_iam_policy.agents.arn
    VpcId               = aws_vpc.main.id
    Subnets             = join(",", [for subnet in aws_subnet.agents : subnet.id])
  }

  tags       = merge(local.tags, { Name = "build" })
  depends_on = [aws_ssm_parameter.poweruser]

  timeouts {
    update = "2h"
  }
}
