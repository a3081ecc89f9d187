"""What the base revision's `panlect.toml` means for one change; a broken one is said in the coverage ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from panlect.change import Change, ChangedFile
from panlect.errors import ConfigurationError
from panlect.finding import Candidate, HunkCoverage, Severity, Side
from panlect.git.tree import SUBMODULE, SYMLINK
from panlect.index.snapshot import Snapshot
from panlect.review.severity import WEIGHTS
from panlect.rules.config import (
    FILE,
    MAX_BYTES,
    STANDARD,
    About,
    Mode,
    RepositoryConfig,
    effective,
    left_out,
    parse,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that hold; why the file could not be taken; why the whole change is not reviewed."""

    config: RepositoryConfig = STANDARD
    broken: str = ""
    refused: str = ""

    @property
    def row(self) -> HunkCoverage | None:
        """A broken file in the ledger: as something unread, so that no check is green over settings that do not hold."""
        if not self.broken:
            return None
        reason = f"{self.broken} The standard settings were used."
        return HunkCoverage(FILE, 1, 1, Side.BASE, "configuration", "unread", reason)

    def excluded(self, file: ChangedFile) -> str:
        """Why a file is not reviewed, or "". A file that moves is left out when both of its paths are."""
        if self.refused:
            return self.refused
        paths = [path for path in (file.old_path, file.new_path) if path]
        reasons = [effective(self.config, path).excluded.value for path in paths]
        return reasons[-1] if reasons and all(reasons) else ""

    def silenced(self, candidate: Candidate, change: Change) -> str:
        """Why nothing is said of a claim, or ""."""
        file = change.file(candidate.path, candidate.side)
        here = effective(self.config, candidate.path)
        if reason := self.excluded(file) if file else here.excluded.value:
            return reason
        if here.mode(candidate.check) is Mode.OFF:
            return f"off: {here.checks[candidate.check].source}"
        return ""

    def least(self, candidate: Candidate) -> Severity:
        """The severity from which something is said where the claim stands."""
        return effective(self.config, candidate.path).min_severity.value

    def only_in_summary(self, candidate: Candidate) -> bool:
        """Whether a claim takes no line of the change."""
        return effective(self.config, candidate.path).mode(candidate.check) is Mode.SUMMARY


NO_RULES = Rules()


def read_rules(base: Snapshot, about: About | None, lines: int) -> Rules:
    """The rules of the base revision for a change of so many lines; `about` is None where no host was asked."""
    try:
        config = _config(base)
    except ConfigurationError as error:
        return Rules(broken=str(error))
    rules = Rules(config)
    return replace(rules, refused=left_out(config, about, lines)) if about is not None else rules


def _config(base: Snapshot) -> RepositoryConfig:
    entry = base.entry(FILE)
    if entry is None:
        return STANDARD
    if entry.mode in (SUBMODULE, SYMLINK):
        raise ConfigurationError(f"{FILE} is not a regular file.")
    if entry.size > MAX_BYTES:
        raise ConfigurationError(f"{FILE}: it is larger than {MAX_BYTES // 1024} KiB.")
    text = base.text(FILE)
    if len(text) != entry.size:
        raise ConfigurationError(f"{FILE} cannot be read: its object is missing or damaged.")
    return parse(text, WEIGHTS.keys())
