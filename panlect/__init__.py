"""Panlect: a reviewer of pull requests that has read the whole repository."""

__version__ = "0.1.0"
