"""What a Python change breaks, and where the checks keep silent."""

from __future__ import annotations

import pytest

from panlect.finding import Side

CORE = "def capture(amount):\n    return amount\n\n\ndef keep():\n    return 1\n"
GONE = "def keep():\n    return 1\n"
PACKAGE = {"pay/__init__.py": "", "pay/core.py": CORE}

# (name, files of the base, what the head changes, check, place of the first broken use)
BREAKS = [
    (
        "a removed function is still imported",
        {**PACKAGE, "shop.py": "from pay.core import capture\n\ncapture(1)\n"},
        {"pay/core.py": GONE},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a renamed function is still imported",
        {**PACKAGE, "shop.py": "from pay.core import capture\n"},
        {"pay/core.py": CORE.replace("capture", "collect")},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a function moved to another module is still imported from the old one",
        {**PACKAGE, "shop.py": "from pay.core import capture\n"},
        {"pay/core.py": GONE, "pay/ledger.py": "def capture(amount):\n    return amount\n"},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a removed function is still imported relatively",
        {**PACKAGE, "pay/shop.py": "from .core import capture\n"},
        {"pay/core.py": GONE},
        "import-missing",
        ("pay/shop.py", 1),
    ),
    (
        "a removed function is still passed on by the package",
        {**PACKAGE, "pay/__init__.py": "from .core import capture\n"},
        {"pay/core.py": GONE},
        "import-missing",
        ("pay/__init__.py", 1),
    ),
    (
        "an import inside a function names what is gone",
        {**PACKAGE, "shop.py": "def buy():\n    from pay.core import capture\n    return capture(1)\n"},
        {"pay/core.py": GONE},
        "import-missing",
        ("shop.py", 2),
    ),
    (
        "a re-export was taken away",
        {**PACKAGE, "pay/__init__.py": "from .core import capture\n", "shop.py": "from pay import capture\n"},
        {"pay/__init__.py": "from .core import keep\n"},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a module was deleted",
        {**PACKAGE, "shop.py": "import pay.core\n"},
        {"pay/core.py": None},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a new import names a file that was never added",
        {**PACKAGE, "pay/shop.py": "x = 1\n"},
        {"pay/shop.py": "from . import ledger\n\nx = ledger\n"},
        "import-missing",
        ("pay/shop.py", 1),
    ),
    (
        "a name stopped coming through a star",
        {**PACKAGE, "shop.py": "from pay.core import *\n\n\ndef buy():\n    return capture(1)\n"},
        {"pay/core.py": GONE},
        "name-unresolved",
        ("shop.py", 5),
    ),
    (
        "a package no longer passes on a module's names",
        {**PACKAGE, "pay/__init__.py": "from .core import *\n", "shop.py": "from pay import capture\n"},
        {"pay/__init__.py": "x = 1\n"},
        "import-missing",
        ("shop.py", 1),
    ),
    (
        "a star's __all__ lost a name",
        {
            **PACKAGE,
            "pay/core.py": "__all__ = ['capture', 'keep']\n" + CORE,
            "shop.py": "from pay.core import *\n\n\ndef buy():\n    return capture(1)\n",
        },
        {"pay/core.py": "__all__ = ['keep']\n" + CORE},
        "name-unresolved",
        ("shop.py", 5),
    ),
    (
        "a removed function is still read off the module",
        {**PACKAGE, "shop.py": "from pay import core\n\n\ndef buy():\n    return core.capture(1)\n"},
        {"pay/core.py": GONE},
        "member-missing",
        ("shop.py", 5),
    ),
    (
        "a removed function is still read off a dotted import",
        {**PACKAGE, "shop.py": "import pay.core\n\n\ndef buy():\n    return pay.core.capture(1)\n"},
        {"pay/core.py": GONE},
        "member-missing",
        ("shop.py", 5),
    ),
    (
        "a removed function is still read off an aliased module",
        {**PACKAGE, "shop.py": "import pay.core as c\n\n\ndef buy():\n    return c.capture(1)\n"},
        {"pay/core.py": GONE},
        "member-missing",
        ("shop.py", 5),
    ),
    (
        "a package in src lost a function",
        {
            "src/pay/__init__.py": "",
            "src/pay/core.py": CORE,
            "tests/test_pay.py": "from pay.core import capture\n",
        },
        {"src/pay/core.py": GONE},
        "import-missing",
        ("tests/test_pay.py", 1),
    ),
    (
        "a helper was removed and its own file still calls it",
        {"a.py": "def helper():\n    return 1\n\n\ndef use():\n    return helper()\n"},
        {"a.py": "def use():\n    return helper()\n"},
        "name-unresolved",
        ("a.py", 2),
    ),
    (
        "a parameter was renamed and the body was not",
        {"a.py": "def use(interval):\n    x = 1\n    return interval + x\n"},
        {"a.py": "def use(seconds):\n    x = 1\n    return interval + x\n"},
        "name-unresolved",
        ("a.py", 3),
    ),
    (
        "an import was removed but not its use",
        {"a.py": "import re\n\n\ndef use(s):\n    return re.match('a', s)\n"},
        {"a.py": "def use(s):\n    return re.match('a', s)\n"},
        "name-unresolved",
        ("a.py", 2),
    ),
    (
        "a new line uses a name that never existed",
        {"a.py": "def use():\n    return 1\n"},
        {"a.py": "def use():\n    return comment_id\n"},
        "name-unresolved",
        ("a.py", 2),
    ),
    (
        "a name inside an f-string is undefined",
        {"a.py": "def use():\n    return 1\n"},
        {"a.py": "def use():\n    return f'{comment_id}'\n"},
        "name-unresolved",
        ("a.py", 2),
    ),
    (
        "an undefined name is hidden by a handler of everything else",
        {"a.py": "def use():\n    return 1\n"},
        {"a.py": "def use():\n    try:\n        return lost\n    except ValueError:\n        return 1\n"},
        "name-unresolved",
        ("a.py", 3),
    ),
]


