"""The documentation, and what writes its reference part from the code."""
