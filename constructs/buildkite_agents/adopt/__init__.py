"""Generate the program for existing Elastic CI Stacks."""
