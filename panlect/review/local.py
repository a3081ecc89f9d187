"""The terminal's way through both journeys: any local repository, no server, no database, no network."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panlect.errors import BadInputError
from panlect.finding import Severity, Side, Verdict, VerdictKind
from panlect.git.history import prior
from panlect.git.repository import Repository, open_repository
from panlect.git.scratch import applied, staged, uncommitted
from panlect.index.analyse import AnalysisRun
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.ledger.steps import MemorySteps
from panlect.review.report import review_json
from panlect.review.run import Subject, review
from panlect.review.select import STANDARD, UNLIMITED, Limits
from panlect.settings import load

if TYPE_CHECKING:
    from rich.console import Console

    from panlect.search.filters import Filters

_log = logging.getLogger(__name__)
MODE = "lexical+graph"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What `panlect review` was asked."""

    repo: Path
    base: str = ""
    head: str = ""
    uncommitted: bool = False
    staged: bool = False
    diff: bytes | None = None  # against the base, instead of a head
    fail_on: str = ""
    strict: bool = False
    limits: Limits = STANDARD


@dataclass(frozen=True, slots=True)
class LocalReview:
    """A verdict with the two revisions it speaks of, to print and to write."""

    verdict: Verdict
    base: Snapshot
    head: Snapshot
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The JSON of `panlect review`."""
        return review_json(self.verdict, mode=MODE, ms=self.seconds * 1000)

    def written(self, name: str) -> str:
        """The review in a format of `outputs.formats`."""
        from panlect.review.outputs.formats import FORMATS

        return FORMATS[name](self.verdict, self.lines)

    def print(self, console: Console) -> None:
        """Findings with code frames, then one honest line."""
        from panlect.review.terminal import print_review

        print_review(console, self.verdict, self.lines, seconds=self.seconds)

    def lines(self, path: str, side: Side) -> list[str]:
        """The lines of a path at one of the two revisions; none where it is not there."""
        snapshot = self.base if side is Side.BASE else self.head
        if not snapshot.exists(path):
            return []
        lines = snapshot.text(path).decode("utf-8", "replace").split("\n")
        return lines[:-1] if lines[-1] == "" else lines


@contextmanager
def review_local(request: ReviewRequest, *, progress: Progress | None = None) -> Iterator[LocalReview]:
    """The review of a local change, with its snapshots open while the block runs.

    Raises BadInputError for a repository or revision that is not there, GitError when git fails.
    """
    severity_named(request.fail_on)  # a wrong flag is said before the work
    began = time.perf_counter()
    repository = open_repository(request.repo)
    with _revisions(repository, request) as (readable, base_sha, head_sha), _cache() as cache:

        async def snapshots(_: Repository, base: str, head: str) -> tuple[Snapshot, Snapshot]:
            return _pair(readable, base, head, cache, progress)

        kept: list[tuple[Snapshot, Snapshot]] = []

        async def remembered(repo: Repository, base: str, head: str) -> tuple[Snapshot, Snapshot]:
            kept.append(await snapshots(repo, base, head))
            return kept[-1]

        verdict = asyncio.run(
            review(Subject(readable, base_sha, head_sha), remembered, MemorySteps(), limits=request.limits)
        )
        yield LocalReview(verdict, *kept[-1], seconds=time.perf_counter() - began)


def exit_code(verdict: Verdict, request: ReviewRequest) -> int:
    """0 fine; 1 a finding at or above --fail-on; 3 could not review; 4 PARTIAL under --strict."""
    if verdict.kind is VerdictKind.FAILED:
        return 3
    threshold = severity_named(request.fail_on)
    if threshold is not None and any(finding.severity.at_least(threshold) for finding in verdict.findings):
        return 1
    return 4 if request.strict and verdict.kind is VerdictKind.PARTIAL else 0


def search_local(
    repos: Sequence[Path],
    rev: str,
    query: str,
    k: int,
    filters: Filters,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The JSON of `panlect search`, over one or several repositories.

    Raises BadInputError for a repository or revision that is not there.
    """
    from panlect.search.query import Searched, answer, answer_many

    if not query.strip():
        raise BadInputError("The query is empty.", fix="Ask for words or names.")
    with _cache() as cache:
        snapshots = _snapshots(repos, rev, cache, progress)
        if len(snapshots) == 1:
            return answer(next(iter(snapshots.values())), query, k, filters=filters)
        return answer_many([Searched(*named) for named in snapshots.items()], query, k, filters)


def index_local(repo: Path, rev: str, *, progress: Progress | None = None) -> dict[str, Any]:
    """The JSON of `panlect index`: read what was never read, and say what became of every file."""
    from panlect.index.report import index_report

    repository = open_repository(repo)
    commit = repository.resolve(rev)
    began = time.perf_counter()
    with _cache() as cache:
        run, named = AnalysisRun(), _named(progress, "analysing")
        snapshot = build_snapshot(repository, commit, cache, progress=named, run=run)
        return index_report(snapshot, run, time.perf_counter() - began)


def who_local(
    repos: Sequence[Path], rev: str, name: str, kind: str = "", *, progress: Progress | None = None
) -> dict[str, Any]:
    """The JSON of `panlect who` over local repositories."""
    from panlect.search.who import timed, who

    began = time.perf_counter()
    with _cache() as cache:
        return timed(who(_snapshots(repos, rev, cache, progress), name, kind), began)


