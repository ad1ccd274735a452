resource "aws_cloudformation_stack" "ci" {
  name         = "root-ci"
  template_url = local.template
  capabilities = local.capabilities
  parameters   = { BuildkiteQueue = "a", BuildkiteAgentTokenParameterStorePath = "/t", MaxSize = 5 }
}

resource "aws_cloudformation_stack" "swap" {
  count        = 1
  name         = "swap-x"
  template_url = local.template
  capabilities = local.capabilities
  parameters   = { BuildkiteQueue = "paws", BuildkiteAgentTokenParameterStorePath = "/t" }
}

resource "aws_cloudformation_stack" "paws" {
  count        = 1
  name         = "paws-x"
  template_url = local.template
  capabilities = local.capabilities
  parameters   = { BuildkiteQueue = "swap", BuildkiteAgentTokenParameterStorePath = "/t" }
}
