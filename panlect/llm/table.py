"""Which models there are and who plays which role: a frozen table, read from a file, the database, or nothing.

A chain is asked in order. An entry is `provider/model`, or `role:NAME`, which stands for the chain of that role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args
from urllib.parse import urlsplit

from panlect.egress import spelt
from panlect.errors import ConfigurationError, EgressRefusedError
from panlect.llm.chat import ROLES

Kind = Literal["openai", "anthropic", "bedrock", "azure", "gemini", "compatible"]
KINDS: tuple[str, ...] = get_args(Kind)
# Who nobody was named for is played by the reviewer. Not summarize: it reads everything, which nobody asked to pay for.
_PLAYED_BY_REVIEW = ("review-deep", "verify", "triage", "ask", "reply", "memory")
NEEDS_URL = ("azure", "compatible")
_URL = "Write it as https://host/v1."
_OF_PROVIDER = {"concurrency": (0, 10_000), "tokens_per_minute": (0, 1e9), "gpu_usd_per_hour": (0, 100_000)}
_OF_MODEL = {
    "window": (0, 1e8), "input_usd": (0, 1e6), "cached_usd": (0, 1e6), "output_usd": (0, 1e6), "tokens_per_second": (0.01, 1e6)
}  # fmt: skip
_OF_ROLE = {"max_tokens": (1, 1e7), "timeout_s": (1, 3600), "temperature": (0, 2), "hedge_after_s": (0, 3600)}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where models are asked. `key` names a secret (an environment variable, or a file of the gateway's folder);
    a key that was entered over the API lies encrypted in the database instead.

    `concurrency` and `tokens_per_minute` hold over all replicas; 0 is no limit. `gpu_usd_per_hour` prices a
    self-hosted one by the seconds that it works.
    """

    name: str
    kind: Kind
    url: str = ""
    key: str = ""
    region: str = ""  # of Bedrock
    api_version: str = ""  # of Azure, when its address has none
    concurrency: int = 0
    tokens_per_minute: int = 0
    gpu_usd_per_hour: float = 0.0
    shared: bool = True  # from the file: one account for all organisations


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of one model beyond its name. Prices in US dollars a million tokens, None: the offline table's."""

    json_schema: bool = True
    tools: bool = True
    window: int = 0  # tokens of prompt and answer together; 0: not known
    input_usd: float | None = None
    cached_usd: float | None = None
    output_usd: float | None = None
    tokens_per_second: float = 30.0  # of output, to estimate the GPU seconds of a self-hosted one


@dataclass(frozen=True, slots=True)
class Role:
    """Who plays a role and how it is asked. `degrade_to`: the role to go on with when the budget is spent."""

    chain: tuple[str, ...] = ()
    temperature: float | None = None
    max_tokens: int = 4096
    timeout_s: float = 120.0
    cache: bool = False  # the same request is answered from the record
    hedge_after_s: float = 0.0  # ask the next in the chain too when nothing came by then; 0: never
    degrade_to: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent at most, in US dollars: on each pull request, on each repository, or by the organisation."""

    scope: Literal["pull_request", "repository", "organisation"]
    limit_usd: float
    period: Literal["total", "month", "day"] = "total"

    @property
    def limit_microusd(self) -> int:
        """The limit in millionths of a dollar."""
        return int(self.limit_usd * 1_000_000)


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a chain, looked up."""

    provider: Provider
    model: str
    facts: Model

    @property
    def name(self) -> str:
        """As a chain spells it."""
        return f"{self.provider.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class ModelTable:
    """Everything that is configured for one organisation."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()

    def role(self, name: str) -> Role:
        """How `name` is asked: a role's settings, or the default ones for a role that is not named and for one model."""
        found = self.roles.get(name) or Role(chain=("role:review",) if name in _PLAYED_BY_REVIEW else ())
        deep = name == "review-deep" and not found.degrade_to
        return replace(found, degrade_to="review") if deep else found

    def chain(self, name: str) -> tuple[Choice, ...]:
        """Who is asked for a role or a `provider/model`, in order; () when nobody is."""
        if "/" in name:
            return (self._choice(name),)
        return tuple(self._spelt_out(name, ()))

    def _spelt_out(self, role: str, seen: tuple[str, ...]) -> list[Choice]:
        if role in seen:
            raise ConfigurationError(
                f"The roles {' -> '.join((*seen, role))} go in a circle.", fix="End a chain with a model."
            )
        found: list[Choice] = []
        for entry in self.role(role).chain:
            if entry.startswith("role:"):
                chosen = self._spelt_out(entry.removeprefix("role:"), (*seen, role))
            else:
                chosen = [self._choice(entry)]
            found += [one for one in chosen if one.name not in {before.name for before in found}]
        return found

    def _choice(self, name: str) -> Choice:
        provider_name, _, model = name.partition("/")
        provider = self.providers.get(provider_name)
        if provider is None or not _MODEL.fullmatch(model):
            raise ConfigurationError(
                f"There is no model {name[:100]!r}.",
                fix=f"Use provider/model with one of the providers {', '.join(sorted(self.providers)) or '(none)'}.",
            )
        return Choice(provider, model, self.models.get(name, Model()))


