"""What a reference means: one table of small repositories a language, then the standard library as an oracle."""

from __future__ import annotations

import pytest

from panlect.code.analysis import Reference
from panlect.index.memory import MemoryRepository
from panlect.search.resolution.answers import Resolution
from panlect.search.resolve import Resolver
from tests.unit.search.small_repositories import (
    CSHARP,
    GO,
    JAVA,
    PHP,
    PYTHON,
    RUBY,
    RUST,
    SCALA,
    SWIFT,
    TYPESCRIPT,
    C,
    places,
    resolved,
)

CASES = [
    # repository, path, reference, line, (path, qualified name, confidence) of the first candidate
    (PYTHON, "shop/cart.py", "levy", 0, ("shop/money.py", "tax", 0.95)),
    (PYTHON, "shop/cart.py", "cash.tax", 0, ("shop/money.py", "tax", 0.9)),
    (PYTHON, "shop/cart.py", "money.tax", 0, ("shop/money.py", "tax", 0.9)),
    (PYTHON, "shop/cart.py", "self.add", 0, ("shop/cart.py", "Cart.add", 1.0)),
    (PYTHON, "shop/cart.py", "self.store", 0, ("shop/root.py", "Root.store", 1.0)),
    (PYTHON, "shop/cart.py", "add", 0, ("shop/base.py", "Base.add", 1.0)),
    (PYTHON, "shop/cart.py", "Coin.make", 0, ("shop/money.py", "Coin.make", 0.9)),
    (PYTHON, "shop/cart.py", "coin.spend", 0, ("shop/money.py", "Coin.spend", 0.9)),
    (PYTHON, "shop/cart.py", "get", 18, ("shop/cart.py", "get", 1.0)),
    (PYTHON, "shop/money.py", "cls.spend", 0, ("shop/money.py", "Coin.spend", 1.0)),
    (PYTHON, "app.py", "Basket", 0, ("shop/cart.py", "Cart", 0.95)),
    (PYTHON, "app.py", "sink", 0, ("shop/deeper.py", "sink", 0.95)),
    (PYTHON, "app.py", "shop.Basket", 0, ("shop/cart.py", "Cart", 0.9)),
    (PYTHON, "app.py", "money.tax", 0, ("shop/money.py", "tax", 0.9)),
    (PYTHON, "tests/test_tool.py", "go", 0, ("src/tool/run.py", "go", 0.95)),
    (PYTHON, "tests/test_tool.py", "r.go", 0, ("src/tool/run.py", "go", 0.9)),
    (TYPESCRIPT, "app/main.ts", "plus", 0, ("packages/core/src/add.ts", "add", 0.95)),
    (TYPESCRIPT, "app/main.ts", "deep", 0, ("packages/core/src/sub/inner.tsx", "deep", 0.95)),
    (TYPESCRIPT, "app/main.ts", "ns.deep", 0, ("packages/core/src/sub/inner.tsx", "deep", 0.9)),
    (TYPESCRIPT, "app/main.ts", "Screen", 12, ("packages/core/src/sub/inner.tsx", "Panel", 0.95)),
    (TYPESCRIPT, "app/main.ts", "add.add", 0, ("packages/core/src/add.ts", "add", 0.9)),
    (TYPESCRIPT, "app/main.ts", "add.shown", 0, ("packages/core/src/add.ts", "hidden", 0.9)),
    (TYPESCRIPT, "app/main.ts", "clamp", 0, ("app/lib/util.ts", "clamp", 0.95)),
    (TYPESCRIPT, "app/main.ts", "clip", 0, ("app/lib/util.ts", "clamp", 0.95)),
    (TYPESCRIPT, "app/main.ts", "this.draw", 0, ("packages/core/src/sub/inner.tsx", "Panel.draw", 1.0)),
    (TYPESCRIPT, "app/main.ts", "super.low", 0, ("packages/core/src/sub/inner.tsx", "Base.low", 1.0)),
    (TYPESCRIPT, "app/main.ts", "this.clamp", 0, ("app/main.ts", "Main.clamp", 1.0)),
    (TYPESCRIPT, "app/main.ts", "Screen.of", 0, ("packages/core/src/sub/inner.tsx", "Panel.of", 0.9)),
    (TYPESCRIPT, "app/main.ts", "s.draw", 0, ("packages/core/src/sub/inner.tsx", "Panel.draw", 0.9)),
    (TYPESCRIPT, "app/main.ts", "old", 0, ("app/lib/old.js", "old", 0.95)),
    (GO, "main.go", "money.Tax", 0, ("pkg/cash/cash.go", "Tax", 0.9)),
    (GO, "main.go", "cart.New", 0, ("pkg/cart/v2/cart.go", "New", 0.9)),
    (GO, "main.go", "help", 0, ("help.go", "help", 0.8)),
    (GO, "main.go", "c.Add", 0, ("pkg/cart/v2/cart.go", "Cart.Add", 0.9)),
    (GO, "pkg/cart/v2/cart.go", "c.Sum", 0, ("pkg/cart/v2/sum.go", "Cart.Sum", 1.0)),
    (GO, "pkg/cart/v2/cart.go", "c.Low", 0, ("pkg/cart/v2/sum.go", "Base.Low", 1.0)),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "this.add",
        0,
        ("src/main/java/com/shop/Cart.java", "Cart.add", 1.0),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "low",
        0,
        ("src/main/java/com/shop/Base.java", "Base.low", 1.0),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "super.low",
        0,
        ("src/main/java/com/shop/Base.java", "Base.low", 1.0),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "mint",
        0,
        ("src/main/java/com/cash/Coin.java", "Coin.mint", 0.95),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "pad",
        0,
        ("src/main/java/com/util/Strings.java", "Strings.pad", 0.95),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "Coin.mint",
        0,
        ("src/main/java/com/cash/Coin.java", "Coin.mint", 0.9),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "Item",
        0,
        ("src/main/java/com/shop/Cart.java", "Cart.Item", 1.0),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "Files.read",
        0,
        ("src/main/java/com/util/Files.java", "Files.read", 0.9),
    ),
    (
        JAVA,
        "src/main/java/com/shop/Cart.java",
        "coin.spend",
        0,
        ("src/main/java/com/cash/Coin.java", "Coin.spend", 0.9),
    ),
    (JAVA, "src/Use.kt", "Penny.mint", 0, ("src/main/java/com/cash/Coin.java", "Coin.mint", 0.9)),
    (JAVA, "src/Use.kt", "c.spend", 0, ("src/main/java/com/cash/Coin.java", "Coin.spend", 0.9)),
    (JAVA, "src/Use.kt", "Strings.pad", 0, ("src/main/java/com/util/Strings.java", "Strings.pad", 0.9)),
    (JAVA, "src/Use.kt", "Cart", 0, ("src/main/java/com/shop/Cart.java", "Cart", 0.8)),
    (RUST, "src/cart.rs", "rate", 0, ("src/money/tax.rs", "rate", 0.95)),
    (RUST, "src/cart.rs", "money.pay", 0, ("src/money/mod.rs", "pay", 0.9)),
    (RUST, "src/cart.rs", "settle", 0, ("src/money/mod.rs", "pay", 0.95)),
    (RUST, "src/cart.rs", "Coin.new", 0, ("core/src/inner/deep.rs", "Coin.new", 0.9)),
    (RUST, "src/cart.rs", "flow", 0, ("core/src/inner.rs", "flow", 0.95)),
    (RUST, "src/cart.rs", "self.sum", 0, ("src/cart.rs", "Cart.sum", 1.0)),
    (RUST, "src/cart.rs", "tax.rate", 1, ("src/money/tax.rs", "rate", 0.95)),
    (RUST, "src/cart.rs", "tax.rate", 7, ("src/money/tax.rs", "rate", 0.9)),
    (RUST, "src/cart.rs", "Cart.sum", 0, ("src/cart.rs", "Cart.sum", 0.9)),
    (RUST, "src/cart.rs", "pay", 0, ("src/money/mod.rs", "pay", 0.95)),
    (RUST, "src/money/tax.rs", "super.pay", 0, ("src/money/mod.rs", "pay", 0.9)),
    (RUST, "src/money/tax.rs", "crate.top", 0, ("src/lib.rs", "top", 0.9)),
    (RUST, "src/money/tax.rs", "settle", 0, ("src/money/mod.rs", "pay", 0.95)),
    (RUST, "core/src/inner/deep.rs", "Self.mint", 0, ("core/src/inner/deep.rs", "Coin.mint", 1.0)),
    (CSHARP, "Cart.cs", "this.Add", 0, ("Cart.cs", "Shop.Web.Cart.Add", 1.0)),
    (CSHARP, "Cart.cs", "Low", 0, ("Base.cs", "Base.Low", 1.0)),
    (CSHARP, "Cart.cs", "base.Low", 0, ("Base.cs", "Base.Low", 1.0)),
    (CSHARP, "Cart.cs", "Coin.Mint", 0, ("Coin.cs", "Shop.Cash.Coin.Mint", 0.9)),
    (CSHARP, "Cart.cs", "P.Mint", 0, ("Coin.cs", "Shop.Cash.Coin.Mint", 0.9)),
    (CSHARP, "Cart.cs", "Pad", 0, ("Strings.cs", "Shop.Util.Strings.Pad", 0.95)),
    (CSHARP, "Cart.cs", "Item", 0, ("Base.cs", "Item", 0.8)),
    (CSHARP, "Cart.cs", "coin.Spend", 0, ("Coin.cs", "Shop.Cash.Coin.Spend", 0.9)),
    (CSHARP, "Cart.cs", "Root.Go", 0, ("Root.cs", "Shop.Root.Go", 0.8)),
    (RUBY, "lib/shop.rb", "Shop.Cart", 0, ("lib/shop/cart.rb", "Shop.Cart", 0.9)),
    (RUBY, "lib/shop/cart.rb", "self.add", 0, ("lib/shop/cart.rb", "Shop.Cart.add", 1.0)),
    (RUBY, "lib/shop/cart.rb", "low", 0, ("lib/shop/base.rb", "Shop.Base.low", 1.0)),
    (RUBY, "lib/shop/cart.rb", "tax", 0, ("lib/shop/taxed.rb", "Shop.Taxed.tax", 1.0)),
    (RUBY, "lib/shop/cart.rb", "Money.mint", 0, ("lib/shop/money.rb", "Shop.Money.mint", 0.8)),
    (PHP, "src/Cart.php", "this.add", 0, ("src/Cart.php", "Cart.add", 1.0)),
    (PHP, "src/Cart.php", "this.low", 0, ("src/Base.php", "Base.low", 1.0)),
    (PHP, "src/Cart.php", "parent.low", 0, ("src/Base.php", "Base.low", 1.0)),
    (PHP, "src/Cart.php", "self.add", 0, ("src/Cart.php", "Cart.add", 1.0)),
    (PHP, "src/Cart.php", "this.tax", 0, ("src/Base.php", "Taxed.tax", 1.0)),
    (PHP, "src/Cart.php", "Coin.mint", 0, ("src/Cash/Coin.php", "Coin.mint", 0.9)),
    (PHP, "src/Cart.php", "Penny.mint", 0, ("src/Cash/Coin.php", "Coin.mint", 0.9)),
    (PHP, "src/Cart.php", "Purse", 0, ("src/Cash/Coin.php", "Purse", 0.95)),
    (PHP, "src/Cart.php", "pad", 0, ("src/util.php", "pad", 0.95)),
    (PHP, "src/Cart.php", "Item", 0, ("src/Base.php", "Item", 0.8)),
    (PHP, "src/Cart.php", "coin.spend", 0, ("src/Cash/Coin.php", "Coin.spend", 0.9)),
    (C, "src/cart.c", "own", 0, ("src/cart.c", "own", 1.0)),
    (C, "src/cart.c", "tax", 0, ("lib/money.h", "tax", 0.9)),
    (C, "src/cart.c", "helper", 0, ("src/cart.h", "helper", 0.9)),
    (C, "app/shop.cpp", "low", 0, ("app/shop.hpp", "shop.Base.low", 1.0)),
    (C, "app/shop.cpp", "this.of", 0, ("app/shop.hpp", "shop.Cart.of", 1.0)),
    (C, "app/main.cpp", "Cart.of", 0, ("app/shop.hpp", "shop.Cart.of", 0.9)),
    (C, "app/main.cpp", "s.go", 0, ("app/shop.hpp", "shop.go", 0.9)),
    (C, "app/main.cpp", "shop.go", 0, ("app/shop.hpp", "shop.go", 0.9)),
    (SWIFT, "Sources/Shop/Cart.swift", "self.add", 0, ("Sources/Shop/Cart.swift", "Cart.add", 1.0)),
    (SWIFT, "Sources/Shop/Cart.swift", "low", 0, ("Sources/Shop/Base.swift", "Base.low", 1.0)),
    (SWIFT, "Sources/Shop/Cart.swift", "help", 0, ("Sources/Shop/Base.swift", "help", 0.8)),
    (SWIFT, "Sources/Shop/Cart.swift", "Coin.mint", 0, ("Sources/Cash/Coin.swift", "Coin.mint", 0.9)),
    (SWIFT, "Sources/Shop/Cart.swift", "coin.spend", 0, ("Sources/Cash/Coin.swift", "Coin.spend", 0.9)),
    (SWIFT, "Sources/Shop/Cart.swift", "Cart.make", 0, ("Sources/Shop/Base.swift", "Cart.make", 0.9)),
    (SCALA, "a/Cart.scala", "add", 0, ("a/Cart.scala", "Cart.add", 1.0)),
    (SCALA, "a/Cart.scala", "low", 0, ("a/Base.scala", "Base.low", 1.0)),
    (SCALA, "a/Cart.scala", "Penny.mint", 0, ("b/Coin.scala", "Coin.mint", 0.9)),
    (SCALA, "a/Cart.scala", "Purse.open", 0, ("b/Coin.scala", "Purse.open", 0.9)),
    (SCALA, "a/Cart.scala", "Item.of", 0, ("a/Base.scala", "Item.of", 0.8)),
]


