"""Module names to files, one table a language family."""

from __future__ import annotations

import pytest

from panlect.index.memory import MemoryRepository
from panlect.search.modules import Modules, files_of_module

FILES = {
    # Python
    "shop/__init__.py": "",
    "shop/cart.py": "",
    "shop/web/__init__.py": "",
    "shop/web/json.py": "",
    "shop/spaced/view.py": "",
    "src/tool/__init__.pyi": "",
    "scripts/run.py": "",
    "deep/src/json.py": "",
    "deep/src/jsons.py": "",
    "scripts/requests.py": "",
    "scripts/json.py": "",
    # TypeScript
    "web/package.json": '{"name": "@shop/web", "types": "dist/main.d.ts"}',
    "web/src/main.ts": "",
    "web/src/part.tsx": "",
    "web/src/part/index.js": "",
    "web/src/old.cjs": "",
    "web/src/typed.d.ts": "",
    "web/tsconfig.json": '{"compilerOptions": {"paths": {"#part": ["./src/part"], "@/*": ["./gone/*", "./src/*"]}}}',
    # Go
    "go.mod": "// a comment\nmodule example.com/shop // here\n\ngo 1.22\n",
    "root.go": "package shop\n",
    "cash/cash.go": "package cash\n",
    "cash/cash_test.go": "package cash\n",
    "vendor/github.com/x/y/y.go": "package y\n",
    "tools/go.mod": "module example.com/shop/tools\n",
    "tools/lint/lint.go": "package lint\n",
    # Java
    "j/com/shop/Cart.java": "package com.shop;\nclass Cart { class Item {} }\n",
    "j/com/shop/Base.java": "package com.shop;\nclass Base {}\n",
    # Rust
    "r/Cargo.toml": '[package]\nname = "my-crate"\n',
    "r/src/lib.rs": "mod a;\nmod flat { pub mod deep { pub fn x() {} } }\n",
    "r/src/a/mod.rs": "mod b;\n",
    "r/src/a/b.rs": "pub enum Kind { One }\n",
    "r/src/a/b/c.rs": "",
    "other/src/main.rs": "",
    # C, C#, Ruby, PHP, Swift
    "c/lib/money.h": "",
    "c/app/main.c": "",
    "c/app/money.h": "",
    "s/Cart.cs": "namespace Shop.Web { class Cart {} }\n",
    "b/lib/shop/cart.rb": "",
    "b/lib/shop.rb": "",
    "lib/top.rb": "",
    "p/src/Cart.php": "<?php\nnamespace Shop\\Web;\nclass Cart {}\n",
    "p/src/inc.php": "<?php\n",
    "p/src/Plain/Thing.php": "<?php\nclass Thing {}\n",
    "w/Sources/Shop/Cart.swift": "",
    "w/Sources/Cash/Coin.swift": "",
    "notes.md": "",
}

