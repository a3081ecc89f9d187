"""The truth about work: runs, steps, coverage."""
