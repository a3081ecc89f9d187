"""How well the context of a change names the files that its author changed too.

    python -m bench.context --repo PATH [--cases FILE] [--seed N] [--limit N] [--json FILE]

--repo may stand there several times, also as NAME=PATH; with --cases, once.

A case is a base commit, a diff, and the truth: files that a reviewer of this diff should see. With --cases
they are read (JSON lines of base, diff, truth); else they are mined from the history, no network needed:
commits that are no merges and change 2 to 12 source files (files of a language that Panlect reads symbols
of); one modified file with its hunks is the diff, chosen by the seed; the other changed source files that
exist at the base are the truth.

Both sides rank every readable file of the base outside the diff. Plain BM25 gets the added and removed lines,
split at case and stemmed as Panlect's own terms are, each word as often as it stands there; a file counts as
its best chunk. History that Panlect sees ends at the base of each case.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import begin, circumstances, write_result
from bench.retrieval import TUNED_ON, Quality, mean, named, quality
from panlect.change import Change, read_change
from panlect.code.languages import kind_of, language_of
from panlect.code.terms import terms_of
from panlect.context.gather import gather_context
from panlect.errors import BadInputError
from panlect.git.history import co_changes
from panlect.git.repository import Repository, open_repository
from panlect.git.run import Limits
from panlect.git.scratch import applied
from panlect.git.tree import TreeEntry, list_tree
from panlect.index.analyse import analyse_blobs
from panlect.index.memory import MemoryStore
from panlect.index.snapshot import Snapshot
from panlect.search.lexical import Lexical

FEWEST, MOST = 2, 12  # changed source files of a commit that makes a case
_COMMITS = 1500  # of the history are looked at
_BUDGET = 8000  # tokens
_KEPT = 50  # of a ranking
_NEW_ROOT = 0.1  # share of files that differ: then a base is loaded on its own and not as an overlay
_LOG = Limits(seconds=120, output_bytes=256 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Case:
    """One diff against one base, and what should be found."""

    base: str
    diff: str
    truth: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What both sides ranked for a case, the first ones."""

    case: Case
    panlect: tuple[str, ...]
    bm25: tuple[str, ...]


# Where cases come from


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of JSON lines. Raises BadInputError with the number of a line that is none."""
    cases = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            case = Case(row["base"], row["diff"], tuple(row["truth"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"Line {number} of {path} is no case.",
                why=repr(error),
                fix='Write {"base": sha, "diff": text, "truth": [paths]}, one to a line.',
            ) from error
        cases.append(case)
    return cases


def mine_cases(repository: Repository, *, seed: int, limit: int, rev: str = "HEAD") -> list[Case]:
    """At most `limit` cases of the last commits before `rev`, the newest first; one commit makes one case."""
    rng = random.Random(seed)
    commits = list(_commits(repository, repository.resolve(rev)))
    chosen = sorted(rng.sample(range(len(commits)), min(limit, len(commits))))
    return [case for at in chosen if (case := _case(repository, commits[at], rng)) is not None]


@dataclass(frozen=True, slots=True)
class _Commit:
    base: str
    sha: str
    modified: tuple[str, ...]
    truth: tuple[str, ...]  # what exists at the base


def _commits(repository: Repository, head: str) -> Iterator[_Commit]:
    """The commits that make a case: raw rows of `git log`, renames told apart from new files."""
    out = repository.run(
        "log", f"--max-count={_COMMITS}", "--no-merges", "--format=%x01%H %P", "--raw", "--no-abbrev", "-M",
        "-z", head, "--", limits=_LOG,
    )  # fmt: skip
    for block in out.stdout.split(b"\x01")[1:]:
        fields = block.decode("utf-8", "backslashreplace").split("\0")
        shas = fields[0].split()
        if len(shas) != 2:
            continue  # the first commit of all
        modified, truth, count = _changed(fields[1:])
        if FEWEST <= count <= MOST and modified and len(truth) >= FEWEST:
            yield _Commit(shas[1], shas[0], tuple(modified), tuple(truth))


def _changed(fields: Sequence[str]) -> tuple[list[str], list[str], int]:
    """(modified source files, source files that exist before, how many source files differ)."""
    modified: list[str] = []
    before: list[str] = []
    count = 0
    at = 0
    while at < len(fields):
        meta = fields[at].lstrip("\n")
        at += 1
        if not meta.startswith(":"):
            continue
        status = meta.split()[-1][0]
        old = fields[at]
        at += 2 if status in "RC" else 1
        if not is_source(old):
            continue
        count += 1
        if status != "A":
            before.append(old)
        if status == "M":
            modified.append(old)
    return modified, before, count


def is_source(path: str) -> bool:
    """Whether a path counts: people's code in a language whose symbols are read."""
    return language_of(path).queries != () and kind_of(path) in ("code", "code-other")


