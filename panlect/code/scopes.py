"""The scope facts of one parsed file, by its language (journey B, read by the checks of A)."""

from __future__ import annotations

import tree_sitter

from panlect.code.facts import FileFacts
from panlect.code.facts_go import go_facts
from panlect.code.facts_python import python_facts
from panlect.code.facts_typescript import typescript_facts


def scope_facts(root: tree_sitter.Node, source: bytes, language: str) -> FileFacts:
    """The scope facts of one parsed file; pure. Raises ValueError for a language that has none."""
    match language:
        case "python":
            return python_facts(root, source)
        case "typescript" | "tsx":
            return typescript_facts(root, source)
        case "go":
            return go_facts(root, source)
    raise ValueError(f"no scope facts for {language}")
