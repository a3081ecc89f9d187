"""Who knows a name: every definition, use, subclass and mention of it, in one repository or in all of an organisation.

A symbol is asked by its name or by the end of its qualified name; what code shares by strings as it is written:
`STRIPE_KEY`, `/orders/{id}`, `--dry-run`, `orders.total`. Nothing is ranked and nothing is cut, except in what is
said of a change, which says so.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from panlect.code.mentions import KINDS, one_spelling
from panlect.code.packed import definitions_of, mention_key, mentions_of, references_of, symbols_of
from panlect.errors import BadInputError

if TYPE_CHECKING:
    from panlect.change import Change
    from panlect.index.snapshot import Snapshot
    from panlect.index.store import PostgresStore

SCHEMA_VERSION = 1
SYMBOL = "symbol"
_LONGEST = 200
_SHARED = frozenset({"function", "method", "class", "interface", "type", "constant", "field"})
_MOST_NAMES = 50  # of one change that are followed
_MOST_DEFINITIONS = 3
_MOST_FILES = 2000  # that are unpacked for one name of a change
_MOST_SITES = 10_000
_TIMEOUT_MS = 5000  # of the query of one name of a change
_OWN_RECEIVERS = frozenset({"self", "this", "cls"})


class Site(NamedTuple):
    """One place that knows the name. `role`: defines, uses, extends, mentions; `kind`: of the definition, use or
    mention; `within`: the definition around it; `receiver`: the word before the dot of a use.
    """

    repository: str
    commit: str
    path: str
    line: int
    role: str
    kind: str
    within: str
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A name as it is looked for: `name` its last part, `qualifier` what stands before that.

    With a qualifier, a definition counts when its qualified name ends so; a use when the word before its dot is the
    qualifier's last part in any case (`order.total` of `Order.total`), or is self, this or cls inside the qualifier.
    A use of another or of no receiver is left out: what it belongs to is not known. Bases are kept by their last
    name, so what extends is found whatever the qualifier.
    """

    said: str
    name: str
    qualifier: str
    kinds: tuple[str, ...]  # of mentions; those of SYMBOL are symbols

    @staticmethod
    def of(said: str, kind: str = "") -> Asked:
        """Read a name. Raises BadInputError for an empty one or a kind that there is not."""
        said = said.strip()
        if not said or len(said) > _LONGEST:
            raise BadInputError("Nobody can know this name.", fix="Ask for one name of at most 200 letters.")
        known = (SYMBOL, *KINDS)
        if kind and kind not in known:
            raise BadInputError(f"{kind!r} is no kind of name.", fix=f"Use one of {', '.join(known)}.")
        qualifier, _, name = said.rpartition(".")
        return Asked(said, name if name else said, qualifier, (kind,) if kind else known)

    def keys(self) -> list[str]:
        """What an index of names is asked for."""
        own = [self.name] if SYMBOL in self.kinds else []
        return own + [
            mention_key(kind, one_spelling(kind, self.said)) for kind in self.kinds if kind != SYMBOL
        ]


@dataclass(frozen=True, slots=True)
class Known:
    """The answer: every site, by repository, path and line."""

    name: str
    sites: tuple[Site, ...]
    cut: bool = False  # there may be more sites

    @property
    def repositories(self) -> int:
        """In how many repositories the name is known."""
        return len({site.repository for site in self.sites})

    def count(self, role: str) -> int:
        """How many sites of a role there are."""
        return sum(site.role == role for site in self.sites)

    def as_json(self, ms: float) -> dict[str, Any]:
        """The JSON of `panlect who`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "repositories": self.repositories,
            "counts": {role: self.count(role) for role in ("defines", "uses", "extends", "mentions")},
            "sites": [site._asdict() for site in self.sites],
            "ms": round(ms, 1),
        }


def who(snapshots: Mapping[str, Snapshot], said: str, kind: str = "") -> Known:
    """Who knows a name in these repositories. Raises BadInputError for a name that cannot be."""
    asked = Asked.of(said, kind)
    sites: list[Site] = []
    for repository, snapshot in sorted(snapshots.items()):
        for path in _files(snapshot, asked):
            column = snapshot.symbols(path)
            if column is not None:
                sites += _sites(repository, snapshot.commit, path, column, asked)
    return Known(said, tuple(sorted(sites)))


def who_in_organisation(store: PostgresStore, said: str, kind: str = "") -> Known:
    """Who knows a name in the active snapshots of all the organisation's repositories, as `who` says."""
    from panlect.index.snapshots import knowing

    asked = Asked.of(said, kind)
    rows = knowing(store, asked.keys())
    sites = [
        site for row in rows for site in _sites(row.repository, row.commit_sha, row.path, row.symbols, asked)
    ]
    return Known(said, tuple(sorted(sites)))


def timed(known: Known, began: float) -> dict[str, Any]:
    """The JSON of an answer that was begun at `began` of time.perf_counter."""
    return known.as_json((time.perf_counter() - began) * 1000)


def _files(snapshot: Snapshot, asked: Asked) -> list[str]:
    found: set[str] = set()
    if SYMBOL in asked.kinds:
        found.update(snapshot.files_defining(asked.name))
        found.update(snapshot.files_using(asked.name))
        found.update(snapshot.files_extending(asked.name))
    for kind in asked.kinds:
        if kind != SYMBOL:
            found.update(snapshot.files_mentioning(kind, one_spelling(kind, asked.said)))
    return sorted(found)


