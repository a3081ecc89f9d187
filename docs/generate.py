"""Write docs/reference from the code: settings, commands, routes, tables, JSON. `python -m docs.generate`.

Needs no database, and the same code always gives the same pages; a test compares them with what is there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from docs.json_shapes import SCHEMAS, Schema
from panlect.rules.config import RepositoryConfig
from panlect.rules.config import schema as repository_schema
from panlect.settings import Settings, is_secret, variable

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
MIGRATIONS = ROOT / "panlect" / "db" / "migrations"
_MADE = "<!-- Made by `make docs` from the code: change it there. -->"
# Defaults that depend on who starts the program, in words.
_COMPUTED = {
    "data_dir": "`/var/lib/panlect` for root, else `$XDG_DATA_HOME/panlect`",
    "cache_dir": "`$XDG_CACHE_HOME/panlect`",
}
_EXIT_CODES = (
    (0, "fine"),
    (1, "a finding as severe as `--fail-on`, or more"),
    (2, "usage: a flag, a path or a revision that cannot be"),
    (3, "could not review"),
    (4, "PARTIAL, under `--strict`"),
)


def generated() -> dict[str, str]:
    """File name in docs/reference -> its text."""
    pages: dict[str, Callable[[], str]] = {
        "settings.md": settings_page,
        "commands.md": commands_page,
        "routes.md": routes_page,
        "tables.md": tables_page,
        "json.md": json_page,
        "panlect-toml.md": repository_page,
    }
    written = {name: f"{_MADE}\n{page().rstrip()}\n" for name, page in pages.items()}
    settings = json.dumps(repository_schema(), indent=2) + "\n"
    schemas = {f"{name}.schema.json": _schema_file(name) for name in SCHEMAS}
    return written | schemas | {"panlect-toml.schema.json": settings}


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    return "\n".join([_row(*head), _row(*("---" for _ in head)), *(_row(*row) for row in rows)])


def settings_page() -> str:
    """Every environment variable with its default and meaning."""
    return (
        "# Settings\n\nRead once, at the start, from the environment. A name that begins with `PANLECT_` and is not"
        " listed here is an error that names the nearest known one. A secret can also be given as"
        " `<variable>_FILE`, a path to read it from. `panlect config show` prints the values in force.\n\n"
        + _table(("variable", "default", "meaning"), _settings())
    )


def _settings() -> Iterator[tuple[str, ...]]:
    for name, info in Settings.model_fields.items():
        default = _COMPUTED[name] if info.default_factory else _value(info.default)
        secret = " Secret." if is_secret(name) else ""
        yield f"`{variable(name)}`", default, f"{info.description}{secret}"


def _value(default: object) -> str:
    if default is None or default in ("", ()):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def repository_page() -> str:
    """Every key of panlect.toml by section, and the checks."""
    from panlect.review.severity import WEIGHTS

    tables = repository_schema()["$defs"]
    names = {"ReviewSection": "[review]", "PathsSection": "[paths]", "FiltersSection": "[filters]"}
    return "\n\n".join(
        [
            f"# panlect.toml\n\n{RepositoryConfig.__doc__} How to write one:"
            " [configuration](../how-to/configuration.md). For editors: `panlect-toml.schema.json`.",
            *(
                f"## `{shown}`\n\n{tables[name]['description']}\n\n"
                + _table(("key", "default", "meaning"), _keys(tables[name]))
                for name, shown in (names | {"Override": "[[paths.override]]"}).items()
            ),
            '## `[checks]`\n\nA check\'s name = `"on"`, `"off"` or `"summary"` (in the summary, on no line): '
            + ", ".join(f"`{check}`" for check in sorted(WEIGHTS))
            + ".",
        ]
    )


def _keys(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, key in table["properties"].items():
        default = f"`{json.dumps(key['default'])}`" if key.get("default") is not None else ""
        yield f"`{name}`", default, key["description"]


def commands_page() -> str:
    """The terminal's commands with their options, and the exit codes."""
    import typer

    from panlect.cli import app

    root = cast(Any, typer.main.get_command(app))
    codes = _table(("exit code", "means"), ((str(code), meaning) for code, meaning in _EXIT_CODES))
    return "\n\n".join(
        [
            f"# Commands\n\n{root.help}\n\nText goes to standard output, progress and errors to standard error."
            " An error is three lines: what, why, fix; `--debug` adds the traceback.",
            codes,
            *(section for name, command in root.commands.items() for section in _commands(name, command)),
        ]
    )


