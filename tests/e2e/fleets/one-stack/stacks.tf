resource "aws_cloudformation_stack" "agents" {
  name         = "ci-agents"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.token.name
    BuildkiteQueue                        = "linux"
    InstanceTypes                         = "m5.large,m5a.large"
    InstanceRoleName                      = "ci-agents-role"
    MaxSize                               = 6
    RootVolumeSize                        = 250
    RootVolumeType                        = "gp3"
    BuildkiteAdditionalSudoPermissions    = <<-EOT
      /usr/bin/dnf
    EOT
  }

  tags = {
    Name = "ci-agents"
    team = "ci"
  }

  timeouts {
    create = "30m"
    update = "60m"
  }

  depends_on = [aws_ssm_parameter.token]
}
