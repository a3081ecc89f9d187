"""Ray Data: bulk indexing."""
