"""Code hosts: their dialects as bytes to types and types to requests, and the one file that calls them."""
