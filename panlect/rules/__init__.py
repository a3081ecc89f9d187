"""What a repository's owners decided about its reviews: read from the base revision, never from the change."""
