"""The output: files and the printed summary."""
