"""Journey B: blobs become analyses, analyses become an immutable snapshot."""
