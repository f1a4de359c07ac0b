"""Every claim of the paper with a verdict: what is claimed, what was measured, how far off it may be, and why."""