def _case(repository: Repository, commit: _Commit, rng: random.Random) -> Case | None:
    path = rng.choice(commit.modified)
    truth = tuple(sorted(set(commit.truth) - {path}))
    out = repository.run(
        "diff-tree", "-p", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv",
        commit.base, commit.sha, "--", f":(literal){path}", limits=_LOG,
    )  # fmt: skip
    try:
        diff = out.stdout.decode()
    except UnicodeDecodeError:
        return None  # a case is JSON
    return Case(commit.base, diff, truth) if "\n@@ " in diff and truth else None


# What both sides say


class Bases:
    """Snapshots of many commits of one repository: each blob is analysed once, near commits are overlays."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.store = MemoryStore()
        self.roots = 0  # loaded on their own
        self._reader = repository
        self._root: Snapshot | None = None
        self._blobs: dict[str, str] = {}  # of the root, by path

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """As `index.snapshot.BlobReader` says, from the repository that was read last."""
        return self._reader.read_blobs(shas)

    def snapshot(self, commit: str) -> Snapshot:
        """The snapshot of a commit."""
        entries = self._analysed(self.repository, commit)
        now = {entry.path: entry.blob_sha for entry in entries}
        differing = len(now.items() ^ self._blobs.items())
        if self._root is None or differing > _NEW_ROOT * len(now):
            self._root, self._blobs = Snapshot(commit, entries, self.store, self), now
            self.roots += 1
            return self._root
        return self._root.overlay(commit, entries)

    def head(self, base: Snapshot, readable: Repository, tree: str) -> Snapshot:
        """The snapshot of a tree that only `readable` sees."""
        return base.overlay(tree, self._analysed(readable, tree))

    def _analysed(self, repository: Repository, commit: str) -> Sequence[TreeEntry]:
        self._reader = repository
        entries = list_tree(repository, commit).entries
        analyse_blobs(repository, entries, self.store, workers=0)
        return entries


def answers(repository: Repository, cases: Sequence[Case]) -> Iterator[Answer]:
    """What Panlect and plain BM25 rank for each case. Raises BadInputError for a diff that does not apply."""
    bases = Bases(repository)
    for case in cases:
        with opened(bases, case) as (change, base, head):
            lexical = Lexical(head)
            history = co_changes(repository, base.commit)
            context = gather_context(change, base, head, _BUDGET, lexical, history=history)
            plain = plain_bm25(lexical, case.diff, {file.path for file in change.files})
        yield Answer(case, tuple(file.path for file in context.files[:_KEPT]), tuple(plain[:_KEPT]))


@contextmanager
def opened(bases: Bases, case: Case) -> Iterator[tuple[Change, Snapshot, Snapshot]]:
    """The change of a case with its snapshots."""
    base_sha = bases.repository.resolve(case.base)
    base = bases.snapshot(base_sha)
    with applied(bases.repository, base_sha, case.diff.encode()) as (readable, tree):
        head = bases.head(base, readable, tree)
        yield read_change(readable, base_sha, tree), base, head


def plain_bm25(lexical: Lexical, diff: str, changed: Collection[str]) -> list[str]:
    """Every file outside the diff by BM25 of the added and removed lines, as its best chunk; best first."""
    rows = [line[1:] for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    scores = lexical.scores(
        {term: float(times) for term, times in Counter(terms_of("\n".join(rows))).items()}
    )
    numbers, paths = lexical.files()
    best = np.zeros(len(paths))
    np.maximum.at(best, numbers, scores)
    ranked = sorted((-score, path) for score, path in zip(best.tolist(), paths, strict=True) if score > 0)
    return [path for _, path in ranked if path not in changed]


# The report


def run(repositories: Mapping[str, Path], cases_file: Path | None, seed: int, limit: int) -> dict[str, Any]:
    """Measure each of these repositories, and the means of those that the weights were not chosen on."""
    start = begin()
    rows = [measure(name, path, cases_file, seed, limit) for name, path in repositories.items()]
    untouched = [row for row in rows if not row.tuned_on]
    return {
        **circumstances(start),
        "task": "one file of a commit -> the other source files of the commit",
        "budget_tokens": _BUDGET,
        "seed": None if cases_file else seed,
        "repositories": [row.as_json() for row in rows],
        "mean_of_untouched": {
            "repositories": [row.name for row in untouched],
            "panlect": mean([row.panlect for row in untouched]).as_json(),
            "bm25": mean([row.bm25 for row in untouched]).as_json(),
        },
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """One repository."""

    name: str
    cases: int
    bases: int
    seconds: float
    panlect: Quality
    bm25: Quality

    @property
    def tuned_on(self) -> bool:
        """Whether the weights were chosen looking at it."""
        return self.name in TUNED_ON

    def as_json(self) -> dict[str, Any]:
        """As it stands in the result."""
        return {
            "name": self.name,
            "tuned_on": self.tuned_on,
            "cases": self.cases,
            "bases": self.bases,
            "seconds": round(self.seconds, 1),
            "panlect": self.panlect.as_json(),
            "bm25": self.bm25.as_json(),
        }


def measure(name: str, path: Path, cases_file: Path | None, seed: int, limit: int) -> Measured:
    """The cases of one repository, read or mined."""
    began = time.perf_counter()
    repository = open_repository(path)
    cases = read_cases(cases_file) if cases_file else mine_cases(repository, seed=seed, limit=limit)
    found = list(answers(repository, cases))
    return Measured(
        name,
        len(cases),
        len({case.base for case in cases}),
        time.perf_counter() - began,
        quality((one.panlect, one.case.truth) for one in found),
        quality((one.bm25, one.case.truth) for one in found),
    )


def main() -> None:
    """Print what was measured, the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repo", action="append", required=True, help="a git repository with its history")
    parser.add_argument("--cases", type=Path, help="JSON lines of base, diff, truth")
    parser.add_argument("--seed", type=int, default=1, help="which cases are mined")
    parser.add_argument("--limit", type=int, default=150, help="how many cases are mined at most")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    if options.cases and len(options.repo) > 1:
        parser.error("--cases are those of one --repo")
    result = run(named(options.repo), options.cases, options.seed, options.limit)
    write_result(options.json, result)
    calibration = result["calibration_ms"]
    print(f"calibration {calibration['before']} ms before, {calibration['after']} ms after")
    for row in result["repositories"]:
        print(f"{row['name']}: {row['cases']} cases on {row['bases']} bases in {row['seconds']} s")
        for side in ("bm25", "panlect"):
            print(f"{row['name']:<12} {side:<8} {_line(row[side])}")
    if len(result["repositories"]) > 1:
        mean_row = result["mean_of_untouched"]
        for side in ("bm25", "panlect"):
            print(f"{'mean of ' + ', '.join(mean_row['repositories'])} {side:<8} {_line(mean_row[side])}")


def _line(figures: Mapping[str, Any]) -> str:
    return f"R@5 {figures['R@5']:.3f} R@10 {figures['R@10']:.3f} MRR {figures['MRR']:.3f} (n={figures['n']})"


if __name__ == "__main__":
    main()
