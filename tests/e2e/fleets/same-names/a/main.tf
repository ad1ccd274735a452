resource "aws_cloudformation_stack" "ci" {
  name         = "a-ci"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = { BuildkiteQueue = "ci", BuildkiteAgentTokenParameterStorePath = "/t" }
}