@pytest.mark.parametrize(
    ("files", "path", "spelt", "line", "expected"), CASES, ids=[f"{case[1]}:{case[2]}" for case in CASES]
)
def test_a_reference_means_what_its_language_says(
    files: dict[str, str], path: str, spelt: str, line: int, expected: tuple[str, str, float]
) -> None:
    found = resolved(files, path, spelt, line)
    assert places(found)[:1] == [expected]
    assert all(0 < one.confidence <= 1 and one.reason for one in found.candidates)


OUTSIDE = [
    (PYTHON, "shop/cart.py", "requests.get"),  # although this file has a get, and helper/ has requests.py
    (PYTHON, "shop/cart.py", "fetch"),
    (TYPESCRIPT, "app/main.ts", "fs.add"),
    (GO, "main.go", "fmt.Help"),
    (GO, "main.go", "cash.Tax"),
    (JAVA, "src/main/java/com/shop/Cart.java", "Money.of"),
    (RUST, "src/cart.rs", "Read.new"),
]


@pytest.mark.parametrize(("files", "path", "spelt"), OUTSIDE, ids=[f"{c[1]}:{c[2]}" for c in OUTSIDE])
def test_what_comes_from_elsewhere_points_nowhere(files: dict[str, str], path: str, spelt: str) -> None:
    assert resolved(files, path, spelt) == Resolution(external=True)


