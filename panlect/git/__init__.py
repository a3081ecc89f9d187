"""git, hardened: repositories that are only read, and mirrors that are only fetched."""
