"""Every setting, read once from the environment into one frozen object.

Names are `PANLECT_<FIELD>`; a secret can be given as `PANLECT_<FIELD>_FILE`, a path to read it from.
An unknown `PANLECT_*` name is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from panlect.errors import ConfigurationError

PREFIX = "PANLECT_"


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/panlect")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "panlect"


def _default_cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "panlect"


class Settings(BaseSettings):
    """What an operator can decide. Read with `load()`, then passed as an argument, never looked up again."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Where the embedded Postgres, mirrors and keys live.",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir, description="Where the terminal keeps its blob cache."
    )
    cache_max_bytes: int = Field(
        2 * 1024**3, ge=0, description="Size at which the blob cache drops its oldest rows."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "PANLECT_DATABASE_URL"),
        description="Postgres to use (15+, with pgvector 0.8+). Unset: the embedded one is started.",
    )
    app_database_url: SecretStr | None = Field(None, description="A login of its own for the tenant role.")
    system_database_url: SecretStr | None = Field(None, description="A login of its own for the system role.")
    queue_database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("QUEUE_DATABASE_URL", "PANLECT_QUEUE_DATABASE_URL"),
        description="Postgres of the queue's listeners, when they must not go through a connection pooler.",
    )
    pg_bindir: Path | None = Field(
        None,
        validation_alias=AliasChoices("PG_BINDIR", "PANLECT_PG_BINDIR"),
        description="Directory of initdb, pg_ctl and postgres, in place of the packaged binaries.",
    )
    pool_size: int = Field(8, ge=1, le=200, description="Connections each process may hold.")
    secret_key: SecretStr | None = Field(
        None,
        description="Keys for secrets at rest, newest first, comma separated (32 bytes each, base64). "
        "Unset: a key file in the data directory, made at first start.",
    )
    host: str = Field("127.0.0.1", description="Address the web server binds to.")
    port: int = Field(8000, ge=1, le=65535, description="Port of web, API and webhooks.")
    public_url: str = Field("", description="Address under which people and code hosts reach this server.")
    dashboard_port: int = Field(
        8265, ge=1, le=65535, description="Port of the Ray dashboard (loopback only)."
    )
    forge_port: int = Field(8400, ge=1, le=65535, description="Port of the sandbox forge.")
    ray_token: SecretStr | None = Field(
        None, description="Token of the Ray cluster. Unset: made at first start."
    )
    bootstrap_token: SecretStr | None = Field(
        None, description="Sign-in token of the first administrator. Unset: made at first start and printed."
    )
    egress_allow: tuple[str, ...] = Field(
        (),
        description="Hosts or host:port with private addresses that may be called all the same (JSON list).",
    )
    models_file: Path | None = Field(
        None, description="Models, roles and budgets of everyone (TOML). Unset: none, and everything says so."
    )
    provider_keys_dir: Path | None = Field(
        None,
        description="Folder with one file a provider key, mounted where the gateway runs and nowhere else.",
    )
    model_bodies_kept_s: float = Field(
        7 * 86400.0, ge=0, description="Seconds that requests and answers of models are kept; 0 keeps none."
    )
    egress_proxy: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PANLECT_EGRESS_PROXY", "HTTPS_PROXY"),
        description="Proxy of outgoing calls to models: http(s)://[user:password@]host:port.",
    )
    egress_no_proxy: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias=AliasChoices("PANLECT_EGRESS_NO_PROXY", "NO_PROXY"),
        description="Hosts, .suffixes or networks that are called without the proxy (JSON list, or comma separated).",
    )
    egress_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that are trusted beside the system's; SSL_CERT_FILE replaces those.",
    )
    webhook_max_bytes: int = Field(26 * 1024**2, ge=1024, description="Largest webhook body that is read.")
    lease_s: float = Field(
        30.0, gt=0, description="Seconds after which the work of a silent worker is resumed."
    )
    sweep_s: float = Field(5.0, gt=0, description="Seconds between two sweeps for lost work.")
    grace_s: float = Field(25.0, ge=0, description="Seconds that work in progress gets when a worker stops.")
    crash_limit: int = Field(3, ge=1, description="Crashes of one run before it ends as FAILED(crash).")
    worker_concurrency: int = Field(
        2, ge=1, le=256, description="Runs one worker process works on at a time."
    )
    bulk_threshold: int = Field(
        200, ge=0, description="Changed files above which an index run becomes a Ray job."
    )
    bulk_limit: int = Field(2, ge=1, description="Ray jobs that may index at the same time.")
    bulk_timeout_s: float = Field(
        3600.0, gt=0, description="Seconds after which a bulk indexing job is stopped."
    )
    embed_model: str = Field(
        "bundled",
        description="Embedding model: `bundled` (MiniLM), `hashing`, `qwen3` (for GPUs), a model folder, the id of a "
        "model in this machine's cache, or `endpoint:MODEL`.",
    )
    embed_dimension: int = Field(0, ge=0, le=4000, description="Numbers of a vector. 0: the model's own.")
    embed_query_prompt: str = Field("", description="What the embedding model wants before a query.")
    embed_document_prompt: str = Field("", description="What the embedding model wants before code.")
    embed_url: str = Field(
        "",
        description="OpenAI-compatible address of `endpoint:` models, the gateway's included (ends in /v1).",
    )
    embed_token: SecretStr | None = Field(None, description="Bearer token for PANLECT_EMBED_URL.")
    summarize_in_flight: int = Field(
        8, ge=1, le=256, description="Requests that summarising one repository has open at a time."
    )
    snapshots_kept: int = Field(
        20, ge=1, le=1000, description="Snapshots of a repository that are kept beside the active one."
    )
    collect_after_s: float = Field(
        7200.0,
        ge=0,
        description="Seconds before a snapshot, or what none holds, may be collected; never less than a bulk index takes.",
    )
    log_level: str = Field("INFO", description="Least severe level that is logged.")
    log_json: bool = Field(True, description="One JSON object a line; false for plain text.")
    faults: str = Field("", description="Fault points for tests: name:action:nth, comma separated.")

    @field_validator("egress_no_proxy", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """NO_PROXY is comma separated everywhere else, our own lists are JSON: both are read."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())

    def reveal(self, name: str) -> str | None:
        """The clear text of a secret setting, or None when it is unset."""
        value = getattr(self, name)
        return value.get_secret_value() if isinstance(value, SecretStr) else None


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of this process. Raises ConfigurationError naming the setting and the fix."""
    environ = os.environ if environ is None else environ
    _refuse_unknown(environ)
    values = {**_from_files(environ), **overrides}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigurationError(
            f"Setting {variable(name)} is not valid: {first['msg']}.",
            fix="`panlect config show` lists every setting with its meaning.",
        ) from None


def variable(field: str) -> str:
    """The environment variable of a field (or of one of its aliases)."""
    for name, info in Settings.model_fields.items():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices) and field in (name, *alias.choices):
            return str(alias.choices[0])
    return PREFIX + field.upper()


