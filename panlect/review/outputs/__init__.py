"""A stored verdict in the formats that other programs read; each a pure function of it."""
