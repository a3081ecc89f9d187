"""What a reference means: one table of small repositories a language, then the standard library as an oracle."""

from __future__ import annotations

import pytest

from panlect.code.analysis import Reference
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.resolution.answers import MOST_CANDIDATES, Resolution
from panlect.search.resolve import Resolver


def reference(snapshot: Snapshot, path: str, spelt: str, line: int = 0) -> Reference:
    """The reference `receiver.name` or `name` of a file, on this line or the first that has it."""
    receiver, _, name = spelt.rpartition(".")
    for one in snapshot.references(path):
        if one.name == name and one.receiver == receiver and line in (0, one.line):
            return one
    raise AssertionError(f"{path} has no reference {spelt}: {snapshot.references(path)}")


def resolved(files: dict[str, str], path: str, spelt: str, line: int = 0) -> Resolution:
    snapshot = MemoryRepository().snapshot(files)
    return Resolver(snapshot).resolve(path, reference(snapshot, path, spelt, line))


def places(resolution: Resolution) -> list[tuple[str, str, float]]:
    return [(c.path, c.definition.qualified_name, c.confidence) for c in resolution.candidates]


PYTHON = {
    "shop/__init__.py": "from .cart import Cart as Basket\nfrom .deep import *\nfrom shop import money\n",
    "shop/cart.py": (
        "import shop.money\nfrom . import money as cash\nfrom .money import tax as levy, Coin\n"
        "from .base import Base\nimport requests\nfrom requests import get as fetch\n\n"
        "def get(): pass\n\nclass Cart(Base):\n    def total(self, pay, coin: Coin):\n"
        "        levy(1)\n        cash.tax(2)\n        shop.money.tax(3)\n"
        "        self.add(); self.store(); super().add()\n"
        "        requests.get(); fetch(); Coin.make()\n        coin.spend(); pay()\n        get()\n"
        "        return total\n\n    def add(self): pass\ndef pay(): pass\ndef shadow():\n"
        "    get = 3\n    return get\n"
    ),
    "shop/money.py": (
        "def tax(n): pass\nclass Coin:\n    @classmethod\n    def make(cls): cls.spend(); pass\n"
        "    def spend(self): pass\n"
    ),
    "shop/base.py": "from .root import Root\nclass Base(Root):\n    def add(self): pass\n",
    "shop/root.py": "from . import base\nclass Root(base.Base):\n    def store(self): pass\n",
    "shop/deep.py": "from .deeper import sink, _own\n",
    "shop/deeper.py": "def sink(): pass\ndef _own(): pass\n",
    "app.py": (
        "import shop\nfrom shop import Basket, sink, missing\n"
        "Basket(); sink(); shop.Basket(); shop.money.tax(); missing()\n"
    ),
    "src/tool/__init__.py": "",
    "src/tool/run.py": "def go(): pass\n",
    "tests/test_tool.py": "from tool.run import go\nimport tool.run as r\ngo(); r.go(); x.add()\n",
    "helper/requests.py": "def get(): pass\n",
}
TYPESCRIPT = {
    "package.json": '{"name": "root", "workspaces": ["packages/*"]}',
    "packages/core/package.json": '{"name": "@shop/core", "main": "dist/index.js"}',
    "packages/core/src/index.ts": (
        "export { add as plus } from './add';\nexport * from './sub';\nexport * as ns from './sub/inner'\n"
    ),
    "packages/core/src/add.ts": "export function add() {}\nfunction hidden() {}\nexport { hidden as shown };\n",
    "packages/core/src/sub/index.ts": "export * from './inner';\n",
    "packages/core/src/sub/inner.tsx": (
        "export const deep = () => 1;\n"
        "export default class Panel extends Base { draw() {} static of() {} }\n"
        "export class Base { low() {} }\n"
    ),
    "app/tsconfig.json": '{\n // where\n "compilerOptions": {"baseUrl": ".", "paths": {"~/*": ["lib/*"],}}}',
    "app/lib/util.ts": "export function clamp() {}\n",
    "app/lib/old.js": "function old() {}\nfunction kept() {}\nmodule.exports = old;\nmodule.exports.kept = kept;\n",
    "app/main.ts": (
        "import { plus, deep, ns } from '@shop/core';\n"
        "import Screen from '../packages/core/src/sub/inner';\n"
        "import * as add from '../packages/core/src/add.js';\nimport { clamp } from '~/util';\n"
        "import { clamp as clip } from 'lib/util';\nimport fs from 'fs';\n"
        "import old = require('./lib/old');\nfunction add2() {}\nclass Main extends Screen {\n"
        "  clamp() {}\n  run(s: Screen) {\n"
        "    plus(); deep(); ns.deep(); new Screen(); add.add(); clamp(); clip(); fs.add();\n"
        "    this.draw(); super.low(); this.clamp(); Screen.of(); s.draw(); add.shown(); old();\n"
        "  }\n}\n"
    ),
}
GO = {
    "go.mod": "module example.com/shop\n",
    "main.go": (
        'package main\nimport (\n\t"fmt"\n\tmoney "example.com/shop/pkg/cash"\n'
        '\t"example.com/shop/pkg/cart/v2"\n\t"github.com/x/cash"\n)\nfunc main() {\n\tmoney.Tax()\n'
        "\tcart.New()\n\thelp()\n\tfmt.Help()\n\tcash.Tax()\n}\nfunc use(c *cart.Cart, n int) {\n\tc.Add()\n"
        "}\n"
    ),
    "help.go": "package main\nfunc help() {}\nfunc Help() {}\n",
    "pkg/cash/cash.go": "package cash\nfunc Tax() {}\n",
    "pkg/cash/cash_test.go": "package cash\nfunc Tax() {}\n",
    "pkg/cart/v2/cart.go": (
        "package cart\ntype Cart struct{ Base }\nfunc New() *Cart { return nil }\n"
        "func (c *Cart) Add() {\n\tc.Sum()\n\tc.Low()\n}\n"
    ),
    "pkg/cart/v2/sum.go": "package cart\ntype Base struct{}\nfunc (c *Cart) Sum() {}\nfunc (b Base) Low() {}\n",
    "pkg/other/other.go": "package other\ntype Cart struct{}\nfunc (c *Cart) Sum() {}\nfunc (c *Cart) Add() {}\n",
}
JAVA = {
    "src/main/java/com/shop/Cart.java": (
        "package com.shop;\nimport com.cash.Coin;\nimport com.util.*;\n"
        "import static com.cash.Coin.mint;\nimport static com.util.Strings.*;\n"
        "import org.outside.Money;\nclass Cart extends Base {\n  void total(Coin coin) {\n"
        "    this.add(); low(); super.low(); mint(); pad();\n"
        "    Coin.mint(); new Item(); Files.read(); Money.of(); coin.spend(); "
        "com.cash.Coin.mint();\n  }\n  void add() {}\n  class Item {}\n}\n"
    ),
    "src/main/java/com/shop/Base.java": "package com.shop;\nclass Base { void low() {} }\nclass Money { static void of() {} }\n",
    "src/main/java/com/cash/Coin.java": "package com.cash;\npublic class Coin { public static void mint() {} void spend() {} }\n",
    "src/main/java/com/util/Strings.java": "package com.util;\npublic class Strings { public static void pad() {} }\n",
    "src/main/java/com/util/Files.java": "package com.util;\npublic class Files { public static void read() {} }\n",
    "src/test/java/com/other/Coin.java": "package com.other;\npublic class Coin { public static void mint() {} }\n",
    "src/Use.kt": (
        "package com.shop\nimport com.cash.Coin as Penny\nimport com.util.*\nfun use(c: Penny) {\n"
        "  Penny.mint()\n  c.spend()\n  Strings.pad()\n  Cart()\n}\n"
    ),
}
RUST = {
    "Cargo.toml": '[workspace]\nmembers = ["core"]\n[package]\nname = "shop"\n',
    "core/Cargo.toml": '[package]\nname = "shop-core"\n',
    "core/src/lib.rs": "mod inner;\npub use inner::deep::Coin;\npub use self::inner::*;\n",
    "core/src/inner.rs": "pub mod deep;\npub fn flow() {}\n",
    "core/src/inner/deep.rs": (
        "pub struct Coin;\nimpl Coin { pub fn new() -> Coin { Self::mint() }\n fn mint() -> Coin { Coin } }\n"
    ),
    "src/lib.rs": "mod cart;\nmod money;\nfn top() {}\n",
    "src/money/mod.rs": "pub mod tax;\npub fn pay() {}\n",
    "src/money/tax.rs": (
        "pub fn rate() { super::pay(); crate::top(); }\nuse super::{pay as settle, tax};\n"
        "fn go() { settle(); }\n"
    ),
    "src/cart.rs": (
        "use crate::money::{tax::rate, self, pay as settle};\nuse shop_core::{Coin, flow};\n"
        "use std::io::Read;\npub struct Cart;\nimpl Cart {\n  fn add(&self, c: &Coin) {\n"
        "    rate(); money::pay(); settle(); Coin::new(); flow(); self.sum(); "
        "crate::money::tax::rate(); Read::new();\n  }\n  fn sum(&self) {}\n}\nmod tests {\n"
        "  use super::*;\n  use super::super::money::pay;\n  fn t() {\n    Cart::sum();\n    pay();\n"
        "  }\n}\n"
    ),
}
CSHARP = {
    "Cart.cs": (
        "using Shop.Cash;\nusing P = Shop.Cash.Coin;\nusing static Shop.Util.Strings;\n"
        "namespace Shop.Web {\n  class Cart : Base {\n    void Total(Coin coin) {\n"
        "      this.Add(); Low(); base.Low(); Coin.Mint(); P.Mint(); Pad(); new Item(); "
        "coin.Spend(); Root.Go();\n    }\n    void Add() {}\n  }\n}\n"
    ),
    "Base.cs": "namespace Shop.Web;\nclass Base { protected void Low() {} }\nclass Item {}\n",
    "Root.cs": "namespace Shop { class Root { public static void Go() {} } }\n",
    "Coin.cs": (
        "namespace Shop.Cash { public class Coin { public static void Mint() {} public void Spend() {} } }\n"
    ),
    "Other.cs": "namespace Other { public class Coin { public static void Mint() {} } }\n",
    "Strings.cs": "namespace Shop.Util { public static class Strings { public static void Pad() {} } }\n",
}
RUBY = {
    "lib/shop.rb": "require 'shop/cart'\nrequire_relative 'shop/money'\nShop::Cart.new\n",
    "lib/shop/cart.rb": (
        "require 'json'\nmodule Shop\n  class Cart < Base\n    include Taxed\n    def total\n"
        "      self.add\n      low\n      tax\n      Money.mint\n      super\n    end\n"
        "    def add; end\n  end\nend\n"
    ),
    "lib/shop/base.rb": "module Shop\n  class Base\n    def low; end\n  end\nend\n",
    "lib/shop/taxed.rb": "module Shop\n  module Taxed\n    def tax; end\n  end\nend\n",
    "lib/shop/money.rb": "module Shop\n  class Money\n    def self.mint; end\n  end\nend\n",
    "lib/other/money.rb": "module Other\n  class Money\n    def self.mint; end\n  end\nend\n",
}
PHP = {
    "src/Cart.php": (
        "<?php\nnamespace Shop\\Web;\nuse Shop\\Cash\\Coin;\nuse Shop\\Cash\\{Coin as Penny, Purse};\n"
        "use function Shop\\Util\\pad;\nclass Cart extends Base {\n  use Taxed;\n"
        "  function total(Coin $coin) {\n"
        "    $this->add(); $this->low(); parent::low(); self::add();\n"
        "    Coin::mint(); Penny::mint(); new Purse(); pad(); new Item(); $coin->spend(); "
        "$this->tax();\n  }\n  function add() {}\n}\n"
    ),
    "src/Base.php": (
        "<?php\nnamespace Shop\\Web;\nclass Base { function low() {} }\nclass Item {}\n"
        "trait Taxed { function tax() {} }\n"
    ),
    "src/Cash/Coin.php": (
        "<?php\nnamespace Shop\\Cash;\n"
        "class Coin { static function mint() {} function spend() {} }\nclass Purse {}\n"
    ),
    "other/Coin.php": "<?php\nnamespace Other;\nclass Coin { static function mint() {} }\n",
    "src/util.php": "<?php\nnamespace Shop\\Util;\nfunction pad() {}\n",
}
C = {
    "src/cart.c": (
        '#include "cart.h"\n#include <stdio.h>\n#include "lib/money.h"\n'
        "static int own(void) { return 1; }\n"
        "int total(void) { own(); tax(); helper(); printf(1); }\n"
    ),
    "src/cart.h": "int total(void);\nint helper(void);\n",
    "lib/money.h": '#include "coin.h"\nint tax(void);\n',
    "lib/coin.h": "struct coin { int worth; };\n",
    "far/printf.py": "def printf(): pass\n",
    "app/shop.hpp": (
        "namespace shop { class Base { public: void low(); };\n"
        "class Cart : public Base { public: void add(); static void of(); }; void go(); }\n"
    ),
    "app/shop.cpp": '#include "shop.hpp"\nnamespace shop {\nvoid Cart::add() {\n  low(); this->of();\n}\n}\n',
    "app/main.cpp": (
        '#include "shop.hpp"\nusing shop::Cart;\nnamespace s = shop;\nint main() {\n'
        "  Cart::of(); s::go(); shop::go();\n}\n"
    ),
}
SWIFT = {
    "Sources/Shop/Cart.swift": (
        "import Cash\nclass Cart: Base {\n  func total(coin: Coin) {\n    self.add()\n    low()\n"
        "    help()\n    Coin.mint()\n    coin.spend()\n    Cart.make()\n  }\n  func add() {}\n}\n"
    ),
    "Sources/Shop/Base.swift": (
        "class Base {\n  func low() {}\n}\nfunc help() {}\nextension Cart {\n  static func make() {}\n}\n"
    ),
    "Sources/Cash/Coin.swift": "public class Coin {\n  public static func mint() {}\n  func spend() {}\n}\n",
}
SCALA = {
    "a/Cart.scala": (
        "package com.shop\nimport com.cash.{Coin => Penny, _}\nclass Cart extends Base {\n"
        "  def total(p: Penny) = {\n    add()\n    low()\n    Penny.mint()\n    Purse.open()\n"
        "    Item.of()\n  }\n  def add() = 1\n}\n"
    ),
    "a/Base.scala": "package com.shop\nclass Base { def low() = 1 }\nobject Item { def of() = 1 }\n",
    "b/Coin.scala": "package com.cash\nobject Coin { def mint() = 1 }\nobject Purse { def open() = 1 }\n",
}

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