@pytest.mark.parametrize(
    ("base", "head", "check", "use"), [row[1:] for row in BREAKS], ids=[r[0] for r in BREAKS]
)
def test_a_change_breaks_a_use_when(review, base, head, check, use):
    (found,) = review(base, head)
    assert found.check == check
    assert (found.related[0].path, found.related[0].start_line) == use
    quote = found.evidence[0]
    assert quote.side is Side.HEAD
    assert quote.quote == {**base, **head}[quote.path].split("\n")[quote.start_line - 1]


DEF = "def send(to, body):\n    return to, body\n"
CALLER = "from mail import send\n\n\ndef notify(x):\n    return send(x, 'hi')\n"

MISFITS = [
    ("a required parameter was added", DEF, DEF.replace("body)", "body, key)"), CALLER, "needs `key`"),
    ("a required keyword was added", DEF, DEF.replace("body)", "body, *, key)"), CALLER, "needs `key`"),
    ("a parameter was removed", DEF, "def send(to):\n    return to\n", CALLER, "fewer arguments"),
    (
        "a keyword was renamed",
        DEF,
        "def send(to, text):\n    return to, text\n",
        CALLER.replace("'hi'", "body='hi'"),
        "needs `text`",
    ),
    (
        "an optional keyword was removed",
        "def send(to, body=''):\n    return to\n",
        "def send(to):\n    return to\n",
        CALLER.replace("'hi'", "body='hi'"),
        "no longer takes the keyword `body`",
    ),
    (
        "a parameter became positional only",
        DEF,
        "def send(to, body, /):\n    return to, body\n",
        CALLER.replace("'hi'", "body='hi'"),
        "no longer takes the keyword `body`",
    ),
    (
        "a default was taken away",
        "def send(to, body=''):\n    pass\n",
        DEF,
        CALLER.replace(", 'hi'", ""),
        "`body`",
    ),
    ("the function is async", "async " + DEF, "async " + DEF.replace("body)", "body, key)"), CALLER, "`key`"),
    (
        "the decorator keeps the signature",
        "from functools import cache\n\n\n@cache\n" + DEF,
        "from functools import cache\n\n\n@cache\n" + DEF.replace("body)", "body, key)"),
        CALLER,
        "`key`",
    ),
    (
        "the caller reads it off the module",
        DEF,
        DEF.replace("body)", "body, key)"),
        "import mail\n\n\ndef notify(x):\n    return mail.send(x, 'hi')\n",
        "`key`",
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "caller", "said"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS]
)
def test_a_call_no_longer_fits_when(review, before, after, caller, said):
    (found,) = review({"mail.py": before, "app.py": caller}, {"mail.py": after})
    assert found.check == "call-mismatch"
    assert said in found.title
    assert [(place.path, place.start_line) for place in found.related] == [("app.py", 5)]
    assert found.path == "mail.py"
    assert {evidence.side for evidence in found.evidence} == {Side.BASE, Side.HEAD}


