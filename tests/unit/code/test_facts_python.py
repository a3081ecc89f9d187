"""Python scope facts: what a file binds, leaves loose, and uses of others."""

from __future__ import annotations

import pytest
import tree_sitter
import tree_sitter_python

from panlect.code.facts import LOCAL, SELF, FileFacts, Guard
from panlect.code.scopes import scope_facts


def facts_of(source: str) -> FileFacts:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    return scope_facts(parser.parse(source.encode()).root_node, source.encode(), "python")


def loose(source: str) -> list[str]:
    return sorted({name.name for name in facts_of(source).loose})


@pytest.mark.parametrize(
    "source",
    [
        "any(f for f in [])\n",
        "x = [a + b for a, b in []]\n",
        "x = {k: v for k, v in {}.items() if k}\n",
        "if (n := 1):\n    print(n)\n",
        "def f():\n    [m := i for i in []]\n    return m\n",
        "def f():\n    global g\n    g = 1\n\n\ndef h():\n    return g\n",
        "def f():\n    def inner():\n        global late\n        late = 1\n    return late\n",
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    return g\n",
        "try:\n    pass\nexcept ValueError as e:\n    print(e)\n",
        "with open('x') as (a, b):\n    print(a, b)\n",
        "match 1:\n    case [x, *rest]:\n        print(x, rest)\n    case {'k': v, **more}:\n        print(v, more)\n",
        "match 1:\n    case str() as s:\n        print(s)\n",
        "f = lambda a, *b, c=1, **d: (a, b, c, d)\n",
        "def f(a, /, b, *, c, d: int = 1):\n    return a, b, c, d\n",
        "class A:\n    x = 1\n    y = [n for n in range(x)]\n",
        "class A:\n    T = int\n    def f(self, x: T = T()) -> T: ...\n",
        "def f[T](x: T) -> T:\n    return x\n",
        "class A[T]:\n    x: T\n",
        "type P[T] = list[T]\n",
        "for i, (j, k) in []:\n    print(i, j, k)\n",
        "async def f():\n    async for x in y():\n        print(x)\n\n\ndef y(): ...\n",
        "import a.b\nimport a.c\nprint(a)\n",
        "from __future__ import annotations\n",
        "print(__file__, __name__, __doc__)\n",
        "def f(): return later()\n\n\ndef later(): ...\n",
        "f(key=1)\n\n\ndef f(key): ...\n",
        "class A(metaclass=type):\n    def f(self): return __class__\n",
        "print(f'{1:{2}}')\n",
        "x: int\nprint(x)\n",
        "a.b.c = a = 1\n",
        "del_ = 1\ndel del_\n",
    ],
)
def test_every_name_is_bound_in(source):
    assert loose(source) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f():\n    return lost\n", ["lost"]),
        ("class A:\n    x = 1\n    def f(self): return x\n", ["x"]),
        ("class A:\n    x = 1\n    y = [x for _ in '']\n", ["x"]),
        ("def f(a): ...\nprint(a)\n", ["a"]),
        ("[i for i in []]\nprint(i)\n", ["i"]),
        ("print(f'{lost!r}')\n", ["lost"]),
        ("@lost\ndef f(): ...\n", ["lost"]),
        ("class A(lost.Base): ...\n", ["lost"]),
        ("def f(x: lost = gone): ...\n", ["gone", "lost"]),
        ("x = lost.a.b(key=gone)\n", ["gone", "lost"]),
    ],
)
def test_a_name_is_loose_in(source, names):
    assert loose(source) == names


@pytest.mark.parametrize(
    ("parameters", "spelled"),
    [
        ("", ""),
        ("a, b=1", "a,b="),
        ("a, /, b", "|a,b"),
        ("a, *, b, c=1", "a,!b,!c="),
        ("*args, b, **kw", "*args,!b,**kw"),
        ("a: int, b: str = ''", "a,b="),
        ("*args: int, **kw: int", "*args,**kw"),
    ],
)
def test_a_signature_is_spelled(parameters, spelled):
    (binding,) = facts_of(f"def f({parameters}): ...\n").bindings
    assert binding.signature == spelled


@pytest.mark.parametrize(
    "source",
    [
        "@unknown\ndef f(a): ...\n",
        "def f(a): ...\ndef f(a, b): ...\n",
        "if x:\n    def f(a): ...\nelse:\n    f = None\nx = 1\n",
    ],
    ids=["an unknown decorator", "a second definition", "a conditional one"],
)
def test_a_signature_is_unknown_after(source):
    assert next(b for b in facts_of(source).bindings if b.name == "f").signature is None