def test_a_variable_of_the_function_is_no_definition() -> None:
    found = resolved(PYTHON, "shop/cart.py", "get", 25)
    assert found == Resolution()  # `get = 3` stands above it
    assert resolved(PYTHON, "shop/cart.py", "pay") == Resolution()  # a parameter


def test_what_a_module_does_not_define_is_not_sought_elsewhere() -> None:
    assert resolved({**PYTHON, "else.py": "def missing(): pass\n"}, "app.py", "missing") == Resolution()


def test_an_unknown_receiver_gives_candidates_that_share_half_a_certainty() -> None:
    found = resolved(PYTHON, "tests/test_tool.py", "x.add")
    assert places(found) == [("shop/base.py", "Base.add", 0.25), ("shop/cart.py", "Cart.add", 0.25)]


def test_the_nearest_candidate_of_a_name_comes_first() -> None:
    files = {
        "a/one.py": "class A:\n    def run(self): pass\n",
        "b/two.py": "class B:\n    def run(self): pass\n",
        "b/use.py": "x.run()\n",
    }
    assert [path for path, *_ in places(resolved(files, "b/use.py", "x.run"))] == ["b/two.py", "a/one.py"]


def test_a_name_of_too_many_gives_nothing() -> None:
    files = {f"f{n}.py": f"class C{n}:\n    def run(self): pass\n" for n in range(25)}
    assert resolved({**files, "use.py": "x.run()\n"}, "use.py", "x.run") == Resolution()


