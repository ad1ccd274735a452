"""The constructs of the Terraform resources and blocks."""
