output "buildkite_secrets_bucket" {
  value = aws_s3_bucket.buildkite_secrets.bucket
}

output "buildkite_agent_queues" {
  value = [for name, stack in local.buildkite_stacks : stack.queue]
}

output "buildkite_stack_names" {
  value = { for queue, stack in aws_cloudformation_stack.buildkite_agents : queue => stack.name }
}
