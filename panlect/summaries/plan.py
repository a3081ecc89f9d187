"""First step of summaries: the tree of a commit -> what is described, in which order, and under which keys.

A file's key is made of its content, a directory's of its children's: a commit changes the keys of the files that it
touched and of the directories above them, and no others.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from panlect.code.languages import kind_of
from panlect.index.snapshot import Snapshot
from panlect.index.summaries import Kind, Summary
from panlect.llm import prompts
from panlect.llm.chat import Models, Usage
from panlect.llm.outgoing import may_leave

PROMPTS: Mapping[Kind, str] = {
    "file": "summarize-file",
    "directory": "summarize-directory",
    "repository": "summarize-repository",
}
MOST_CHILDREN = 60  # of a directory that its prompt shows
MOST_CHARACTERS = 20_000  # of a file
_DESCRIBED = ("code", "code-other", "documentation")
_PROMPT_TOKENS, _CHILD_TOKENS, _ANSWER_TOKENS = 330, 130, 120
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Node:
    """Something that is described. `children` are paths, by name; `passes_on`: it holds one directory and nothing else."""

    path: str
    kind: Kind
    key: bytes
    children: tuple[str, ...] = ()
    language: str = ""
    size: int = 0
    passes_on: str = ""

    @property
    def prompt_version(self) -> int:
        """Of the prompt that describes it."""
        return prompts.version(PROMPTS[self.kind])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is described: `levels` in order, files first, each directory after all that it holds.

    `left_out` counts by reason the files that nobody describes.
    """

    model: str
    levels: tuple[tuple[Node, ...], ...]
    left_out: Mapping[str, int]

    @property
    def nodes(self) -> Iterator[Node]:
        """All of them, in order."""
        return (node for level in self.levels for node in level)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model would be asked. `cost_microusd` is None when no price is known."""

    calls: int
    tokens_in: int
    tokens_out: int
    cost_microusd: int | None = None


def plan(snapshot: Snapshot, model: str, below: str = "") -> Plan:
    """What there is to describe of a commit, or of its directory `below`, under the keys of `model`."""
    left_out: Counter[str] = Counter()
    root = below.strip("/")
    files = list(_files(snapshot, model, root, left_out))
    directories = list(_directories(files, model, root))
    by_depth = groupby(directories, key=lambda node: _depth(node.path))
    levels = [tuple(files), *(tuple(nodes) for _, nodes in by_depth)]
    return Plan(model, tuple(level for level in levels if level), dict(left_out.most_common()))


def missing(plan: Plan, known: Mapping[bytes, Summary]) -> list[Node]:
    """What is not described yet, in order."""
    return [node for node in plan.nodes if node.key not in known]


async def estimate(nodes: Iterable[Node], models: Models, role: str, organisation_id: UUID) -> Estimate:
    """What describing these would take: calls, tokens, and what whoever plays `role` takes for them."""
    asked = [node for node in nodes if not node.passes_on]
    usage = Usage(sum(_tokens(node) for node in asked), len(asked) * _ANSWER_TOKENS)
    cost = await models.quote(role, usage, organisation_id) if asked else 0
    return Estimate(len(asked), usage.input_tokens, usage.output_tokens, cost)


def _tokens(node: Node) -> int:
    if node.kind == "file":
        return _PROMPT_TOKENS + min(node.size, MOST_CHARACTERS) // _CHARACTERS_A_TOKEN
    return _PROMPT_TOKENS + _CHILD_TOKENS * min(len(node.children), MOST_CHILDREN)


def _files(snapshot: Snapshot, model: str, root: str, left_out: Counter[str]) -> Iterator[Node]:
    entries = [one for one in snapshot.entries() if not root or one.path.startswith(f"{root}/")]
    snapshot.prefetch("meta", [entry.path for entry in entries])
    for entry in entries:
        reason = _why_not(snapshot, entry.path)
        if reason:
            left_out[reason] += 1
            continue
        meta = snapshot.meta(entry.path)
        assert meta is not None
        version = str(prompts.version(PROMPTS["file"]))
        key = _key("file", entry.blob_sha, meta.language, version, model)
        yield Node(entry.path, "file", key, language=meta.language, size=entry.size)


def _why_not(snapshot: Snapshot, path: str) -> str:
    """Why a file is not described; "" when it is."""
    if not may_leave(path):
        return "named as a file of secrets"
    kind = kind_of(path)
    if kind not in _DESCRIBED:
        return kind
    meta = snapshot.meta(path)
    if meta is None:
        return "not read"
    return meta.skipped or ("generated" if meta.generated else "" if meta.lines else "empty")


def _directories(files: Sequence[Node], model: str, root: str) -> Iterator[Node]:
    """Every directory with something in it, the deepest first, the root last."""
    held: dict[str, dict[str, Node]] = defaultdict(dict)
    for node in files:
        held[_parent(node.path, root)][node.path] = node
        above = _parent(node.path, root)
        while above != root:
            held[_parent(above, root)].setdefault(above, node)  # a place holder: replaced when it is made
            above = _parent(above, root)
    for path in sorted(held, key=lambda path: (-_depth(path), path)):
        kind: Kind = "repository" if not path else "directory"
        children = held[path]
        only = next(iter(children)) if len(children) == 1 else ""
        names = [
            text
            for child in sorted(children)
            for text in (child.rpartition("/")[2], children[child].key.hex())
        ]
        key = _key(kind, *names, str(prompts.version(PROMPTS[kind])), model)
        passes_on = only if kind == "directory" and only in held else ""
        made = Node(path, kind, key, tuple(sorted(children)), passes_on=passes_on)
        if path != root:
            held[_parent(path, root)][path] = made
        yield made


def _parent(path: str, root: str) -> str:
    parent = path.rpartition("/")[0]
    return parent if parent or not root else root


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _key(*parts: str) -> bytes:
    hashed = hashlib.blake2b(digest_size=16, person=b"panlect-summary")
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(4, "big") + encoded)
    return hashed.digest()


def fallback_key(key: bytes) -> bytes:
    """Under which what stands in for a failed summary is kept: the true key stays free for the next try."""
    return _key("fallback", key.hex())
