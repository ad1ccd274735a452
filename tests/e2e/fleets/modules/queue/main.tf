variable "vpc_id" {
  type = string
}

variable "queue" {
  type = string
}

variable "tags" {
  type = map(string)
}

resource "aws_subnet" "own" {
  vpc_id     = var.vpc_id
  cidr_block = "10.0.9.0/24"
}

resource "aws_cloudformation_stack" "this" {
  name         = "ci-production-${var.queue}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v5.22.5/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    BuildkiteQueue                        = var.queue
    BuildkiteAgentTokenParameterStorePath = "/ci/token"
    InstanceType                          = "t4g.large"
    VpcId                                 = var.vpc_id
    Subnets                               = aws_subnet.own.id
  }

  tags = var.tags
}

output "name" {
  value = aws_cloudformation_stack.this.name
}

output "subnet_id" {
  value = aws_subnet.own.id
}

resource "aws_cloudwatch_metric_alarm" "busy" {
  alarm_name          = "${aws_cloudformation_stack.this.name}-busy"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  metric_name         = "RunningJobsCount"
  namespace           = "Buildkite"
  period              = 300
  statistic           = "Maximum"
  threshold           = 10
}