def reach_local(
    repos: Sequence[Path], base: str, head: str, *, progress: Progress | None = None
) -> dict[str, Any]:
    """The JSON of `panlect reach`: who, in all these repositories, relies on what a change of the first one touches."""
    from panlect.change import read_change, with_symbols
    from panlect.search.who import blast_radius, changed_names, who

    changed = open_repository(repos[0])
    request = ReviewRequest(repos[0], base=base, head=head)
    with _revisions(changed, request) as (readable, base_sha, head_sha), _cache() as cache:
        before, after = _pair(readable, base_sha, head_sha, cache, progress)
        change = with_symbols(read_change(readable, base_sha, head_sha), before, after)
        label = _label(repos[0], {})
        others = _snapshots(repos[1:], "HEAD", cache, progress) if len(repos) > 1 else {}
        everywhere = {label: before, **others}
        known = [who(everywhere, name, kind) for name, kind in changed_names(change, before)]
        reach = blast_radius(known, label, [file.path for file in change.files])
        return {"schema_version": 1, "base": base_sha, "head": head_sha, "said": str(reach), **asdict(reach)}


def _snapshots(
    repos: Sequence[Path], rev: str, cache: BlobCache, progress: Progress | None
) -> dict[str, Snapshot]:
    """The snapshot of a revision in each repository, by the repository's short name."""
    found: dict[str, Snapshot] = {}
    for repo in repos:
        repository = open_repository(repo)
        commit = repository.resolve(rev)
        label = _label(repo, found)
        named = _named(progress, f"analysing {label}")
        found[label] = build_snapshot(repository, commit, cache, progress=named)
    return found


def _label(repo: Path, taken: Mapping[str, Snapshot]) -> str:
    """A repository's short name, its whole path where two are named alike."""
    name = repo.resolve().name.removesuffix(".git")
    return str(repo.resolve()) if name in taken else name


def context_local(
    repo: Path,
    base: str,
    head: str,
    diff: Path | None,
    budget: int,
    k: int,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The JSON of `panlect context`, for a head or for a diff against the base."""
    from panlect.change import read_change
    from panlect.context.gather import gather_context

    repository = open_repository(repo)
    if diff is None:
        request = ReviewRequest(repo, base=base, head=head)
        with _revisions(repository, request) as (readable, base_sha, head_sha), _cache() as cache:
            pair = _pair(readable, base_sha, head_sha, cache, progress)
            change, past = read_change(readable, base_sha, head_sha), prior(repository, base_sha)
            return gather_context(change, *pair, budget, history=past).as_json(k)
    base_sha = repository.resolve(base or "HEAD")
    with applied(repository, base_sha, _read(diff)) as (readable, tree), _cache() as cache:
        pair = _pair(readable, base_sha, tree, cache, progress)
        change, past = read_change(readable, base_sha, tree), prior(repository, base_sha)
        return gather_context(change, *pair, budget, history=past).as_json(k)


@contextmanager
def _revisions(repository: Repository, request: ReviewRequest) -> Iterator[tuple[Repository, str, str]]:
    """(repository to read from, merge base, head) of what was asked; found by itself where not said."""
    head_sha = repository.resolve(request.head or "HEAD")
    if request.diff is not None:
        base_sha = repository.resolve(request.base) if request.base else head_sha
        if not request.diff.strip():
            yield repository, base_sha, base_sha  # what `git diff` prints where nothing differs
            return
        with applied(repository, base_sha, request.diff) as (readable, tree):
            yield readable, base_sha, tree
        return
    if request.uncommitted or request.staged:
        base_sha = (
            repository.merge_base(repository.resolve(request.base), head_sha) if request.base else head_sha
        )
        with (staged if request.staged else uncommitted)(repository) as (readable, tree):
            yield readable, base_sha, tree
        return
    base = repository.resolve(request.base or repository.default_base(head_sha))
    yield repository, repository.merge_base(base, head_sha), head_sha


def _pair(
    repository: Repository, base_sha: str, head_sha: str, cache: BlobCache, progress: Progress | None
) -> tuple[Snapshot, Snapshot]:
    said = _named(progress, "analysing")
    base = build_snapshot(repository, base_sha, cache, progress=said)
    return base, build_snapshot(repository, head_sha, cache, base=base, progress=said)


def _cache() -> BlobCache:
    settings = load()
    return BlobCache(settings.cache_dir, max_bytes=settings.cache_max_bytes)


def _named(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)


def limits_named(minimum: str, *, everything: bool) -> Limits:
    """How much is said: from this severity on; all of it, or what a reader takes in. Raises BadInputError."""
    limits = UNLIMITED if everything else STANDARD
    return replace(limits, minimum=severity_named(minimum) or limits.minimum)


def severity_named(name: str) -> Severity | None:
    """The severity of this name, None for "". Raises BadInputError for any other word."""
    if not name:
        return None
    try:
        return Severity(name.upper())
    except ValueError:
        raise BadInputError(f"{name!r} is not a severity.", fix="Use P0, P1, P2 or P3.") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read.", why=str(error), fix="Give the path of a unified diff."
        ) from error