CASES = [
    ("shop/cart.py", "shop", ("shop/__init__.py",)),
    ("shop/cart.py", "shop.web", ("shop/web/__init__.py",)),
    ("shop/cart.py", ".", ("shop/__init__.py",)),
    ("shop/cart.py", ".web.json", ("shop/web/json.py",)),
    ("shop/web/json.py", "..cart", ("shop/cart.py",)),
    ("shop/web/json.py", "json", ()),  # the standard library's, not its own
    ("shop/cart.py", "json", ()),
    ("shop/cart.py", "jsons", ("deep/src/jsons.py",)),
    ("shop/cart.py", "shop.spaced.view", ("shop/spaced/view.py",)),
    ("shop/cart.py", "....cart", ()),
    ("shop/cart.py", "tool", ("src/tool/__init__.pyi",)),
    ("shop/cart.py", "requests", ()),
    ("scripts/run.py", "requests", ("scripts/requests.py",)),
    ("scripts/run.py", "json", ("scripts/json.py",)),
    ("web/src/main.ts", "./part", ("web/src/part.tsx",)),
    ("web/src/main.ts", "./part/", ("web/src/part.tsx",)),
    ("web/src/main.ts", "./part/index", ("web/src/part/index.js",)),
    ("web/src/part/index.js", "..", ()),
    ("web/src/main.ts", "./old", ("web/src/old.cjs",)),
    ("web/src/main.ts", "./typed", ("web/src/typed.d.ts",)),
    ("web/src/part.tsx", "./main.js", ("web/src/main.ts",)),
    ("web/src/main.ts", "@/old.cjs", ("web/src/old.cjs",)),
    ("web/src/main.ts", "#part", ("web/src/part.tsx",)),
    ("web/src/main.ts", "#party", ()),
    ("web/src/old.cjs", "@shop/web", ("web/src/main.ts",)),
    ("web/src/old.cjs", "@shop/web/part", ("web/src/part.tsx",)),
    ("web/src/old.cjs", "react", ()),
    ("web/src/old.cjs", "../../../../etc", ()),
    ("root.go", "example.com/shop/cash", ("cash/cash.go",)),
    ("cash/cash.go", "example.com/shop", ("root.go",)),
    ("root.go", "example.com/shop/tools/lint", ("tools/lint/lint.go",)),
    ("root.go", "github.com/x/y", ("vendor/github.com/x/y/y.go",)),
    ("root.go", "example.com/other/cash", ()),
    ("root.go", "cash", ()),
    ("j/com/shop/Cart.java", "com.shop", ("j/com/shop/Base.java", "j/com/shop/Cart.java")),
    ("j/com/shop/Cart.java", "com.shop.Base", ("j/com/shop/Base.java",)),
    ("j/com/shop/Base.java", "com.shop.Cart.Item", ("j/com/shop/Cart.java",)),
    ("j/com/shop/Cart.java", "java.util", ()),
    ("r/src/a/b.rs", "crate::a", ("r/src/a/mod.rs",)),
    ("r/src/a/b.rs", "super", ("r/src/a/mod.rs",)),
    ("r/src/a/b.rs", "super::super", ("r/src/lib.rs",)),
    ("r/src/a/b.rs", "super::super::super", ()),
    ("r/src/a/b.rs", "self::c", ("r/src/a/b/c.rs",)),
    ("r/src/a/mod.rs", "b", ("r/src/a/b.rs",)),
    ("r/src/a/mod.rs", "b::Kind", ("r/src/a/b.rs",)),
    ("r/src/a/mod.rs", "crate::flat::deep", ("r/src/lib.rs",)),
    ("r/src/lib.rs", "std::io", ()),
    ("other/src/main.rs", "my_crate::a::b", ("r/src/a/b.rs",)),
    ("c/app/main.c", "money.h", ("c/app/money.h",)),
    ("c/app/main.c", "lib/money.h", ("c/lib/money.h",)),
    ("c/app/main.c", "stdio.h", ()),
    ("s/Cart.cs", "Shop.Web", ("s/Cart.cs",)),
    ("s/Cart.cs", "System.Text", ()),
    ("b/lib/shop/cart.rb", "../shop", ("b/lib/shop.rb",)),
    ("b/lib/shop.rb", "shop/cart", ("b/lib/shop/cart.rb",)),
    ("notes.rb", "shop/cart", ("b/lib/shop/cart.rb",)),
    ("b/lib/shop.rb", "top", ("lib/top.rb",)),
    ("b/lib/shop.rb", "json", ()),
    ("p/src/inc.php", "Shop\\Web", ("p/src/Cart.php",)),
    ("p/src/Cart.php", "/inc.php", ("p/src/inc.php",)),
    ("p/src/Cart.php", "Vendor\\Plain\\Thing", ("p/src/Plain/Thing.php",)),
    ("w/Sources/Shop/Cart.swift", "Cash", ("w/Sources/Cash/Coin.swift",)),
    ("w/Sources/Shop/Cart.swift", "Foundation", ()),
    ("notes.md", "shop", ()),
]


@pytest.fixture(scope="module")
def modules() -> Modules:
    return Modules(MemoryRepository().snapshot(FILES))


@pytest.mark.parametrize(("importer", "module", "expected"), CASES, ids=[f"{c[0]}:{c[1]}" for c in CASES])
def test_a_module_is_the_files_that_its_language_means(
    modules: Modules, importer: str, module: str, expected: tuple[str, ...]
) -> None:
    assert modules.find(importer, module).files == expected


def test_a_folder_without_a_file_of_its_own_is_known(modules: Modules) -> None:
    found = modules.find("shop/cart.py", "shop.spaced")
    assert (found.files, found.known) == ((), True)


def test_what_a_name_says_beyond_its_module_is_kept(modules: Modules) -> None:
    assert modules.find("j/com/shop/Base.java", "com.shop.Cart.Item").within == "Cart.Item"
    assert modules.find("r/src/a/mod.rs", "crate::flat::deep").within == "flat.deep"


def test_one_question_needs_no_tables_kept() -> None:
    assert files_of_module(MemoryRepository().snapshot(FILES), "shop/cart.py", "shop") == (
        "shop/__init__.py",
    )


def test_a_package_is_what_needs_no_import(modules: Modules) -> None:
    assert modules.package_of("cash/cash.go") == ("cash/cash.go",)
    assert modules.package_of("cash/cash_test.go") == ("cash/cash.go", "cash/cash_test.go")
    assert modules.package_of("w/Sources/Shop/Cart.swift") == ("w/Sources/Shop/Cart.swift",)
    assert modules.package_of("shop/cart.py") == ()


def test_absurd_names_are_no_modules(modules: Modules) -> None:
    for path in FILES:
        for name in (
            "",
            ".",
            "..",
            "/",
            "\\",
            "::",
            "a" * 501,
            "." * 100,
            "a." * 200,
            "\0",
            "../" * 50,
            "a//b",
            "%s",
        ):
            found = modules.find(path, name)
            assert found.files == () or name in (".", "..", "/")


def test_broken_manifests_say_nothing() -> None:
    files = {
        "package.json": '{"a":' * 10_000,
        "a/package.json": '["no object"]',
        "b/package.json": '{"name": 3, "main": ["x"]}',
        "tsconfig.json": '{"compilerOptions": {"paths": {"*": "no list"}, "baseUrl": "../../.."}}',
        "c/tsconfig.json": '{"compilerOptions": 7}',
        "go.mod": "\xff module",
        "Cargo.toml": "[package",
        "a.ts": "",
        "a.go": "package a\n",
        "src/lib.rs": "",
    }
    modules = Modules(MemoryRepository().snapshot(files))
    for path in ("a.ts", "a.go", "src/lib.rs"):
        assert modules.find(path, "anything/else").files == ()
