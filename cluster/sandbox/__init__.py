"""A small GitHub-compatible forge over real git repositories."""
