"""The docstring task: nothing of a docstring is left in the sources, and every line stays where it was."""

from __future__ import annotations

import ast

import pytest

from bench.search import (
    Corpus,
    Question,
    corpus_of,
    first_sentence,
    judge,
    package_sources,
    without_docstrings,
)
from panlect.index.memory import MemoryRepository

SOURCE = '''"""Module words.

More of them.
"""
import os


class Shop:
    """Class words."""

    def capture(self, order):
        """Charge the card of an order. Then more."""
        return order

    def only(self):
        """Nothing but a docstring stands here."""

    async def wait(self): """Wait until the parcel arrives."""; return 1


def plain(text="no docstring"):
    return """a string that stays"""


def short():
    """Too short."""
    return 1
'''


def test_docstrings_go_and_lines_stay() -> None:
    left = without_docstrings(SOURCE, ast.parse(SOURCE))
    assert "words" not in left and "Charge" not in left and "arrives" not in left
    assert "a string that stays" in left and "no docstring" in left
    assert len(left.splitlines()) == len(SOURCE.splitlines())
    tree = ast.parse(left)
    places = {node.name: node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert places == {"capture": 11, "only": 15, "plain": 21, "short": 25}


def test_text_that_is_not_ascii_is_cut_at_the_right_place() -> None:
    source = 'def f(é="ü"): "ñandú ö"; return "ß"\n'
    assert without_docstrings(source, ast.parse(source)) == 'def f(é="ü"): ; return "ß"\n'.replace(
        ": ;", ": pass;"
    )


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Charge the card. Then more.", "Charge the card."),
        ("Charge\n    the card\n\nMore.", "Charge the card"),
        ("Use v1.2 of it. More.", "Use v1.2 of it."),
        ("Is it? Yes.", "Is it?"),
        ("", ""),
    ],
)
def test_the_first_sentence_is_one_line(docstring: str, sentence: str) -> None:
    assert first_sentence(docstring) == sentence


def test_questions_are_about_functions_with_enough_words() -> None:
    corpus = corpus_of(
        "shop", {"shop.py": SOURCE, "broken.py": "def (", "tests/test_shop.py": SOURCE}, seed=1, limit=9
    )
    assert sorted(question.text for question in corpus.questions) == [
        "Charge the card of an order.",
        "Nothing but a docstring stands here.",
        "Wait until the parcel arrives.",
    ]
    assert set(corpus.files) == {"shop.py", "tests/test_shop.py"}
    assert {question.path for question in corpus.questions} == {"shop.py"}


def test_a_seed_names_a_sample() -> None:
    sources = {f"m{n}.py": f'def f{n}():\n    """The sentence number {n} is here."""\n' for n in range(30)}
    one, again, other = (corpus_of("m", sources, seed=seed, limit=5).questions for seed in (1, 1, 2))
    assert one == again != other
    assert len(one) == 5


def test_a_hit_is_right_when_it_shares_lines_with_the_function() -> None:
    files = {
        "a.py": "def capture_order(order):\n    return order\n",
        "b.py": "def circle(radius):\n    return radius\n",
    }
    right, wrong = Question("capture an order", "a.py", 1, 2), Question("capture an order", "b.py", 1, 2)
    snapshot = MemoryRepository().snapshot(files)
    assert judge(Corpus("c", files, (right,)), snapshot, None).mrr == 1.0
    assert judge(Corpus("c", files, (wrong,)), snapshot, None).r10 == 0.0


def test_the_sources_of_a_package_are_its_modules() -> None:
    assert "rich/console.py" in package_sources("rich")
