resource "aws_cloudformation_stack" "agents" {
  name         = "elastic-agents"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "default"
    BuildkiteAgentTokenParameterStorePath = "/aws/reference/secretsmanager/buildkite/token"
    InstanceTypes                         = "m7g.large"
    ImageIdParameter                      = "/images/agents-arm64"
    InstanceRoleName                      = "elastic-agents"
    MinSize                               = 3
    MaxSize                               = 3
    BootstrapScriptUrl                    = "s3://acme-scripts/bootstrap.sh"
    SecretsBucket                         = "acme-secrets"
    ManagedPolicyARNs                     = "arn:aws:iam::123456789012:policy/agents"
    RootVolumeIops                        = 16000
    RootVolumeThroughput                  = 1000
    EnableDockerUserNamespaceRemap        = false
    VpcId                                 = "vpc-0123456789abcdef0"
    Subnets                               = "subnet-0123456789abcdef0"
  }

  tags = { owner = "platform" }
}

resource "aws_cloudformation_stack" "paused" {
  name         = "elastic-agents-paused"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "paused"
    BuildkiteAgentTokenParameterStorePath = "/aws/reference/secretsmanager/buildkite/token"
    InstanceTypes                         = "m7g.large"
    MaxSize                               = 0
    SecretsBucket                         = "acme-secrets"
    ManagedPolicyARNs                     = "arn:aws:iam::123456789012:policy/agents"
    VpcId                                 = "vpc-0123456789abcdef0"
    Subnets                               = "subnet-0123456789abcdef0"
  }

  tags = { owner = "platform" }
}
