resource "aws_cloudformation_stack" "latest" {
  name         = "agents-latest"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/latest/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "latest"
    BuildkiteAgentTokenParameterStorePath = "/buildkite/token"
    InstanceTypes                         = "m7g.large"
    CostAllocationTagName                 = "aws:createdBy"
  }
}

resource "aws_cloudformation_stack" "body" {
  name         = "agents-body"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  template_body = jsonencode({
    Description = "Buildkite stack v6.30.0"
    Parameters = {
      for name in ["BuildkiteQueue", "BuildkiteAgentTokenParameterStorePath", "InstanceTypes", "MinSize"] :
      name => { Type = "String", Default = "" }
    }
    Resources = { Role = { Type = "AWS::SSM::Parameter", Properties = { Type = "String", Name = "x", Value = "y" } } }
    Outputs   = { InstanceRoleName = { Value = "x" } }
  })

  parameters = {
    BuildkiteQueue                        = "body"
    BuildkiteAgentTokenParameterStorePath = "/buildkite/token"
    InstanceTypes                         = "m7g.large"
    MinSize                               = 0
  }
}
