"""Which files: what speaks for one, and what an opinion about many of them is worth."""

from __future__ import annotations

from collections.abc import Callable

from panlect.context.gather import Context

Gather = Callable[..., Context]


def _score_of_a_copy(gathered: Gather, copies: int) -> float:
    files = {f"panels/p{n}.py": f"def draw{n}(canvas):\n    canvas.frame({n})\n" for n in range(copies)}
    files["views/order.py"] = "def show(request):\n    return request\n"
    changed = {**files, "panels/p1.py": "def draw1(canvas):\n    canvas.frame(1)\n    canvas.line(4)\n"}
    (score,) = [file.score for file in gathered(files, changed).files if file.path == "panels/p0.py"]
    return score


def test_one_of_many_copies_counts_less_than_the_only_one(gathered: Gather) -> None:
    assert _score_of_a_copy(gathered, 12) < 0.6 * _score_of_a_copy(gathered, 2)


def test_code_alone_leads_to_its_test_and_a_test_to_the_code(gathered: Gather) -> None:
    files = {
        "shop/pay.py": "def capture(order):\n    return order\n",
        "shop/card.py": "def other(order):\n    return order\n",
        "tests/test_pay.py": "from shop.pay import capture\n\n\ndef test_it():\n    assert capture(1)\n",
        "tests/test_card.py": "def test_it():\n    assert 1\n",
    }
    of_code = gathered(files, {**files, "shop/pay.py": "def capture(order, key):\n    return order\n"})
    assert of_code.files[0].path == "tests/test_pay.py"
    changed = files["tests/test_pay.py"].replace("capture(1)", "capture(1, 2)")
    assert gathered(files, {**files, "tests/test_pay.py": changed}).files[0].path == "shop/pay.py"


def test_files_of_the_same_folder_are_the_last_resort(gathered: Gather) -> None:
    files = {"a/one.py": "x = 1\n", "a/two.py": "yy = 2\n", "b/three.py": "zz = 3\n"}
    found = gathered(files, {**files, "a/one.py": "x = 4\n"}).files
    assert [file.path for file in found] == ["a/two.py"]
    assert found[0].score >= 0


def test_scores_fall_and_equal_ones_stand_by_path(gathered: Gather) -> None:
    files = {f"m{n}.py": "def capture(order):\n    return order\n" for n in range(5)}
    found = gathered(files, {**files, "m2.py": "def capture(order):\n    return order + 1\n"}).files
    assert [file.score for file in found] == sorted((file.score for file in found), reverse=True)
    assert [file.path for file in found] == ["m0.py", "m1.py", "m3.py", "m4.py"]
