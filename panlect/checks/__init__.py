"""Findings without a model."""
