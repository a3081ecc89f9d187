"""Journey A: a change becomes a verdict."""
