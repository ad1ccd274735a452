resource "aws_cloudformation_stack" "conbench" {
  name         = "new-conbench"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", [aws_subnet.public[0].id, aws_subnet.public[1].id])
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 2
    BuildkiteQueue                        = "new-conbench"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
    ImageId                               = "ami-0ff2c60291e139614"
    InstanceRoleName                      = "buildkite-agent-stack-conbench-Role"
    BootstrapScriptUrl                    = var.buildkite_bootstrap_script_url
  }

  tags = merge(var.default_tags, { service = "conbench" })
}

resource "aws_cloudformation_stack" "arrow-bci" {
  name         = "new-arrow-bci"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", [aws_subnet.public[0].id, aws_subnet.public[1].id])
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 10
    BuildkiteQueue                        = "new-arrow-bci"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
    ImageId                               = "ami-0ff2c60291e139614"
    InstanceRoleName                      = "buildkite-agent-stack-arrow-bci-Role"
    BootstrapScriptUrl                    = var.buildkite_bootstrap_script_url
  }

  tags = merge(var.default_tags, { service = "arrow-bci" })
}

resource "aws_cloudformation_stack" "arrow-bci-test" {
  name         = "new-arrow-bci-test"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", [aws_subnet.public[0].id, aws_subnet.public[1].id])
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 10
    BuildkiteQueue                        = "new-arrow-bci-test"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
  }

  tags = merge(var.default_tags, { service = "arrow-bci" })
}

resource "aws_cloudformation_stack" "arrow-bci-benchmark-build-test" {
  name         = "new-arrow-bci-benchmark-build-test"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", [aws_subnet.public[0].id, aws_subnet.public[1].id])
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 10
    BuildkiteQueue                        = "new-arrow-bci-benchmark-build-test"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
  }

  tags = merge(var.default_tags, { service = "arrow-bci" })
}

resource "aws_cloudformation_stack" "arm64-t4g-2xlarge-linux" {
  name         = "arm64-t4g-2xlarge-linux"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", concat(aws_subnet.public[*].id, aws_subnet.public_extra[*].id))
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 2
    BuildkiteQueue                        = "arm64-t4g-2xlarge-linux"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
    InstanceTypes                         = "t4g.2xlarge"
    OnDemandPercentage                    = 0
    ImageId                               = "ami-015188a01f7874b28"
    BootstrapScriptUrl                    = var.buildkite_bootstrap_script_url
  }

  tags = var.default_tags
}

resource "aws_cloudformation_stack" "amd64-m5-4xlarge-linux" {
  name         = "amd64-m5-4xlarge-linux"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", concat(aws_subnet.public[*].id, aws_subnet.public_extra[*].id))
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 10
    BuildkiteQueue                        = "amd64-m5-4xlarge-linux"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
    InstanceTypes                         = "m5.4xlarge"
    OnDemandPercentage                    = 80
    ImageId                               = "ami-0ff2c60291e139614"
    BootstrapScriptUrl                    = var.buildkite_bootstrap_script_url
  }

  tags = var.default_tags
}

resource "aws_cloudformation_stack" "amd64-c6a-4xlarge-linux" {
  name         = "amd64-c6a-4xlarge-linux"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.22.3/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", concat(aws_subnet.public[*].id, aws_subnet.public_extra[*].id))
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = 1
    ECRAccessPolicy                       = "full"
    MinSize                               = 0
    MaxSize                               = 10
    BuildkiteQueue                        = "amd64-c6a-4xlarge-linux"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    ManagedPolicyARNs                     = join(",", [aws_iam_policy.buildkite_agent.arn, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"])
    SecretsBucket                         = "apache-arrow-buildkite-secrets-2"
    InstanceTypes                         = "c6a.4xlarge"
    OnDemandPercentage                    = 0
    ImageId                               = "ami-0ff2c60291e139614"
    BootstrapScriptUrl                    = var.buildkite_bootstrap_script_url
  }

  tags = var.default_tags
}