METHOD = "class Store:\n    def put(self, key):\n        return key\n\n    def fill(self):\n        return self.put(1)\n"
METHODS = [
    (
        "a method of the same class",
        {"a.py": METHOD},
        {"a.py": METHOD.replace("self, key)", "self, key, ttl)")},
    ),
    (
        "an inherited method of another file",
        {
            "base.py": "class Base:\n    def put(self, key):\n        return key\n",
            "a.py": "from base import Base\n\n\nclass Store(Base):\n    def fill(self):\n        return self.put(1)\n",
        },
        {"base.py": "class Base:\n    def put(self, key, ttl):\n        return key\n"},
    ),
    (
        "a class method",
        {"a.py": METHOD.replace("    def", "    @classmethod\n    def")},
        {
            "a.py": METHOD.replace("    def", "    @classmethod\n    def").replace(
                "self, key)", "self, key, ttl)"
            )
        },
    ),
]


@pytest.mark.parametrize(("base", "head"), [row[1:] for row in METHODS], ids=[row[0] for row in METHODS])
def test_a_call_through_self_no_longer_fits(review, base, head):
    (found,) = review(base, head)
    assert found.check == "call-mismatch"
    assert found.title.startswith("`put()` now needs `ttl`")


def _silent(name, base, head, renamed=None):
    return pytest.param(base, head, renamed, id=name)


USE_SELF = (
    "class A:\n    def run(self):\n        return self.go(1)\n\n    def go(self, x):\n        return x\n"
)

LOCAL_CLASSES = """\
def f():
    class C:
        def m(self, x): self.m(1)


def g():
    class C:
        def m(self, x): pass
"""

