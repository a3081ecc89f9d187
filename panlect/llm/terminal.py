"""What `panlect models` prints: the models file as this terminal reads it."""

from __future__ import annotations

from typing import Any

from panlect.llm.chat import ROLES
from panlect.llm.document import as_document
from panlect.llm.store import file_table
from panlect.settings import load

SCHEMA_VERSION = 1


def shown() -> dict[str, Any]:
    """The JSON of `panlect models show`. Raises ConfigurationError when the file is not valid."""
    path = load().models_file
    table = file_table(path)
    return {
        "schema_version": SCHEMA_VERSION,
        "file": str(path or ""),
        "roles": {role: [choice.name for choice in table.chain(role)] for role in ROLES},
        "budgets": [{"period": "total", **budget} for budget in as_document(table)["budgets"]],
    }
