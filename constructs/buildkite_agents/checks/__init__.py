"""What is refused and what is warned of, before anything is synthesized. Without CDKTF."""