def test_an_import_inside_a_function_is_seen_there_alone() -> None:
    files = {
        "a.py": "def tax(): pass\n",
        "b.py": "def one():\n    from a import tax\n    tax()\ndef two():\n    tax()\n",
    }
    assert places(resolved(files, "b.py", "tax", 3)) == [("a.py", "tax", 0.95)]
    assert resolved(files, "b.py", "tax", 5) == Resolution()


def test_a_dot_behind_a_call_makes_a_name_no_bare_one() -> None:
    files = {"a.py": "def get(): pass\nclass C:\n    def get(self): pass\nmake().get()\nget()\n"}
    assert places(resolved(files, "a.py", "get", 4)) == [("a.py", "C.get", 0.5)]
    assert places(resolved(files, "a.py", "get", 5)) == [("a.py", "get", 1.0)]


def test_re_exports_in_a_circle_end() -> None:
    files = {
        "p/__init__.py": "from .a import thing\n",
        "p/a.py": "from .b import thing\nfrom .b import *\n",
        "p/b.py": "from . import thing\nfrom .a import *\n",
        "use.py": "from p import thing\nthing()\n",
        "x.ts": "export * from './y'\nexport {q as r} from './y'\n",
        "y.ts": "export * from './x'\nimport {r as q} from './x'\nexport {q as q2}\n",
        "z.ts": "import {r, w} from './x'\nr(); w()\n",
        "k.ts": "import {q} from './l'\nexport {q as r}\n",
        "l.ts": "import {r} from './k'\nexport {r as q}\n",
        "m.ts": "import {r} from './k'\nr()\n",
    }
    assert resolved(files, "m.ts", "r") == Resolution()
    assert resolved(files, "use.py", "thing") == Resolution()
    assert resolved(files, "z.ts", "r") == Resolution()
    assert resolved(files, "z.ts", "w") == Resolution()


