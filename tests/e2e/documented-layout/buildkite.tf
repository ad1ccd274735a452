locals {
  buildkite_stacks = {
    "arm64-t4g-2xlarge-linux" = { queue = "arm64-t4g-2xlarge-linux", arch = "arm64", type = "t4g.2xlarge" }
    "amd64-m5-4xlarge-linux"  = { queue = "amd64-m5-4xlarge-linux", arch = "amd64", type = "m5.4xlarge" }
    "amd64-c6a-4xlarge-linux" = { queue = "amd64-c6a-4xlarge-linux", arch = "amd64", type = "c6a.4xlarge" }
  }
}

resource "aws_s3_bucket" "buildkite_secrets" {
  bucket = "${local.name_prefix}-buildkite-secrets"

  tags = merge(local.common_tags, {
    Name = "${local.name_prefix}-buildkite-secrets"
  })
}

resource "aws_s3_bucket_public_access_block" "buildkite_secrets" {
  bucket = aws_s3_bucket.buildkite_secrets.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "buildkite_secrets" {
  bucket = aws_s3_bucket.buildkite_secrets.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_object" "bootstrap_script" {
  bucket                 = aws_s3_bucket.buildkite_secrets.id
  key                    = "bootstrap/setup_benchmark_machine.sh"
  source                 = "${path.module}/buildkite-bootstrap.sh"
  etag                   = filemd5("${path.module}/buildkite-bootstrap.sh")
  server_side_encryption = "AES256"
}

resource "aws_ssm_parameter" "buildkite_agent_token" {
  name        = "/buildkite/agent-token"
  description = "Buildkite Agent Token for arrow-dev.org organization"
  type        = "SecureString"
  value       = var.buildkite_agent_token

  tags = merge(local.common_tags, {
    Name = "buildkite-agent-token"
  })
}

resource "aws_iam_policy" "buildkite_agent" {
  name        = "${local.name_prefix}-buildkite-agent-policy"
  description = "IAM policy for Buildkite agents"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:ListBucket"]
        Resource = [
          aws_s3_bucket.buildkite_secrets.arn,
          "${aws_s3_bucket.buildkite_secrets.arn}/*",
        ]
      },
      {
        Effect = "Allow"
        Action = [
          "ecr:GetAuthorizationToken",
          "ecr:BatchCheckLayerAvailability",
          "ecr:GetDownloadUrlForLayer",
          "ecr:BatchGetImage",
          "ecr:PutImage",
          "ecr:InitiateLayerUpload",
          "ecr:UploadLayerPart",
          "ecr:CompleteLayerUpload",
        ]
        Resource = "*"
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:*:*:*"
      },
    ]
  })

  tags = local.common_tags
}

resource "aws_cloudformation_stack" "buildkite_agents" {
  for_each = local.buildkite_stacks

  name         = "${local.name_prefix}-buildkite-${each.key}"
  template_url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.21.0/aws-stack.yml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    VpcId                                 = aws_vpc.main.id
    Subnets                               = join(",", aws_subnet.public[*].id)
    BootstrapScriptUrl                    = "s3://${aws_s3_bucket.buildkite_secrets.bucket}/${aws_s3_object.bootstrap_script.key}"
    BuildkiteAgentTokenParameterStorePath = aws_ssm_parameter.buildkite_agent_token.name
    BuildkiteAgentTags                    = "arch=${each.value.arch},os=linux,instance=${replace(each.value.type, ".", "-")}"
    BuildkiteQueue                        = each.value.queue
    ImageId                               = var.buildkite_agent_amis["${each.value.arch}-linux"]
    OnDemandPercentage                    = "100"
    InstanceTypes                         = each.value.type
    InstanceRoleName                      = "${local.name_prefix}-buildkite-${each.key}-role"
    InstanceOperatingSystem               = "linux"
    AgentsPerInstance                     = "1"
    ECRAccessPolicy                       = "full"
    ManagedPolicyARNs                     = "${aws_iam_policy.buildkite_agent.arn},arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    MinSize                               = "0"
    MaxSize                               = "4"
    SecretsBucket                         = aws_s3_bucket.buildkite_secrets.bucket
  }

  tags = merge(local.common_tags, {
    Name  = "${local.name_prefix}-buildkite-${each.key}"
    Queue = each.key
  })

  depends_on = [
    aws_s3_object.bootstrap_script,
    aws_ssm_parameter.buildkite_agent_token,
    aws_iam_policy.buildkite_agent,
  ]
}
