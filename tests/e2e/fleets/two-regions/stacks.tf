resource "aws_cloudformation_stack" "west" {
  name         = "agents-linux"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.71.1/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue      = "linux-west"
    BuildkiteAgentToken = var.buildkite_agent_token
    InstanceRoleName    = "agents-linux-west"
    InstanceTypes       = "m6i.large"
    MinSize             = 1
    MaxSize             = 5
    VpcId               = aws_vpc.west.id
    Subnets             = aws_subnet.west.id
    IMDSv2Tokens        = "required"
  }

  tags = { region = "us-west-2" }
}

resource "aws_cloudformation_stack" "east" {
  provider = aws.us_east_1

  name         = "agents-linux"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.71.1/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue      = "linux-east"
    BuildkiteAgentToken = var.buildkite_agent_token
    InstanceRoleName    = "agents-linux-east"
    InstanceTypes       = "m6i.large"
    MinSize             = 0
    MaxSize             = 5
    VpcId               = aws_vpc.east.id
    Subnets             = aws_subnet.east.id
    SecurityGroupIds    = aws_security_group.east.id
    IMDSv2Tokens        = "required"
  }

  tags = { region = "us-east-1" }
}
