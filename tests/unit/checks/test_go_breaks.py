"""What a Go change breaks, and where the checks keep silent."""

from __future__ import annotations

import pytest

MOD = {"go.mod": "module example.com/shop\n\ngo 1.22\n"}
CORE = "package pay\n\nfunc Capture(amount int) int { return amount }\n\nfunc Keep() {}\n"
GONE = "package pay\n\nfunc Keep() {}\n"
USER = 'package main\n\nimport "example.com/shop/pay"\n\nfunc main() { pay.Capture(1) }\n'

BREAKS = [
    (
        "a removed function is still called beside a dot import",
        {
            **MOD,
            "pay/core.go": CORE,
            "pay/more.go": 'package pay\n\nimport . "github.com/onsi/gomega"\n\nvar x = Expect(Capture(1))\n',
        },
        {"pay/core.go": GONE},
        "name-unresolved",
        ("pay/more.go", 5),
    ),
    (
        "a removed function is still called from another package",
        {**MOD, "pay/core.go": CORE, "main.go": USER},
        {"pay/core.go": GONE},
        "member-missing",
        ("main.go", 5),
    ),
    (
        "a removed type is still named in another package",
        {
            **MOD,
            "pay/core.go": "package pay\n\ntype Receipt struct{}\n",
            "main.go": 'package main\n\nimport p "example.com/shop/pay"\n\nvar r p.Receipt\n',
        },
        {"pay/core.go": "package pay\n"},
        "member-missing",
        ("main.go", 5),
    ),
    (
        "a removed function is still called in another file of the package",
        {**MOD, "pay/core.go": CORE, "pay/more.go": "package pay\n\nfunc More() int { return Capture(1) }\n"},
        {"pay/core.go": GONE},
        "name-unresolved",
        ("pay/more.go", 3),
    ),
    (
        "a helper of a test went to the tests of another package",
        {**MOD, "pay/core_test.go": "package pay\n\nfunc TestX() { check(1) }\n\nfunc check(n int) {}\n"},
        {
            "pay/core_test.go": "package pay\n\nfunc TestX() { check(1) }\n",
            "pay/x_test.go": "package pay_test\n\nfunc check(n int) {}\n",
        },
        "name-unresolved",
        ("pay/core_test.go", 3),
    ),
    (
        "product code uses what only a test defines",
        {**MOD, "pay/core.go": "package pay\n", "pay/core_test.go": "package pay\n\nfunc helper() {}\n"},
        {"pay/core.go": "package pay\n\nfunc Run() { helper() }\n"},
        "name-unresolved",
        ("pay/core.go", 3),
    ),
    (
        "a package was moved",
        {**MOD, "pay/core.go": CORE, "main.go": USER},
        {"pay/core.go": None, "money/core.go": CORE},
        "import-missing",
        ("main.go", 3),
    ),
    (
        "a nested module lost a function",
        {
            "tools/go.mod": "module example.com/tools\n",
            "tools/pay/core.go": CORE,
            "tools/main.go": USER.replace("shop", "tools"),
        },
        {"tools/pay/core.go": GONE},
        "member-missing",
        ("tools/main.go", 5),
    ),
]


@pytest.mark.parametrize(
    ("base", "head", "check", "use"), [row[1:] for row in BREAKS], ids=[r[0] for r in BREAKS]
)
def test_a_change_breaks_a_use_when(review, base, head, check, use):
    found = review(base, head)
    assert [candidate.check for candidate in found][:1] == [check]
    assert (found[0].related[0].path, found[0].related[0].start_line) == use


MISFITS = [
    ("a parameter was added", "func Capture(amount int, key string) int { return amount }", "`key`"),
    ("a parameter was removed", "func Capture() int { return 1 }", "fewer arguments"),
    ("two parameters share a type", "func Capture(amount, tip int) int { return amount }", "`tip`"),
]


@pytest.mark.parametrize(("after", "said"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS])
@pytest.mark.parametrize(
    ("path", "caller"),
    [("main.go", USER), ("pay/more.go", "package pay\n\n\n\nfunc More() int { return Capture(1) }\n")],
    ids=["from another package", "from the same package"],
)
def test_a_call_no_longer_fits_when(review, after, said, path, caller):
    head = CORE.replace("func Capture(amount int) int { return amount }", after)
    (found,) = review({**MOD, "pay/core.go": CORE, path: caller}, {"pay/core.go": head})
    assert found.check == "call-mismatch"
    assert said in found.title
    assert [(place.path, place.start_line) for place in found.related] == [(path, 5)]


def _silent(name, base, head):
    return pytest.param(base, head, id=name)