def test_bases_in_a_circle_end() -> None:
    files = {
        "a.py": "from b import B\nclass A(B):\n    def run(self):\n        self.gone(); self.low()\n",
        "b.py": "import a\nclass B(a.A, super().B):\n    def low(self): pass\n",
    }
    assert resolved(files, "a.py", "self.gone") == Resolution()
    assert places(resolved(files, "a.py", "self.low")) == [("b.py", "B.low", 1.0)]


def test_re_exports_are_followed_five_files_deep_and_no_further() -> None:
    files = {f"m{n}.py": f"from m{n + 1} import thing\n" for n in range(12)}
    files |= {"m12.py": "def thing(): pass\n"}
    near = {**files, "use.py": "from m7 import thing\nthing()\n"}
    far = {**files, "use.py": "from m0 import thing\nthing()\n"}
    assert places(resolved(near, "use.py", "thing")) == [("m12.py", "thing", 0.95)]
    assert resolved(far, "use.py", "thing") == Resolution()


def test_a_hundred_thousand_stars_are_not_all_followed() -> None:
    stars = "".join(f"from m{n} import *\n" for n in range(300)) * 300
    files = {f"m{n}.py": stars[:6000] for n in range(300)}
    files |= {"use.py": stars + "nothing()\n"}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    assert resolver.resolve("use.py", Reference("nothing", "call", 90_001)) == Resolution()
    assert len(resolver._sources._files) <= len(files)


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


