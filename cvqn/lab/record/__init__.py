"""Certified results: recording, releasing, restoring, verifying and comparing them."""