GENERIC = """\
package a

type L[K comparable] struct{ k K }

func (l *L[V]) Do(v V) (n int, err error) {
Loop:
	for i := range 3 {
		n += i
		break Loop
	}
	switch x := any(v).(type) {
	case int:
		_ = x
	}
	return n, err
}
"""
WIDE = CORE.replace("(amount int)", "(amount int, key string)")
SILENT = [
    _silent(
        "a dot import of a package of ours brings the moved name",
        {
            **MOD,
            "pay/core.go": CORE,
            "pay/more.go": 'package pay\n\nimport . "example.com/shop/base"\n\nvar x = Capture(Keep2)\n',
            "base/base.go": "package base\n\nconst Keep2 = 1\n",
        },
        {
            "pay/core.go": GONE,
            "base/base.go": "package base\n\nconst Keep2 = 1\n\nfunc Capture(amount int) int { return 1 }\n",
        },
    ),
    _silent(
        "a new dot import from outside may bring the name",
        {**MOD, "pay/core.go": CORE, "pay/more.go": "package pay\n\nvar x = Capture(1)\n"},
        {
            "pay/core.go": GONE,
            "pay/more.go": 'package pay\n\nimport . "github.com/x/y"\n\nvar x = Capture(1)\n',
        },
    ),
    _silent(
        "the parameter takes any number",
        {**MOD, "pay/core.go": CORE, "main.go": USER},
        {
            "pay/core.go": CORE.replace(
                "(amount int) int { return amount }", "(amounts ...int) int { return 1 }"
            )
        },
    ),
    _silent(
        "a call passes on all that another returns",
        {
            **MOD,
            "pay/core.go": CORE,
            "main.go": USER.replace("Capture(1)", "Capture(two())")
            + "func two() (int, string) { return 1, `` }\n",
        },
        {"pay/core.go": WIDE},
    ),
    _silent(
        "the arguments are spread",
        {
            **MOD,
            "pay/core.go": CORE,
            "main.go": USER.replace("Capture(1)", "Capture(xs...)") + "var xs []int\n",
        },
        {"pay/core.go": WIDE},
    ),
    _silent(
        "build tags choose between two definitions",
        {
            **MOD,
            "pay/core.go": CORE,
            "pay/core_linux.go": "package pay\n\nfunc Capture(amount int) int { return 1 }\n",
            "main.go": USER,
        },
        {"pay/core.go": WIDE},
    ),
    _silent(
        "another file of another build defines it",
        {
            **MOD,
            "pay/core.go": CORE,
            "pay/core_linux.go": "//go:build linux\n\npackage pay\n\nfunc Capture(amount int) int { return 1 }\n",
            "main.go": USER,
        },
        {"pay/core.go": GONE},
    ),
    _silent(
        "the user is a generated file",
        {**MOD, "pay/core.go": CORE, "main.go": "// Code generated by x. DO NOT EDIT.\n" + USER},
        {"pay/core.go": GONE},
    ),
    _silent(
        "the user is vendored", {**MOD, "pay/core.go": CORE, "vendor/x/main.go": USER}, {"pay/core.go": GONE}
    ),
    _silent(
        "names come from a dot import",
        {**MOD, "a.go": "package a\n"},
        {"a.go": 'package a\n\nimport . "github.com/onsi/gomega"\n\nvar x = Expect(1)\n'},
    ),
    _silent(
        "the package is called other than its path",
        {**MOD, "a.go": "package a\n"},
        {"a.go": 'package a\n\nimport "github.com/go-yaml/go-yaml"\n\nvar x = yaml.Marshal(1)\n'},
    ),
    _silent(
        "the path ends with a major version",
        {**MOD, "a.go": "package a\n"},
        {"a.go": 'package a\n\nimport "example.org/cobra/v2"\n\nvar x = cobra.Do()\n'},
    ),
    _silent(
        "another module needs a published version",
        {
            **MOD,
            "pay/core.go": CORE,
            "tools/go.mod": "module example.org/tools\n\nrequire example.com/shop v1.2.3\n",
            "tools/main.go": USER,
        },
        {"pay/core.go": GONE},
    ),
    _silent(
        "a field's name is no reference",
        {**MOD, "a.go": "package a\n\ntype T struct{ Size int }\n"},
        {"a.go": "package a\n\ntype T struct{ Size int }\n\nvar t = T{Size: 1}\n"},
    ),
    _silent(
        "type parameters, labels and receivers bind their names",
        {**MOD, "a.go": "package a\n"},
        {"a.go": GENERIC},
    ),
    _silent(
        "the package holds a file that does not parse",
        {**MOD, "pay/core.go": CORE, "pay/bad.go": "package pay\n\nfunc {\n", "main.go": USER},
        {"pay/core.go": GONE},
    ),
    _silent(
        "the sample is broken on purpose",
        {**MOD, "testdata/a.go": "package a\n"},
        {"testdata/a.go": "package a\n\nvar x = lost\n"},
    ),
    _silent(
        "the package path never existed",
        {**MOD, "a.go": "package a\n"},
        {"a.go": 'package a\n\nimport "example.com/shop/gen"\n\nvar x = gen.X\n'},
    ),
]


@pytest.mark.parametrize(("base", "head"), SILENT)
def test_stays_silent_when(review, base, head):
    assert [found for found in review(base, head) if found.check != "unparsable"] == []