SILENT = [
    _silent(
        "an example has the name of an installed package",
        {"examples/pydantic/__init__.py": "", "examples/pydantic/tasks.py": "", "b.py": "x = 1\n"},
        {
            "examples/pydantic/tasks.py": "from pydantic import BaseModel\n",
            "b.py": "from pydantic import BaseModel\n",
        },
    ),
    _silent(
        "the signature was unknown in the base",
        {"mail.py": "@wrap\n" + DEF, "b.py": CALLER},
        {"mail.py": DEF.replace("body)", "body, key)")},
    ),
    _silent(
        "the name was broken in the base already", {"a.py": "print(lost)\n"}, {"a.py": "x = 1\nprint(lost)\n"}
    ),
    _silent(
        "the broken code only moved",
        {"a.py": "def f():\n    return lost\n", "b.py": ""},
        {"a.py": "", "b.py": "def f():\n    return lost\n"},
    ),
    _silent(
        "the enclosing function was renamed around a problem of the base",
        {"a.py": "def f():\n    return lost\n"},
        {"a.py": "def g():\n    return lost\n"},
    ),
    _silent(
        "every use was changed together with the definition",
        {**PACKAGE, "shop.py": "from pay.core import capture\n"},
        {"pay/core.py": CORE.replace("capture", "collect"), "shop.py": "from pay.core import collect\n"},
    ),
    _silent(
        "a star comes from outside the repository",
        {"a.py": "x = 1\n"},
        {"a.py": "from numpy import *\n\nx = array\n"},
    ),
    _silent(
        "the module answers for any name",
        {
            **PACKAGE,
            "pay/core.py": CORE + "\n\ndef __getattr__(name):\n    return name\n",
            "b.py": "from pay.core import capture\n",
        },
        {"pay/core.py": GONE + "\n\ndef __getattr__(name):\n    return name\n"},
    ),
    _silent(
        "names are written into globals()",
        {"a.py": "def f():\n    return 1\n"},
        {"a.py": "globals().update(x=1)\n\n\ndef f():\n    return x\n"},
    ),
    _silent("names come from exec", {"a.py": "y = 1\n"}, {"a.py": "exec('x = 1')\ny = x\n"}),
    _silent(
        "the name is injected from another file",
        {"a.py": "x = 1\n", "b.py": "import a\n\na.extra = 1\n"},
        {"a.py": "def f():\n    return extra\n"},
    ),
    _silent(
        "the attribute is stored on the module from outside",
        {**PACKAGE, "b.py": "from pay import core\n\ncore.capture = print\ncore.capture(1)\n"},
        {"pay/core.py": GONE},
    ),
    _silent(
        "the import expects to fail",
        {
            **PACKAGE,
            "b.py": "try:\n    from pay.core import capture\nexcept ImportError:\n    capture = None\n",
        },
        {"pay/core.py": GONE},
    ),
    _silent(
        "the import stands for type checkers only",
        {
            **PACKAGE,
            "b.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pay.core import capture\n",
        },
        {"pay/core.py": GONE},
    ),
    _silent(
        "the use is guarded by hasattr",
        {**PACKAGE, "b.py": "from pay import core\n\nif hasattr(core, 'capture'):\n    core.capture(1)\n"},
        {"pay/core.py": GONE},
    ),
    _silent(
        "the test expects the call to fail",
        {
            "mail.py": DEF,
            "t.py": "import pytest\nfrom mail import send\n\nwith pytest.raises(TypeError):\n    send(1, 2)\n",
        },
        {"mail.py": "def send(to):\n    return to\n"},
    ),
    _silent(
        "module attributes that always exist",
        {**PACKAGE, "b.py": "x = 1\n"},
        {"b.py": "from pay import core\nx = core.__file__\n"},
    ),
    _silent(
        "the head does not parse",
        {**PACKAGE, "b.py": "from pay.core import capture\n"},
        {"pay/core.py": "def keep(:\n    return 1\n"},
    ),
    _silent("the base did not parse", {"a.py": "def f(:\n"}, {"a.py": "def f():\n    return lost\n"}),
    _silent(
        "a file that a program wrote uses what is gone",
        {**PACKAGE, "b.py": "# Code generated by x. DO NOT EDIT.\nfrom pay.core import capture\n"},
        {"pay/core.py": GONE},
    ),
    _silent(
        "the missing module is written by the build",
        {**PACKAGE, "pay/shop.py": "x = 1\n"},
        {"pay/shop.py": "from pay._version import version\nfrom pay import api_pb2\n"},
    ),
    _silent(
        "the missing module is an extension",
        {**PACKAGE, "pay/fast.pyx": "", "pay/shop.py": "x = 1\n"},
        {"pay/shop.py": "from pay import fast\nfrom pay.fast import f\n"},
    ),
    _silent(
        "the module belongs to the standard library",
        {"json/x.txt": "", "a.py": ""},
        {"a.py": "import json\njson.nothing\n"},
    ),
    _silent(
        "two directories define the same top-level module",
        {"one/lib/__init__.py": CORE, "two/lib/__init__.py": CORE, "b.py": "from lib import capture\n"},
        {"one/lib/__init__.py": GONE},
    ),
    _silent(
        "the moved name is passed on from its old place",
        {**PACKAGE, "b.py": "from pay.core import capture\n"},
        {
            "pay/core.py": "from .ledger import capture\n" + GONE,
            "pay/ledger.py": "def capture(amount):\n    return amount\n",
        },
    ),
    _silent(
        "the moved name comes back through a star",
        {**PACKAGE, "b.py": "from pay.core import capture\n"},
        {
            "pay/core.py": "from .ledger import *\n" + GONE,
            "pay/ledger.py": "def capture(amount):\n    return amount\n",
        },
    ),
    _silent(
        "the package was renamed with every import of it",
        {**PACKAGE, "b.py": "from pay.core import capture\n"},
        {"money/__init__.py": "", "money/core.py": CORE, "b.py": "from money.core import capture\n"},
        {"pay/__init__.py": "money/__init__.py", "pay/core.py": "money/core.py"},
    ),
    _silent(
        "an argument list is unpacked",
        {"mail.py": DEF, "b.py": "from mail import send\n\nsend(*x)\nsend(**y)\n"},
        {
            "mail.py": DEF.replace("body)", "body, key)"),
            "b.py": "from mail import send\n\nx = y = ()\nsend(*x)\nsend(**y)\n",
        },
    ),
    _silent(
        "the new parameter has a default",
        {"mail.py": DEF, "b.py": CALLER.replace("app", "b")},
        {"mail.py": DEF.replace("body)", "body, key=1)")},
    ),
    _silent(
        "the function now takes anything",
        {"mail.py": DEF, "b.py": CALLER},
        {"mail.py": "def send(*args, **kw):\n    pass\n"},
    ),
    _silent(
        "an unknown decorator changes the signature",
        {"mail.py": "@wrap\n" + DEF, "b.py": CALLER},
        {"mail.py": "@wrap\n" + DEF.replace("body)", "body, key)")},
    ),
    _silent(
        "the function is defined twice",
        {"mail.py": "if x:\n    def send(a, b): pass\nelse:\n    def send(a, b): pass\n", "b.py": CALLER},
        {"mail.py": "if x:\n    def send(a): pass\nelse:\n    def send(a): pass\n"},
    ),
    _silent(
        "the test replaces the function",
        {
            "mail.py": DEF,
            "t.py": "from unittest.mock import patch\nfrom mail import send\n\nwith patch('mail.send'):\n    send(1, 2)\n",
        },
        {"mail.py": "def send(to):\n    return to\n"},
    ),
    _silent(
        "an override serves the call",
        {"a.py": USE_SELF + "\n\nclass B(A):\n    def go(self, x):\n        return x\n"},
        {
            "a.py": USE_SELF.replace("x):", "x, y):")
            + "\n\nclass B(A):\n    def go(self, x):\n        return x\n"
        },
    ),
    _silent(
        "a base class stands outside the repository",
        {
            "a.py": "from other import Base\n\n\nclass A(Base):\n    def run(self):\n        return self.go(1)\n"
        },
        {
            "a.py": "from other import Base\n\n\nclass A(Base):\n    def run(self):\n        return self.go(1, 2, 3)\n"
        },
    ),
    _silent(
        "the instance stores a function",
        {"a.py": USE_SELF},
        {"a.py": USE_SELF.replace("x):", "x, y):") + "\n    def set(self):\n        self.go = print\n"},
    ),
    _silent(
        "two local classes share a name",
        {"a.py": LOCAL_CLASSES},
        {"a.py": LOCAL_CLASSES.replace("x): pass", "x, y): pass")},
    ),
]


