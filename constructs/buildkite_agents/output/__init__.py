"""The files that are written, and what is printed."""