def test_a_method_is_spelled_without_its_receiver():
    source = (
        "class A:\n    def m(self, a): ...\n    @classmethod\n    def c(cls, a): ...\n"
        "    @staticmethod\n    def s(a): ...\n    @property\n    def p(self): ...\n"
    )
    (owner,) = facts_of(source).classes
    assert [(m.name, m.kind, m.signature) for m in owner.methods] == [
        ("c", "classmethod", "a"),
        ("m", "method", "a"),
        ("p", "property", None),
        ("s", "staticmethod", "a"),
    ]


def test_uses_of_imports_keep_their_chain_and_the_shape_of_the_call():
    facts = facts_of(
        "from pkg import mod\n\n\ndef f():\n    return mod.a.b(1, *x, key=2, **y)\n\n\nx = y = 1\n"
    )
    (use,) = facts.uses
    assert (facts.imports[use.source].module, use.target, use.line, use.enclosing) == ("pkg", "a.b", 5, "f")
    assert (use.argc, use.keywords, use.spread) == (1, ("key",), 3)


def test_uses_of_the_standard_library_are_left_out():
    assert facts_of("import os\nos.path.join('a')\n").uses == ()


def test_a_call_through_self_names_the_class():
    facts = facts_of("class A:\n    def m(self): return [self.n(i) for i in '']\n    def n(this, x): ...\n")
    assert [(use.source, use.target, use.enclosing) for use in facts.uses] == [(SELF, "A.n", "A.m")]


def test_a_shadowed_name_is_no_use_of_the_import():
    assert facts_of("from pkg import mod\n\n\ndef f(mod):\n    return mod.a()\n").uses == ()


def test_a_local_call_is_a_use():
    assert [(u.source, u.target) for u in facts_of("def f(a): ...\nf(1)\n").uses] == [(LOCAL, "f")]


@pytest.mark.parametrize(
    ("block", "guard"),
    [
        ("try:\n    import a\nexcept ImportError:\n    pass\n", Guard.IMPORT),
        ("try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    pass\n", Guard.IMPORT),
        ("try:\n    import a\nexcept:\n    pass\n", Guard.ALL),
        ("if TYPE_CHECKING:\n    import a\n", Guard.IMPORT | Guard.ATTRIBUTE),
        ("if sys.version_info > (3, 8):\n    import a\n", Guard.IMPORT | Guard.ATTRIBUTE),
        ("if hasattr(x, 'a'):\n    import a\n", Guard.ALL),
        ("with suppress(ImportError):\n    import a\n", Guard.ALL),
        ("try:\n    import a\nexcept KeyError:\n    pass\n", Guard.NONE),
        ("if ready:\n    import a\n", Guard.NONE),
    ],
)
def test_an_import_knows_what_guards_it(block, guard):
    (fact,) = facts_of(block).imports
    assert fact.guards == guard


@pytest.mark.parametrize(
    "source",
    [
        "globals()['x'] = 1\n",
        "exec('x = 1')\n",
        "import sys\nsys.modules[__name__] = 1\n",
        "def __getattr__(n): ...\n",
    ],
)
def test_a_module_is_opaque_with(source):
    assert facts_of(source).opaque


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        ("__all__ = ['a', \"b\"]\n", ("a", "b")),
        ("__all__ = ('a',)\n", ("a",)),
        ("__all__ = ['a'] + other\n", None),
        ("__all__ = ['a']\n__all__ += ['b']\n", None),
        ("x = 1\n", None),
    ],
)
def test_what_a_star_brings_is_read_where_it_is_a_plain_list(source, listed):
    assert facts_of(source).listed == listed


def test_attributes_stored_elsewhere_are_remembered():
    facts = facts_of(
        "from pkg import mod\nmod.extra = 1\nx.late = 2\nsetattr(x, 'made', 3)\npatch('a.b.made_up')\n"
    )
    assert facts.injected == ("extra",)
    assert {"late", "made", "made_up"} <= set(facts.replaced)


def test_a_syntax_error_is_told():
    assert facts_of("def f(:\n").has_error


def test_deeply_nested_code_is_read():
    assert loose("(" * 3000 + "lost" + ")" * 3000 + "\n") in (["lost"], [])


def test_packed_facts_come_back_equal():
    facts = facts_of(
        "from a import *\nfrom .b import c as d\n__all__ = ['f']\n\n\nclass A(d.B):\n    def m(self, x=1): self.m(2)\n"
        "\n\ndef f(): return lost(d.e(k=1))\n"
    )
    assert FileFacts.unpack(facts.pack()) == facts


@pytest.mark.parametrize("packed", [b"", b"\x00", b"\x93\x01\x02\x03", b"not facts"])
def test_other_bytes_are_refused(packed):
    with pytest.raises(ValueError, match="no packed facts"):
        FileFacts.unpack(packed)
