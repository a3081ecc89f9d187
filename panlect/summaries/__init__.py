"""File -> directory -> repository: what code is about, in a few lines, addressed by content."""