def test_a_name_that_one_file_defines_ten_thousand_times_is_bounded() -> None:
    files = {"a.py": "def x(): pass\n" * 10_000 + "x()\n", "b.py": "from a import x\nx()\n"}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    for path in files:
        (use,) = [one for one in snapshot.references(path) if one.name == "x"]
        assert len(resolver.resolve(path, use).candidates) == MOST_CANDIDATES
    assert len(resolver._sources.file("a.py").named["x"]) < 100


def test_texts_that_were_read_ahead_stay_within_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panlect.search.resolution.sources._KEPT_BYTES", 100)
    files = {f"f{n}.py": f"def f{n}(): pass\nf{n}()\n" for n in range(30)}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    resolver.read_ahead(files)
    assert 0 < len(resolver._sources._lines) < 10
    for path in files:
        (use,) = snapshot.references(path)
        assert resolver.resolve(path, use).candidates


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


# Who uses a definition


def uses(files: dict[str, str], path: str, qualified: str) -> list[tuple[str, int, str, str, float]]:
    snapshot = MemoryRepository().snapshot(files)
    (definition,) = [d for d in snapshot.definitions(path) if d.qualified_name == qualified]
    return [tuple(site) for site in Resolver(snapshot).uses_of_definition(path, definition).sites]


def test_uses_are_found_under_every_name_that_imports_give() -> None:
    assert uses(PYTHON, "shop/money.py", "tax") == [
        ("app.py", 3, "", "call", 0.9),
        ("shop/cart.py", 12, "Cart.total", "call", 0.95),
        ("shop/cart.py", 13, "Cart.total", "call", 0.9),
        ("shop/cart.py", 14, "Cart.total", "call", 0.9),
    ]
    inner = "packages/core/src/sub/inner.tsx"
    assert [site[:2] for site in uses(TYPESCRIPT, inner, "Panel")] == [
        ("app/main.ts", line) for line in (9, 11, 12)
    ]


