"""Small repositories, one a language, and how tests ask what a reference of them means."""

from __future__ import annotations

from panlect.code.analysis import Reference
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.resolution.answers import Resolution
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
