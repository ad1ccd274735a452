resource "aws_cloudformation_stack" "copy" {
  name         = "agents-copy"
  template_url = "https://s3.amazonaws.com/acme-templates/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "copy"
    BuildkiteAgentTokenParameterStorePath = "/buildkite/token"
    CostAllocationTagName                 = "aws:createdBy"
    InstanceTypes                         = "m7g.large"
  }
}

resource "aws_cloudformation_stack" "body" {
  name          = "agents-body"
  template_body = local.template
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "body"
    BuildkiteAgentTokenParameterStorePath = "/buildkite/token"
    InstanceTypes                         = "m7g.large"
    MinSize                               = 0
  }
}
