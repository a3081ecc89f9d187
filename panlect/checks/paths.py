"""What a path says about a file: a test, somebody else's code, sample input of a test."""

from __future__ import annotations

import re

_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|spec|e2e|runtime-tests)/"
    r"|(?:^|/)(?:test_[^/]*\.py|[^/]*_test\.(?:py|go)|conftest\.py)\Z"
    r"|\.(?:test|spec|test-d)\.[cm]?tsx?\Z"
)
_FOREIGN = re.compile(r"(?:^|/)(?:vendor|node_modules|third_party|site-packages|_vendor|\.yarn)/")
_SAMPLE = re.compile(r"(?:^|/)(?:fixtures?|testdata|samples?|__snapshots__|snapshots|golden|cassettes)/")
_DATA = re.compile(r"\.(?:json|jsonl|ya?ml|csv|tsv|txt|xml|html?|md|dat|in|out|snap)\Z", re.IGNORECASE)
_TRANSLATION = re.compile(
    r"(?:^|/)(?:locales?|i18n|l10n|translations?|lang|langs)/|\.(?:po|pot|xlf|xliff|arb|strings)\Z"
)
_PROSE = re.compile(r"\.(?:md|mdx|rst|txt|adoc|html?|tex)\Z", re.IGNORECASE)


def is_test(path: str) -> bool:
    """Whether the file is a test or belongs to tests."""
    return bool(_TEST.search(path))


def is_foreign(path: str) -> bool:
    """Whether the file was copied in from another project."""
    return bool(_FOREIGN.search(path))


def is_sample(path: str) -> bool:
    """Whether the file is input or expected output of a test, which may be broken on purpose."""
    return bool(_SAMPLE.search(path)) or (is_test(path) and bool(_DATA.search(path)))


def is_translation(path: str) -> bool:
    """Whether the file holds text in human languages, where direction marks are ordinary."""
    return bool(_TRANSLATION.search(path))


def is_prose(path: str) -> bool:
    """Whether the file is written for people to read."""
    return bool(_PROSE.search(path))
