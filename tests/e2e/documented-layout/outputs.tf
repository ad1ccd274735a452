output "buildkite_secrets_bucket" {
  value = aws_s3_bucket.buildkite_secrets.bucket
}

output "buildkite_agent_queues" {
  value = keys(local.buildkite_queues)
}

output "buildkite_stack_names" {
  value = { for queue in keys(local.buildkite_queues) : queue => "${local.name_prefix}-buildkite-${queue}" }
}
