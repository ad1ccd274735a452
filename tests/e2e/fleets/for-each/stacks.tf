locals {
  queues = {
    gpu-1-queue = { queue = "gpu_1_queue", types = "g4dn.xlarge,g4dn.2xlarge", token = "gpu", max = 208 }
    gpu-2-queue = { queue = "gpu_2_queue", types = "g4dn.2xlarge", token = "gpu", max = 4 }
    docs-queue  = { queue = "docs_queue", types = "m5.large", token = "docs", max = 1 }
    build-queue = { queue = "build_queue", types = "c5.4xlarge", token = "build", max = 30 }
  }
}

resource "aws_cloudformation_stack" "bk_queue" {
  for_each = local.queues

  name         = "bk-${each.key}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v5.22.5/aws-stack.yml"
  capabilities = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
  on_failure   = "DELETE"

  parameters = {
    BuildkiteQueue                        = each.value.queue
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.token[each.value.token].name
    InstanceType                          = each.value.types
    MinSize                               = 0
    MaxSize                               = each.value.max
    OnDemandPercentage                    = 0
    ScaleInIdlePeriod                     = 90
    RootVolumeSize                        = 512
    EnableInstanceStorage                 = "true"
    BuildkiteTerminateInstanceAfterJob    = true
    VpcId                                 = module.vpc.vpc_id
    Subnets                               = join(",", module.vpc.public_subnets)
    SecretsBucket                         = ""
  }

  lifecycle {
    ignore_changes = [tags["owner"]]
  }
}

resource "aws_cloudformation_stack" "bk_test" {
  count = 1

  name         = "bk-test"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.71.1/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = "test.queue"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.token["test"].name
    InstanceTypes                         = "t4g.large"
    VpcId                                 = module.vpc.vpc_id
    Subnets                               = module.vpc.public_subnets[0]
  }
}

locals {
  bk_queue = aws_cloudformation_stack.bk_queue
}