def _sites(repository: str, commit: str, path: str, column: bytes, asked: Asked) -> Iterator[Site]:
    symbols = symbols_of(column)
    if SYMBOL in asked.kinds:
        definitions = definitions_of(symbols)
        for one in definitions:
            if one.name == asked.name and _is_qualified(one.qualified_name, asked.qualifier):
                yield Site(repository, commit, path, one.start_line, "defines", one.kind, one.parent)
            if asked.name in one.bases:
                yield Site(repository, commit, path, one.start_line, "extends", one.kind, one.qualified_name)
        for use in references_of(symbols).rows(definitions, asked.name):
            if _is_received(use.receiver, use.enclosing, asked.qualifier):
                yield Site(repository, commit, path, use.line, "uses", use.kind, use.enclosing, use.receiver)
    wanted = {(kind, one_spelling(kind, asked.said)) for kind in asked.kinds}
    for mention in mentions_of(symbols):
        if (mention.kind, mention.name) in wanted:
            yield Site(repository, commit, path, mention.line, "mentions", mention.kind, "")


def _is_qualified(qualified: str, qualifier: str) -> bool:
    """Whether a definition's qualified name ends as it was asked for."""
    parent = qualified.rpartition(".")[0]
    return not qualifier or parent == qualifier or parent.endswith(f".{qualifier}")


def _is_received(receiver: str, enclosing: str, qualifier: str) -> bool:
    """Whether a use is one of the qualifier's, as `Asked` says."""
    if not qualifier:
        return True
    if receiver in _OWN_RECEIVERS:
        return f".{qualifier}." in f".{enclosing}."
    return receiver.casefold() == qualifier.rpartition(".")[2].casefold()


# What a change reaches


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one changed name reaches: repositories and call sites outside the changed files."""

    name: str
    repositories: int
    sites: int


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """How far a change reaches, by name, the farthest first; with `cut` at least so far."""

    repositories: int
    sites: int
    names: tuple[Reach, ...]
    cut: bool = False

    def __str__(self) -> str:
        reached = f"{_many(self.repositories, 'repository', 'repositories')}, {_many(self.sites, 'call site', 'call sites')}"
        return f"at least {reached}" if self.cut else reached


def reach_in_organisation(
    store: PostgresStore, repository: str, change: Change, base: Snapshot
) -> BlastRadius:
    """How far a change reaches over all repositories of the organisation; of a name that all know, a part."""
    known = (_reached(store, name, kind) for name, kind in changed_names(change, base))
    own = {path for file in change.files for path in (file.path, file.old_path) if path is not None}
    return blast_radius(known, repository, own)


def _reached(store: PostgresStore, name: str, kind: str) -> Known:
    """As `who_in_organisation`, up to a definition too many, or a bound, which is said."""
    from contextlib import closing

    from psycopg.errors import QueryCanceled

    from panlect.index.snapshots import knowing

    asked = Asked.of(name, kind)
    sites: list[Site] = []
    definitions = 0
    try:
        with closing(knowing(store, asked.keys(), timeout_ms=_TIMEOUT_MS)) as rows:
            for number, row in enumerate(rows):
                if number >= _MOST_FILES or len(sites) >= _MOST_SITES:
                    return Known(name, tuple(sorted(sites)), cut=True)
                found = list(_sites(row.repository, row.commit_sha, row.path, row.symbols, asked))
                sites += found
                definitions += sum(site.role == "defines" for site in found)
                if definitions > _MOST_DEFINITIONS:
                    break  # nothing will be said of it
    except QueryCanceled:
        return Known(name, tuple(sorted(sites)), cut=True)
    return Known(name, tuple(sorted(sites)))


def changed_names(change: Change, base: Snapshot) -> list[tuple[str, str]]:
    """(name, kind) of what others may rely on and the change touches: definitions, and mentions on removed lines."""
    names: dict[tuple[str, str], None] = {}
    for file in change.files:
        if file.old_path is None or file.excluded:
            continue
        for symbol in file.before:
            if symbol.kind in _SHARED and not symbol.qualified_name.rpartition(".")[2].startswith("_"):
                names[symbol.qualified_name.rpartition(".")[2], SYMBOL] = None
        removed = [run for hunk in file.hunks for run in hunk.removed]
        for mention in base.mentions(file.old_path) if removed else ():
            if any(first <= mention.line <= last for first, last in removed):
                names[mention.name, mention.kind] = None
    return list(names)[:_MOST_NAMES]


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def blast_radius(known: Iterable[Known], repository: str, changed_paths: Collection[str]) -> BlastRadius:
    """What is said of each changed name, without the files of the change itself and without definitions."""
    own = set(changed_paths)
    reached: dict[str, list[Site]] = {}
    cut = False
    for one in known:
        if one.count("defines") > _MOST_DEFINITIONS:
            continue  # a name of many things says nothing about this one
        cut = cut or one.cut
        sites = [
            site
            for site in one.sites
            if site.role != "defines" and not (site.repository == repository and site.path in own)
        ]
        if sites:
            reached[one.name] = sites
    every = [site for sites in reached.values() for site in sites]
    names = [
        Reach(name, len({site.repository for site in sites}), len(sites)) for name, sites in reached.items()
    ]
    names.sort(key=lambda one: (-one.repositories, -one.sites, one.name))
    return BlastRadius(len({site.repository for site in every}), len(every), tuple(names), cut)