def test_absurd_references_mean_nothing() -> None:
    files = {
        "a.py": f"import {'x.' * 5000}y\nimport {'y' * 5000}\nfrom {'.' * 400} import z\nz()\ny()\n",
        "b.ts": f"import {{z}} from '{'../' * 300}z'\nz()\n",
        "c.go": 'package c\nimport "' + "/" * 900 + '"\nfunc f() { z() }\n',
        "d.rs": f"use {'super::' * 300}z;\nfn f() {{ z() }}\n",
    }
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    for path in files:
        for one in snapshot.references(path):
            assert not resolver.resolve(path, one).candidates
    for odd in (
        Reference("", "call", 1),
        Reference("z", "call", 10**9),
        Reference("z", "odd", -1, "a..b", ".."),
    ):
        assert resolver.resolve("a.py", odd).candidates == ()
        assert resolver.resolve("none/here.py", odd).candidates == ()
    assert resolver.resolve("a.py", Reference("z", "call", 4, ".".join("x" * 5000))) is not None


CIRCLES = {
    "k.ts": "import {q, t} from './l'\nexport {q as r, t as u}\nr()\nq()\n",
    "l.ts": "import {r, u} from './k'\nexport {r as q}\nexport {s as t}\nexport * from './n'\nfunction s() {}\nr(); u()\n",
    "n.ts": "export function q() {}\n",
    "m.ts": "import {r, u} from './k'\nimport {q} from './l'\nq(); r(); u()\n",
    "a.py": "import b\nclass A(b.B):\n    def f(self): self.x(); self.y()\n    def x(self): self.f()\n",
    "b.py": "import a\nclass B(a.A):\n    def g(self): self.x(); self.f()\n    def y(self): self.z()\n",
}


def test_every_answer_is_the_same_whatever_was_asked_before() -> None:
    files = {**PYTHON, **TYPESCRIPT, **GO, **CIRCLES}
    snapshot = MemoryRepository().snapshot(files)
    rows = [(path, one) for path in files for one in snapshot.references(path)]
    forward, backward = Resolver(snapshot), Resolver(snapshot)
    ahead = [forward.resolve(*row) for row in rows]
    behind = [backward.resolve(*row) for row in reversed(rows)]
    assert ahead == behind[::-1]


def test_what_a_line_uses_is_known_only_when_it_is_sure() -> None:
    snapshot = MemoryRepository().snapshot(PYTHON)
    resolver = Resolver(snapshot)
    assert [site.path for site in resolver.meant("app.py", "sink", 3) or ()] == ["shop/deeper.py"]
    assert resolver.meant("shop/cart.py", "fetch", 16) == []  # of requests, which is not here
    assert resolver.meant("tests/test_tool.py", "add", 3) is None  # by its name alone
    assert resolver.meant("app.py", "sink", 99) is None
