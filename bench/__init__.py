"""Benchmarks: each prints its figure last and commits its results."""
