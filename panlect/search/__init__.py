"""A query over a snapshot: lexical, dense, structure, rerank."""
