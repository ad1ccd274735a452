resource "aws_iam_policy" "this" {
  name   = "ci-${var.queue}"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:ListAllMyBuckets", Resource = "*" }] })
}

resource "aws_cloudformation_stack" "this" {
  name         = "ci-${var.queue}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.71.1/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = var.queue
    BuildkiteAgentTokenParameterStorePath = var.token_parameter
    InstanceTypes                         = var.types
    MaxSize                               = var.max
    MinSize                               = 0
    ManagedPolicyARNs                     = aws_iam_policy.this.arn
    VpcId                                 = var.vpc_id
    Subnets                               = join(",", var.subnets)
  }

  tags = merge(var.tags, { queue = var.queue })
}