def known_variables() -> frozenset[str]:
    """Every variable that is understood, those with _FILE included."""
    names: set[str] = set()
    for name, info in Settings.model_fields.items():
        own = {PREFIX + name.upper()}
        if isinstance(info.validation_alias, AliasChoices):
            own |= {str(choice) for choice in info.validation_alias.choices}
        names |= own
        if is_secret(name):
            names |= {f"{variable_name}_FILE" for variable_name in own}
    return frozenset(names)


def is_secret(field: str) -> bool:
    """Whether a field holds a secret: masked when shown, readable from a file."""
    return "SecretStr" in str(Settings.model_fields[field].annotation)


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = known_variables()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.0)
            raise ConfigurationError(
                f"Unknown setting {name}.", fix=f"Did you mean {near[0]}?" if near else ""
            )


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Values of `..._FILE` variables, by the name pydantic-settings expects."""
    found: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        if not is_secret(field):
            continue
        alias = info.validation_alias
        names = (
            [str(c) for c in alias.choices] if isinstance(alias, AliasChoices) else [PREFIX + field.upper()]
        )
        for name in names:
            path = environ.get(f"{name}_FILE")
            if path and name not in environ:
                found[str(alias.choices[0]) if isinstance(alias, AliasChoices) else field] = _read(
                    name, Path(path)
                )
    return found


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{name}_FILE cannot be read.",
            why=f"{path}: {type(error).__name__}",
            fix="Check the path and its rights.",
        ) from None


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value with secrets masked, meaning) of every setting, for `panlect config show`."""
    rows = []
    for name, info in Settings.model_fields.items():
        value = getattr(settings, name)
        text = ("****" if value else "") if is_secret(name) else str(value if value is not None else "")
        rows.append((variable(name), text, info.description or ""))
    return rows
