"""Floors of retrieval, on sources that pip brings and on a history that is made up here.

The floors stand a little under what was measured (bench/results has the figures of real repositories, which CI
cannot fetch). A change that lowers one has to say so.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.context import Answer, answers, mine_cases
from bench.retrieval import quality
from bench.search import DENSE_PACKAGE, corpus_of, judge, package_sources
from panlect.git.repository import Repository
from panlect.git.run import git
from panlect.index.memory import MemoryRepository
from panlect.index.minilm import SentenceModel
from panlect.index.models import BUNDLED, ModelSpec
from panlect.search.dense import MemoryDense

# Measured R@5 of docstring -> function: lexical, and the floor under it.
SEARCH_FLOORS = {"rich": 0.80, "websockets": 0.57, "fastapi": 0.85}


@pytest.mark.parametrize("package", SEARCH_FLOORS)
def test_a_function_is_found_by_its_docstring(package: str) -> None:
    corpus = corpus_of(package, package_sources(package), seed=1, limit=150)
    found = judge(corpus, MemoryRepository().snapshot(corpus.files), None)
    assert found.n >= 50
    assert found.r5 >= SEARCH_FLOORS[package], str(found)


def test_a_function_is_found_by_its_docstring_with_vectors() -> None:
    corpus = corpus_of(DENSE_PACKAGE, package_sources(DENSE_PACKAGE), seed=1, limit=100)
    snapshot = MemoryRepository().snapshot(corpus.files)
    dense = judge(corpus, snapshot, MemoryDense(snapshot, SentenceModel(ModelSpec(BUNDLED))))
    assert dense.r5 >= 0.66, str(dense)


# A history


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What Panlect and plain BM25 say of the commits of an invented shop."""
    git_dir = tmp_path_factory.mktemp("shop") / "shop.git"
    git("init", "-q", "--bare", "-b", "main", str(git_dir))
    repository = Repository(git_dir)
    repository.run("fast-import", "--quiet", stdin="".join(_Shop(seed=7).history(commits=160)).encode())
    return list(answers(repository, mine_cases(repository, seed=1, limit=60)))


def test_the_context_of_a_change_names_what_its_author_changed_too(ranked: list[Answer]) -> None:
    found = quality((one.panlect, one.case.truth) for one in ranked)
    assert found.n >= 50
    assert found.r5 >= 0.70, str(found)


def test_the_context_is_better_than_plain_bm25(ranked: list[Answer]) -> None:
    panlect = quality((one.panlect, one.case.truth) for one in ranked)
    bm25 = quality((one.bm25, one.case.truth) for one in ranked)
    assert panlect.r5 >= bm25.r5 + 0.05, f"panlect {panlect}; bm25 {bm25}"


def test_the_same_history_gives_the_same_cases(tmp_path: Path) -> None:
    git("init", "-q", "--bare", "-b", "main", str(tmp_path))
    repository = Repository(tmp_path)
    repository.run("fast-import", "--quiet", stdin="".join(_Shop(seed=7).history(commits=30)).encode())
    once = mine_cases(repository, seed=3, limit=10)
    assert once == mine_cases(repository, seed=3, limit=10)
    assert once != mine_cases(repository, seed=4, limit=10)


def _words(text: str) -> list[str]:
    return text.split()


_NOUNS = _words("order invoice basket parcel refund coupon address supplier ticket account shipment discount")
_VERBS = _words(
    "create cancel update archive price validate merge export settle split reserve release approve reject assign"
    " notify rank print lock unlock renew expire import forward measure pack weigh route audit pause resume tag"
    " clone draft sign seal count group filter quote"
)
_WORDS = _words("timeout limit retries currency region weight channel locale priority batch")
_COLOURS = _words("amber azure beige coral ivory khaki lilac mauve ochre olive pearl sepia")