def _commands(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for inner, each in command.commands.items():
            yield from _commands(f"{name} {inner}", each)
        return
    arguments = "".join(f" <{p.name}>" for p in command.params if p.param_type_name == "argument")
    options = [p for p in command.params if p.param_type_name == "option"]
    yield f"## `panlect {name}{arguments}`\n\n{command.help}"
    if command.params:
        yield _table(("option", "default", "meaning"), (_option(p) for p in (*_arguments(command), *options)))


def _arguments(command: Any) -> Iterator[Any]:
    return (p for p in command.params if p.param_type_name == "argument")


def _option(parameter: Any) -> tuple[str, ...]:
    shown = f"<{parameter.name}>" if parameter.param_type_name == "argument" else parameter.opts[0]
    words = f"{shown} {parameter.metavar}" if parameter.metavar else shown
    default = parameter.show_default if isinstance(parameter.show_default, str) else ""
    if not default and parameter.default not in (None, "", False):
        default = f"`{parameter.default}`"
    return f"`{words}`", default, parameter.help or ""


def routes_page() -> str:
    """Every route of both applications, with the scope that it asks for."""
    from panlect.wiring import Services
    from serve.app import edge, gateway

    nothing = cast(Services, None)
    return "\n\n".join(
        [
            "# Routes\n\nA scope includes the ones before it: read, write, admin. Send the token as"
            " `Authorization: Bearer <token>`; pages take the cookie that signing in sets. Machine-readable:"
            " `/api/openapi.json`.",
            "## Web, API and webhooks (`/`)",
            _table(("method", "path", "scope", "what it does"), _routes(edge(nothing))),
            "## Model gateway (`/llm`)",
            _table(("method", "path", "scope", "what it does"), _routes(gateway(nothing))),
        ]
    )


def _routes(app: Any) -> Iterator[tuple[str, ...]]:
    from fastapi.routing import iter_route_contexts

    for route in iter_route_contexts(app.routes):
        path, endpoint = str(getattr(route, "path", "")), getattr(route, "endpoint", None)
        if endpoint is None or path == "/api/openapi.json":
            continue
        scopes = sorted(
            {scope for call in _calls(getattr(route, "dependant", None)) if (scope := _scope(call))}
        )
        said = (endpoint.__doc__ or "").strip().splitlines()
        for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
            yield method, f"`{path}`", ", ".join(scopes) or "open", said[0] if said else ""


def _scope(call: Any) -> str:
    return str(getattr(call, "scope", ""))


def _calls(dependant: Any) -> Iterator[Any]:
    for inner in dependant.dependencies if dependant else ():
        yield inner.call
        yield from _calls(inner)


def tables_page() -> str:
    """Every table that our migrations make, with its columns and the words that stand above them."""
    parts = [
        "# Tables\n\nSchema `panlect`; the queue's own tables are Procrastinate's, in schema `queue`. Every table"
        " is under forced row level security: a transaction sees the rows of one organisation. The migrations are the"
        " truth: `panlect/db/migrations/`."
    ]
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        found = list(_tables(migration.read_text()))
        if found:
            parts.append(
                f"## {migration.name}\n\n{migration.read_text().splitlines()[0].removeprefix('-- ')}"
            )
            parts += [
                f"### `{name}`\n\n" + _table(("column", "type", "about"), iter(columns))
                for name, columns in found
            ]
    return "\n\n".join(parts)


_CREATE = re.compile(r"^create table (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_ADD = re.compile(r"^alter table (\w+) add column (\w+) ([^;]+);", re.MULTILINE)
_COLUMN = re.compile(r"^    (\w+) ([^\n]+?),?$")
_NOT_COLUMNS = frozenset({"primary", "unique", "foreign", "check", "constraint", "exclude", "references"})


def _tables(migration: str) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    for match in _CREATE.finditer(migration):
        yield match[1], list(_columns(match[2]))
    for match in _ADD.finditer(migration):
        yield f"{match[1]} (more)", [(f"`{match[2]}`", f"`{match[3]}`", "")]


def _columns(body: str) -> Iterator[tuple[str, ...]]:
    about: list[str] = []
    for line in body.splitlines():
        if line.strip().startswith("--"):
            about.append(line.strip().removeprefix("--").strip())
            continue
        column = _COLUMN.match(line)
        if column and column[1] not in _NOT_COLUMNS:
            yield f"`{column[1]}`", f"`{' '.join(column[2].split())}`", " ".join(about)
        about = []


def json_page() -> str:
    """Every field of the JSON that programs may rely on."""
    parts = [
        "# JSON\n\n`--json FILE` writes it, `--json -` prints it, the API answers it. Fields may be added;"
        " `schema_version` is raised when one changes its meaning or goes. Lines count from 1 and are inclusive."
    ]
    for name, schema in SCHEMAS.items():
        parts.append(
            f"## {name}\n\n{schema['description']} Schema: [{name}.schema.json]({name}.schema.json)."
        )
        parts.append(_table(("field", "type", "meaning"), _fields(schema)))
    return "\n\n".join(parts)


def _fields(schema: Schema, prefix: str = "") -> Iterator[tuple[str, ...]]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name, field in properties.items():
        inner = field.get("items", field)
        path = f"{prefix}{name}" + ("[]" if "items" in field else "")
        yield f"`{path}`", _type(field), str(field.get("description", ""))
        yield from _fields(inner, f"{path}.")


def _type(field: Schema) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(word)}`" if word is None else f"`{word}`" for word in field["enum"])
    kind = field["type"]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _schema_file(name: str) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"panlect {name}",
        **SCHEMAS[name],
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every page; remove what is no longer made."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    pages = generated()
    for stale in sorted({path.name for path in REFERENCE.iterdir()} - set(pages)):
        (REFERENCE / stale).unlink()
    for name, text in pages.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    print(f"docs/reference: {len(pages)} files", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