@pytest.mark.parametrize(("base", "head", "renamed"), SILENT)
def test_stays_silent_when(review, base, head, renamed):
    others = ("unparsable", "override-mismatch")  # with tests of their own
    assert [found for found in review(base, head, renamed) if found.check not in others] == []


def test_one_cause_is_one_candidate_with_all_its_broken_imports(review):
    users = {f"user{n:02}.py": "from pay.core import capture\n" for n in range(14)}
    (found,) = review({**PACKAGE, **users}, {"pay/core.py": GONE})
    assert len(found.related) == 10
    assert "And 4 more." in found.body
    assert (found.path, found.start_line, found.side) == ("pay/core.py", 1, Side.BASE)
    assert found.target == "capture"


def test_an_import_of_a_moved_directory_is_found(review):
    base = {"a/__init__.py": "", "a/x/__init__.py": "", "a/x/core.py": CORE, "shop.py": "import a.x.core\n"}
    head = {"b/__init__.py": "", "a/__init__.py": "", "b/x/__init__.py": "", "b/x/core.py": CORE}
    renamed = {"a/x/__init__.py": "b/x/__init__.py", "a/x/core.py": "b/x/core.py"}
    (found,) = review(base, head, renamed)
    assert (found.check, found.related[0].path) == ("import-missing", "shop.py")
    assert "It is now b/x/__init__.py." in found.body


def test_two_causes_stay_apart(review):
    base = {**PACKAGE, "b.py": "from pay.core import capture\nfrom pay.core import keep\n"}
    found = review(base, {"pay/core.py": "x = 1\n"})
    assert [candidate.target for candidate in found] == ["capture", "keep"]


def test_imports_taken_away_together_are_one_candidate(review):
    base = {"a.py": "import re\nimport json\n\n\ndef f(s):\n    return re.match(json.dumps(s), s)\n"}
    (found,) = review(base, {"a.py": "def f(s):\n    return re.match(json.dumps(s), s)\n"})
    assert "`json`, `re` are gone" in found.title or "`re`, `json` are gone" in found.title


def test_the_body_says_where_the_definition_went(review):
    base = {**PACKAGE, "b.py": "from pay.core import capture\n"}
    moved = {"pay/core.py": GONE, "pay/ledger.py": "def capture(amount):\n    return amount\n"}
    assert "It is now in pay/ledger.py." in review(base, moved)[0].body
    assert (
        "It may be called `collect` now."
        in review(base, {"pay/core.py": CORE.replace("capture", "collect")})[0].body
    )


def test_a_wrong_new_call_is_anchored_at_the_call(review):
    (found,) = review({"mail.py": DEF, "app.py": CALLER}, {"app.py": CALLER.replace("x, 'hi'", "x")})
    assert (found.path, found.start_line, found.side) == ("app.py", 5, Side.HEAD)
    assert found.title == "`send()` is called without `body`"


def test_breaks_in_tests_alone_are_marked(review):
    (found,) = review(
        {**PACKAGE, "tests/test_pay.py": "from pay.core import capture\n"}, {"pay/core.py": GONE}
    )
    assert found.in_tests


def test_the_order_does_not_depend_on_the_order_of_files(review):
    base = {**PACKAGE, "b.py": "from pay.core import capture, keep\n", "a.py": "from pay.core import keep\n"}
    head = {"pay/core.py": "x = 1\n"}
    assert review(base, head) == review(dict(reversed(base.items())), head)
