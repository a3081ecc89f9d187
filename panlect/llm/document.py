"""The models document: TOML in a file, JSON over the API, the same shape in both; read into a ModelTable.

[providers.openai]
kind = "openai"
key = "OPENAI_API_KEY"            # an environment variable, or a file in PANLECT_PROVIDER_KEYS_DIR
[models."openai/gpt-5"]
window = 272000
[roles]
review = ["openai/gpt-5"]
summarize = { chain = ["openai/gpt-5-mini"], cache = true }
[[budgets]]
scope = "pull_request"
limit_usd = 2.0
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from panlect.errors import ConfigurationError
from panlect.llm.table import Budget, Model, ModelTable, Provider, Role, checked

T = TypeVar("T", Provider, Model, Role, Budget)
_SECTIONS = ("providers", "models", "roles", "budgets")
_NOT_WRITTEN = {"name", "shared"}
_LOOKS_SECRET = re.compile(r"sk-|AKIA|ghp_|[A-Za-z0-9_-]{40,}")
_MOST = 200  # entries of a section


def read_file(path: Path) -> ModelTable:
    """The table of a models file. Raises ConfigurationError naming the place and the fix."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"The models file {path} cannot be read.", why=str(error), fix="It is TOML; see docs/models.md."
        ) from None
    return parse(document, shared=True)


def parse(document: Mapping[str, Any], *, shared: bool) -> ModelTable:
    """The table that a document spells. `shared`: it is the operator's file, whose keys all organisations use.

    Raises ConfigurationError naming the first thing that is unknown, of the wrong type, or cannot work.
    """
    _known(document, _SECTIONS, "the models document")
    if not _storable(document):
        raise ConfigurationError(
            "The models document holds a NUL, half a character or a number that is none.", fix="Take it out."
        )
    providers = {
        name: replace(_one(Provider, f"providers.{name}", row, name=name), name=name, shared=shared)
        for name, row in _section(document, "providers").items()
    }
    for provider in providers.values():
        _refuse_key(provider, shared=shared)
    models = {name: _one(Model, f"models.{name}", row) for name, row in _section(document, "models").items()}
    roles = {
        name: _one(Role, f"roles.{name}", _role(row)) for name, row in _section(document, "roles").items()
    }
    listed = document.get("budgets", [])
    if not isinstance(listed, list) or len(listed) > _MOST:
        raise ConfigurationError("budgets is no list.", fix="Write [[budgets]] before each.")
    budgets = tuple(_one(Budget, f"budgets.{at}", row) for at, row in enumerate(listed))
    return ModelTable(providers, models, roles, budgets)


def layered(below: ModelTable, above: ModelTable) -> ModelTable:
    """Both tables as one, checked; what `above` names takes the place of the same in `below`, whole.

    Raises ConfigurationError also when `above` describes a model of a provider of `below`: whoever sets its price
    would set what the operator's budget is counted in.
    """
    for name in above.models:
        if name.partition("/")[0] not in above.providers and name.partition("/")[0] in below.providers:
            raise ConfigurationError(
                f"{name} is a model of the operator's provider.", fix="It is described in the models file."
            )
    return checked(
        ModelTable(
            {**below.providers, **above.providers},
            {**below.models, **above.models},
            {**below.roles, **above.roles},
            # Of two limits for the same thing the lower one holds: an organisation cannot lift the operator's.
            (*below.budgets, *above.budgets),
        )
    )


def above(file: ModelTable, document: Mapping[str, Any]) -> ModelTable:
    """The table of an organisation: its document on top of the operator's file. Raises as `parse` and `layered` do."""
    return layered(file, parse(document, shared=False))


def as_document(table: ModelTable) -> dict[str, Any]:
    """The document that spells this table; what is as by default is left out."""
    return {
        "providers": {name: _written(one) for name, one in table.providers.items()},
        "models": {name: _written(one) for name, one in table.models.items()},
        "roles": {name: _written(one) for name, one in table.roles.items()},
        "budgets": [_written(one) for one in table.budgets],
    }


def _storable(value: Any) -> bool:
    """Whether Postgres can keep it as JSON."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= mark <= "\udfff" for mark in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(_storable(part) for pair in value.items() for part in pair)
    return not isinstance(value, list) or all(map(_storable, value))


def _written(one: Any) -> dict[str, Any]:
    row = asdict(one)
    defaults = {f.name: f.default for f in fields(one)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if name not in _NOT_WRITTEN and (value != defaults[name] or name == "chain")
    }


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping) or len(found) > _MOST:
        raise ConfigurationError(f"{name} is no table of at most {_MOST}.", fix=f"Write [{name}.NAME].")
    return found


def _role(row: Any) -> Any:
    """A role may be spelt by its chain alone."""
    if isinstance(row, str):
        return {"chain": [row]}
    return {"chain": row} if isinstance(row, list) else row


def _one(kind: type[T], place: str, row: Any, **given: Any) -> T:
    if not isinstance(row, Mapping):
        raise ConfigurationError(f"{place} is no table.", fix=f"Write [{place}].")
    _known(row, [f.name for f in fields(kind) if f.name not in _NOT_WRITTEN], place)
    try:
        made: T = TypeAdapter(kind).validate_python({**row, **given})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{place}.{at} is not valid: {first['msg']}.", fix="See docs/models.md."
        ) from None
    return made


def _known(row: Mapping[str, Any], names: Any, place: str) -> None:
    for name in row:
        if name not in names:
            near = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.0)
            raise ConfigurationError(f"Unknown {name!r:.80} in {place}.", fix=f"Did you mean {near[0]}?")


def _refuse_key(provider: Provider, *, shared: bool) -> None:
    if not provider.key:
        return
    if not shared:
        # Else an organisation could send the operator's key to an address of its own.
        raise ConfigurationError(
            f"Provider {provider.name} names a key of the operator.",
            fix="Leave key out, and store the provider's own: PUT /api/v1/models/keys/PROVIDER.",
        )
    if _LOOKS_SECRET.match(provider.key):
        raise ConfigurationError(
            f"The key of provider {provider.name} looks like a secret itself.",
            fix="Write the name of the environment variable, or of the file, that holds it.",
        )