def checked(table: ModelTable) -> ModelTable:
    """The table when it can work. Raises ConfigurationError naming the first thing that cannot."""
    for name, provider in table.providers.items():
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name[:80]!r} is no provider's name.", fix="Use small letters, digits, - and _."
            )
        if provider.kind not in KINDS:
            raise ConfigurationError(
                f"Provider {name} has the kind {provider.kind!r}.", fix=f"Use one of {', '.join(KINDS)}."
            )
        if provider.kind in NEEDS_URL and not provider.url:
            raise ConfigurationError(f"Provider {name} needs an address.", fix="Give its url.")
        _address(name, provider)
        _bounded(f"providers.{name}", provider, _OF_PROVIDER)
    for name, model in table.models.items():
        _bounded(f"models.{name}", model, _OF_MODEL)
    for budget in table.budgets:
        _bounded(f"the budget of each {budget.scope}", budget, {"limit_usd": (0, 1e9)})
    for name, role in table.roles.items():
        _bounded(f"roles.{name}", role, _OF_ROLE)
        for entry in role.chain:
            if entry.startswith("role:") and entry.removeprefix("role:") not in ROLES:
                raise ConfigurationError(
                    f"There is no role {entry[5:85]!r}, which {name} names.",
                    fix=f"Use one of {', '.join(ROLES)}.",
                )
    for name in table.roles:
        if name not in ROLES:
            raise ConfigurationError(
                f"There is no role {name[:80]!r}.", fix=f"Use one of {', '.join(ROLES)}."
            )
    for name in ROLES:
        table.chain(name)
        _ladder(table, name)
    return table


def _bounded(place: str, one: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raises ConfigurationError for a number that nothing good can come of: a negative price pays budgets back."""
    for name, (least, most) in bounds.items():
        value = getattr(one, name)
        if value is not None and not least <= value <= most:  # a NaN is neither
            raise ConfigurationError(
                f"{name} of {place} is {value}.", fix=f"Give a number from {least:g} to {most:g}."
            )


def _address(name: str, provider: Provider) -> None:
    """Raises ConfigurationError for an address that is none, or that would show a secret to whoever reads it."""
    if not provider.url:
        return
    try:
        parts = urlsplit(provider.url)
        spelt(provider.url)
    except (EgressRefusedError, ValueError) as error:
        raise ConfigurationError(
            f"The url of provider {name} is no address.", why=str(error), fix=_URL
        ) from None
    if parts.fragment or (parts.query and provider.kind != "azure"):
        raise ConfigurationError(f"The url of provider {name} has a query.", fix="Give the key as a key.")


def _ladder(table: ModelTable, role: str) -> Sequence[str]:
    """The role and those that it degrades to. Raises ConfigurationError for an unknown one or a circle."""
    steps = [role]
    while further := table.role(steps[-1]).degrade_to:
        if further not in ROLES or further in steps:
            raise ConfigurationError(
                f"Role {steps[-1]} cannot degrade to {further[:80]!r}.", fix="Name a cheaper role."
            )
        steps.append(further)
    return steps


def ladder(table: ModelTable, role: str) -> Sequence[str]:
    """`role`, then what it degrades to, in order."""
    return [role] if "/" in role else _ladder(table, role)