def test_uses_of_a_like_named_definition_are_left_out() -> None:
    assert [site[:2] for site in uses(GO, "pkg/cart/v2/sum.go", "Cart.Sum")] == [("pkg/cart/v2/cart.go", 5)]
    assert uses(GO, "pkg/other/other.go", "Cart.Sum") == []


def test_uses_beyond_two_thousand_references_are_cut_and_said_so() -> None:
    files = {"a.py": "def run(): pass\n" + "run()\n" * 2500, "b.py": "from a import run\n" + "run()\n" * 10}
    snapshot = MemoryRepository().snapshot(files)
    found = Resolver(snapshot).uses_of_definition("a.py", snapshot.definitions("a.py")[0])
    assert (found.examined, found.cut, len(found.sites)) == (2000, True, 2000)
    del files["b.py"]
    files["a.py"] = "def run(): pass\nrun()\n"
    snapshot = MemoryRepository().snapshot(files)
    assert not Resolver(snapshot).uses_of_definition("a.py", snapshot.definitions("a.py")[0]).cut


def test_what_a_line_uses_is_known_only_when_it_is_sure() -> None:
    snapshot = MemoryRepository().snapshot(PYTHON)
    resolver = Resolver(snapshot)
    assert [site.path for site in resolver.meant("app.py", "sink", 3) or ()] == ["shop/deeper.py"]
    assert resolver.meant("shop/cart.py", "fetch", 16) == []  # of requests, which is not here
    assert resolver.meant("tests/test_tool.py", "add", 3) is None  # by its name alone
    assert resolver.meant("app.py", "sink", 99) is None
