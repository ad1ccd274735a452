"""The checks that run before synthesis, in plain Python: errors and warnings."""
