resource "aws_cloudformation_stack" "agents" {
  name         = "ci-agents"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.token.name
    BuildkiteQueue                        = "linux"
    InstanceTypes                         = "m5.large"
    InstanceRoleName                      = "ci-agents-role"
    MaxSize                               = 6
    RootVolumeSize                        = 250
  }

  tags = {
    Name = "ci-agents"
    team = "ci"
  }
}