@dataclass(slots=True)
class _Shop:
    """A project of a dozen things, each with a model, a store, a view and a test, and its commits.

    Commits change a method with its callers and test, a store with the schema that only history joins to it,
    or a view with a widget that shares no word with it. A folder of reports holds the words of everything and
    never changes: plain BM25 falls for it.
    """

    seed: int
    files: dict[str, str] = field(default_factory=dict)
    verbs: dict[str, list[str]] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)

    def history(self, commits: int) -> Iterator[str]:
        """The input of git fast-import."""
        self.rng.seed(self.seed)
        for noun in _NOUNS:
            self.verbs[noun] = self.rng.sample(_VERBS, 5)
            self.files |= self._founded(noun, self.verbs[noun])
        yield _commit(self.files)
        changes = [self._change_method, self._change_method, self._change_store, self._change_view]
        for _ in range(commits):
            changed = self.rng.choice(changes)(self.rng.choice(_NOUNS))
            self.files |= changed
            yield _commit(changed)

    def _founded(self, noun: str, verbs: list[str]) -> dict[str, str]:
        """The files of one thing."""
        name = noun.capitalize()
        return {
            f"shop/models/{noun}.py": f"class {name}:\n    def __init__(self, key):\n        self.key = key\n"
            + "".join(
                f"\n    def {verb}(self, amount):\n        self.{verb}_state = amount\n        return amount\n"
                for verb in verbs
            ),
            f"shop/stores/{noun}_store.py": f"from shop.models.{noun} import {name}\n\n{name.upper()}S = {{}}\n\n\n"
            f"def load_{noun}(key):\n    return {name.upper()}S.get(key) or {name}(key)\n\n\n"
            f"def save_{noun}({noun}):\n    {name.upper()}S[{noun}.key] = {noun}\n",
            f"shop/views/{noun}_view.py": f"from shop.stores.{noun}_store import load_{noun}\n"
            + "".join(
                f"\n\ndef {verb}_{noun}_view(request):\n    {noun} = load_{noun}(request.key)\n"
                f"    return {noun}.{verb}(request.amount)\n"
                for verb in verbs
            ),
            f"tests/test_{noun}.py": f"from shop.models.{noun} import {name}\n"
            + "".join(f"\n\ndef test_{verb}():\n    assert {name}('k').{verb}(3)\n" for verb in verbs),
            **{
                f"shop/reports/{noun}_{verb}_report.py": f'"""How often each {noun} was asked to {verb}."""\n\n\n'
                f"def {noun}_{verb}_report(rows):\n    # {verb} the {noun}: {verb} state and {verb} amount of a {noun}\n"
                f"    return [({noun}.key, {noun}.{verb}_state, {noun}.amount) for {noun} in rows]\n"
                for verb in verbs
            },
            _step(noun): f"{_colour(noun).upper()} = ['key']\n",
            _panel(noun): f"def draw_{_colour(noun, 1)}(canvas):\n    canvas.{_colour(noun, 1)}_frame()\n",
        }

    def _change_method(self, noun: str) -> dict[str, str]:
        """A method takes one more argument; its view passes it, its test checks it."""
        verb, word = self.rng.choice(self.verbs[noun]), self.rng.choice(_WORDS)
        return {
            **self._replaced(f"shop/models/{noun}.py", f"def {verb}(self, amount", f", {word}=0"),
            **self._replaced(f"shop/views/{noun}_view.py", f".{verb}(request.amount", f", request.{word}"),
            **self._replaced(f"tests/test_{noun}.py", f".{verb}(3", f", {self.rng.randrange(9)}"),
        }

    def _change_store(self, noun: str) -> dict[str, str]:
        """A store keeps one more thing, and the schema has a column of another name."""
        word = f"'{self.rng.choice(_WORDS)}{self.rng.randrange(99)}': 0, "
        column = f"{_colour(noun).upper()}.append('c{self.rng.randrange(999)}')\n"
        return {
            **self._replaced(f"shop/stores/{noun}_store.py", f"{noun.upper()}S = {{", word),
            _step(noun): self.files[_step(noun)] + column,
        }

    def _change_view(self, noun: str) -> dict[str, str]:
        """A view reads one more thing, and a widget with other words draws it."""
        signature = f"def {self.rng.choice(self.verbs[noun])}_{noun}_view(request):\n"
        drawn = f"    canvas.{_colour(noun, 1)}_line({self.rng.randrange(99)})\n"
        return {
            **self._replaced(
                f"shop/views/{noun}_view.py", signature, f"    request.read('{self.rng.choice(_WORDS)}')\n"
            ),
            _panel(noun): self.files[_panel(noun)] + drawn,
        }

    def _replaced(self, path: str, after: str, added: str) -> dict[str, str]:
        """A file with something put in after the first place of some text."""
        assert after in self.files[path]
        return {path: self.files[path].replace(after, after + added, 1)}


def _colour(noun: str, shift: int = 0) -> str:
    return _COLOURS[(_NOUNS.index(noun) + 5 * shift) % len(_COLOURS)]


def _step(noun: str) -> str:
    return f"shop/schema/step_{_NOUNS.index(noun):03}.py"


def _panel(noun: str) -> str:
    return f"shop/widgets/panel_{_NOUNS.index(noun):03}.py"


def _commit(files: Mapping[str, str]) -> str:
    lines = ["commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nm\n"]
    for path, text in files.items():
        lines.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
    return "".join(lines)
