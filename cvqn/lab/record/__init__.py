"""What was run, from what, and how to check it."""
