"""Postgres: pool, migrations, named queries, the embedded server."""
