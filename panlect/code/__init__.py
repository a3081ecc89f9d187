"""One blob, one parse: chunks, symbols, terms and scope facts. Pure."""
