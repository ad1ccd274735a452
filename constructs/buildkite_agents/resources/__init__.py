"""What Terraform makes, a file for each thing."""
