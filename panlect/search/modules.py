"""Which files a module name means: the first half of resolving a reference, by language family.

A name is read as its language reads it: from the file that imports it, the layout of folders, and the few
files that say where a project's packages are (go.mod, Cargo.toml, package.json, tsconfig.json). Nothing is
executed; what a build would add is not known here.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from panlect.code.languages import language_by_name
from panlect.index.snapshot import Snapshot

LONGEST_MODULE: Final = 500  # letters; a longer name is no module
_MOST_STEPS = 40  # of a dotted name
_MOST_FILES = 5_000  # of one module
_MOST_MANIFESTS = 500
_MOST_MANIFEST_BYTES = 64 * 1024
_REMEMBERED = 200_000  # answers

_SCRIPT_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")
# TypeScript is imported by the name of what it is compiled to.
_COMPILED = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_RUBY_ROOTS = ("lib", "app", "spec", "test", "")
_SOURCE_FOLDERS = frozenset({"src", "lib", "python"})
_PYTHON_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg")
_RUST_ROOTS = ("lib.rs", "main.rs")
_RUST_OUTSIDE = frozenset({"std", "core", "alloc", "proc_macro", "test"})
_SCRIPT_FAMILIES = frozenset({"typescript", "javascript"})
_SPLIT = re.compile(r"::|[.\\/]")
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_GO_MODULE = re.compile(r'^\s*module\s+"?([^\s"]+)', re.M)
_CARGO_NAME = re.compile(r'^\s*name\s*=\s*"([^"]+)"', re.M)


@dataclass(frozen=True, slots=True)
class Module:
    """The files of a module. `within`: the rest of the name, when that is a type or namespace in these files.

    `known`: whether the name is this repository's, which a folder without files may be.
    """

    files: tuple[str, ...] = ()
    within: str = ""
    known: bool = False


_UNKNOWN = Module()
_PathRule = tuple[str, str, tuple[str, ...], bool]  # before the star, after it, targets, whether there is one


def files_of_module(snapshot: Snapshot, importer: str, module: str) -> tuple[str, ...]:
    """The files that `module` means in `importer`, () for one from elsewhere. For many use `Modules`."""
    return Modules(snapshot).find(importer, module).files


class Modules:
    """The modules of one snapshot. What was found is remembered."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._found: dict[tuple[str, str], Module] = {}
        self._own_packages: dict[tuple[str, str, bool], tuple[str, ...]] = {}
        self._finders: Mapping[str, Callable[[str, str], Module]] = {
            "python": self._python,
            "typescript": self._script,
            "javascript": self._script,
            "go": self._go,
            "jvm": self._namespace,
            "csharp": self._namespace,
            "php": self._php,
            "rust": self._rust,
            "c": self._c,
            "ruby": self._ruby,
            "swift": self._swift,
        }

    def find(self, importer: str, module: str) -> Module:
        """What `module` means in the file `importer`; unknown for an absurd name and a language without modules."""
        if not module or len(module) > LONGEST_MODULE:
            return _UNKNOWN
        if len(_SPLIT.findall(module)) > _MOST_STEPS:
            return _UNKNOWN
        finder = self._finders.get(language_by_name(importer).family)
        if finder is None:
            return _UNKNOWN
        key = (self._place(importer), module)
        found = self._found.get(key)
        if found is None:
            found = finder(importer, module)
            if len(self._found) < _REMEMBERED:
                self._found[key] = found
        return found

    def package_of(self, path: str) -> tuple[str, ...]:
        """The files whose names this one sees without an import, itself among them; () where there are none."""
        folder = posixpath.dirname(path)
        family = language_by_name(path).family
        place = _swift_target_name(path) or ":" if family == "swift" else folder
        key = (family, place, family == "go" and is_go_test(path))
        found = self._own_packages.get(key)
        if found is None:
            found = ()
            match family:
                case "go":
                    found = self._in_folder("go", folder)
                    if not is_go_test(path):
                        found = tuple(one for one in found if not is_go_test(one))
                case "jvm":
                    found = self._in_folder("jvm", folder)
                case "swift":
                    found = self._swift_target(path)
            self._own_packages[key] = found
        return found

    def crate_of(self, path: str) -> str:
        """The folder of a Rust file's crate root, its own folder when there is none."""
        return self._crate(path)[0]

    # What every language needs

    @staticmethod
    def _place(importer: str) -> str:
        """What of the importer an answer depends on. A Rust file is a module of its own."""
        family = language_by_name(importer).family
        return importer if family in ("rust", "go") else f"{family}:{posixpath.dirname(importer)}"

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(self._snapshot.paths())

    @cached_property
    def _folders(self) -> Mapping[str, Mapping[str, list[str]]]:
        """Family -> folder -> its own files."""
        found: dict[str, dict[str, list[str]]] = {}
        for path in self._snapshot.paths():
            family = language_by_name(path).family
            found.setdefault(family, {}).setdefault(posixpath.dirname(path), []).append(path)
        return found

    @cached_property
    def _every_folder(self) -> frozenset[str]:
        """Every folder that holds a file, at any depth."""
        found: set[str] = {""}
        for path in self._snapshot.paths():
            folder = posixpath.dirname(path)
            while folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(found)

    @cached_property
    def _named(self) -> Mapping[str, list[str]]:
        """File name -> the files of that name."""
        found: dict[str, list[str]] = {}
        for path in self._snapshot.paths():
            found.setdefault(posixpath.basename(path), []).append(path)
        return found

    def _in_folder(self, family: str, folder: str) -> tuple[str, ...]:
        return tuple(self._folders.get(family, {}).get(folder, ())[:_MOST_FILES])

    def _first(self, paths: Iterable[str]) -> str:
        return next((path for path in paths if path in self._paths), "")

    def _manifests(self, name: str) -> dict[str, str]:
        """Folder -> text of the files of this name, those of a bounded size."""
        small: list[str] = []
        for path in self._named.get(name, ())[:_MOST_MANIFESTS]:
            entry = self._snapshot.entry(path)
            if entry is not None and entry.is_regular and 0 <= entry.size <= _MOST_MANIFEST_BYTES:
                small.append(path)
        texts = self._snapshot.texts(small) if small else {}
        return {posixpath.dirname(path): text.decode("utf-8", "replace") for path, text in texts.items()}

    def _by_suffix(self, importer: str, wanted: str) -> str:
        """The file whose path ends like this, the one that shares most folders with the importer."""
        ending = "/" + wanted
        found = [
            path
            for path in self._named.get(posixpath.basename(wanted), ())[:_MOST_FILES]
            if path == wanted or path.endswith(ending)
        ]
        return min(
            found, key=lambda path: (-shared_folders(importer, path), path.count("/"), path), default=""
        )

    # Python

    def _python(self, importer: str, module: str) -> Module:
        dots = len(module) - len(module.lstrip("."))
        steps = [step for step in module[dots:].split(".") if step]
        if dots:
            folder = posixpath.dirname(importer)
            for _ in range(dots - 1):
                if not folder:
                    return _UNKNOWN
                folder = posixpath.dirname(folder)
            return self._python_at(folder, steps)
        if not steps:
            return _UNKNOWN
        for root in self._python_roots_for(importer, steps[0]):
            found = self._python_at(root, steps)
            if found.known:
                return found
        return _UNKNOWN

    def _python_at(self, folder: str, steps: Sequence[str]) -> Module:
        base = posixpath.join(folder, *steps)
        tried = [f"{base}/__init__.py", f"{base}/__init__.pyi"] if base else ["__init__.py"]
        if steps:
            tried += [f"{base}.py", f"{base}.pyi"]
        found = self._first(tried)
        if found:
            return Module((found,), known=True)
        return Module(known=bool(steps) and base in self._python_folders)

    @cached_property
    def _python_folders(self) -> frozenset[str]:
        """Folders with Python in or below them: a package may have no file of its own."""
        found: set[str] = set()
        for own in self._folders.get("python", {}):
            folder = own
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(found)

    @cached_property
    def _python_roots(self) -> Mapping[str, list[str]]:
        """First step of a module -> the roots that have it: folders that are no packages themselves."""
        packages = {folder for folder in self._python_folders if self._is_package(folder)}
        roots = {"", *(posixpath.dirname(f) for f in packages if posixpath.dirname(f) not in packages)}
        roots.update(f for f in self._python_folders if posixpath.basename(f) in _SOURCE_FOLDERS)
        for name in _PYTHON_PROJECTS:
            roots.update(posixpath.dirname(path) for path in self._named.get(name, ()))
        found: dict[str, list[str]] = {}
        for root in sorted(roots - packages, key=lambda folder: (folder.count("/"), folder)):
            for step in self._python_children.get(root, ()):
                found.setdefault(step, []).append(root)
        return found

    @cached_property
    def _python_children(self) -> Mapping[str, set[str]]:
        """Folder -> the modules and folders right in it."""
        found: dict[str, set[str]] = {}
        for folder, paths in self._folders.get("python", {}).items():
            stems = {posixpath.basename(path).rpartition(".")[0] for path in paths}
            found.setdefault(folder, set()).update(stems - {"__init__", "setup", "conftest"})
        for folder in self._python_folders:
            found.setdefault(posixpath.dirname(folder), set()).add(posixpath.basename(folder))
        return found

    def _is_package(self, folder: str) -> bool:
        return f"{folder}/__init__.py" in self._paths or f"{folder}/__init__.pyi" in self._paths

    def _python_roots_for(self, importer: str, first: str) -> list[str]:
        """Roots that have this first step: those around the importer before others, the nearest first.

        A script sees what stands beside it. What the standard library has comes from there unless a root
        around the importer has it too.
        """
        own = posixpath.dirname(importer)
        around = {own[:at] for at, letter in enumerate(own) if letter == "/"} | {"", own}
        roots = self._python_roots.get(first, [])
        near = sorted((root for root in roots if root in around), key=len, reverse=True)
        if not self._is_package(own) and own not in near and first in self._python_children.get(own, ()):
            near.insert(0, own)
        if first in sys.stdlib_module_names:
            return near
        return near + [root for root in roots if root not in around]

    # TypeScript and JavaScript

    def _script(self, importer: str, module: str) -> Module:
        folder = posixpath.dirname(importer)
        if module.startswith("."):
            return self._script_at(_joined(folder, module))
        for base in self._mapped(folder, module):
            found = self._script_at(base)
            if found.known:
                return found
        return self._workspace_package(module)

    def _script_at(self, base: str | None) -> Module:
        """A file by its path without a suffix; None for one outside the repository."""
        if base is None:
            return _UNKNOWN
        stem, suffix = posixpath.splitext(base)
        tried = [base] if suffix in _SCRIPT_SUFFIXES or suffix in (".vue", ".svelte", ".json") else []
        tried += [stem + other for other in _COMPILED.get(suffix, ())]
        tried += [base + other for other in _SCRIPT_SUFFIXES]
        tried += [posixpath.join(base, "index" + other) for other in _SCRIPT_SUFFIXES]
        found = self._first(tried)
        if not found and base in self._packages:
            return self._package_entry(base)
        return Module((found,), known=True) if found else _UNKNOWN

    @cached_property
    def _packages(self) -> Mapping[str, Mapping[str, Any]]:
        """Folder -> its package.json."""
        return {
            folder: read for folder, text in self._manifests("package.json").items() if (read := _json(text))
        }

    @cached_property
    def _package_names(self) -> Mapping[str, str]:
        """Name of a workspace's package -> its folder."""
        found: dict[str, str] = {}
        for folder, manifest in sorted(self._packages.items()):
            name = manifest.get("name")
            if isinstance(name, str) and "node_modules" not in folder:
                found.setdefault(name, folder)
        return found

    def _workspace_package(self, module: str) -> Module:
        parts = module.split("/")
        size = 2 if module.startswith("@") else 1
        folder = self._package_names.get("/".join(parts[:size]))
        if folder is None:
            return _UNKNOWN
        rest = "/".join(parts[size:])
        if not rest:
            return self._package_entry(folder)
        for base in (posixpath.join(folder, rest), posixpath.join(folder, "src", rest)):
            found = self._script_at(_normal(base))
            if found.known:
                return found
        return Module(known=True)

    def _package_entry(self, folder: str) -> Module:
        """The file that a package's manifest names; its source where that is built."""
        manifest = self._packages.get(folder, {})
        named = [manifest.get(key) for key in ("source", "types", "module", "main")]
        bases: list[str] = []
        for name in named:
            if isinstance(name, str) and len(name) <= LONGEST_MODULE:
                bases.append(name)
                stem = name.rpartition("/")[2].split(".")[0]
                bases.append(f"src/{stem}")
        for base in (*bases, "src/index", "index", "mod"):
            tried = _joined(folder, base)
            if tried is not None:
                found = self._first(
                    [
                        tried,
                        *(tried + s for s in _SCRIPT_SUFFIXES),
                        *(f"{tried}/index{s}" for s in _SCRIPT_SUFFIXES),
                    ]
                )
                if found:
                    return Module((found,), known=True)
        return Module(known=True)

    @cached_property
    def _configs(self) -> Mapping[str, tuple[str, Sequence[_PathRule], bool]]:
        """Folder of a tsconfig.json -> (base folder, rules of `paths`, has a base URL)."""
        found: dict[str, tuple[str, Sequence[_PathRule], bool]] = {}
        for name in ("jsconfig.json", "tsconfig.json"):
            for folder, text in self._manifests(name).items():
                options = _json(text).get("compilerOptions")
                if not isinstance(options, dict):
                    continue
                url, paths = options.get("baseUrl"), options.get("paths")
                base = _joined(folder, url) if isinstance(url, str) else folder
                if base is not None and (isinstance(url, str) or isinstance(paths, dict)):
                    found[folder] = (base, _path_rules(paths), isinstance(url, str))
        return found

    def _mapped(self, folder: str, module: str) -> list[str | None]:
        """Where the nearest tsconfig.json says a bare module is."""
        while folder not in self._configs:
            if not folder:
                return []
            folder = posixpath.dirname(folder)
        base, rules, has_url = self._configs[folder]
        found: list[str | None] = []
        for before, after, targets, star in rules:
            fits = module.startswith(before) and module.endswith(after) and len(module) >= len(before + after)
            if fits and (star or module == before):
                middle = module[len(before) : len(module) - len(after)]
                found += [_joined(base, target.replace("*", middle, 1)) for target in targets]
        if has_url:
            found.append(_joined(base, module))
        return found

    # Go

    @cached_property
    def _go_modules(self) -> Sequence[tuple[str, str]]:
        """(module path, folder) of every go.mod, the longest path first."""
        rows = [
            (found.group(1), folder)
            for folder, text in self._manifests("go.mod").items()
            if (found := _GO_MODULE.search(text))
        ]
        return sorted(rows, key=lambda row: (-len(row[0]), row[1]))

    def _go(self, importer: str, module: str) -> Module:
        if module.startswith("."):
            folder = _joined(posixpath.dirname(importer), module)
            return _UNKNOWN if folder is None else self._go_package(folder)
        for prefix, folder in self._go_modules:
            if module == prefix or module.startswith(prefix + "/"):
                return self._go_package(posixpath.join(folder, module[len(prefix) + 1 :]).rstrip("/"))
        vendored = self._go_package(f"vendor/{module}")
        if vendored.known or self._go_modules or "." not in module.split("/", maxsplit=1)[0]:
            return vendored
        steps = module.split("/")[1:]  # without go.mod: the longest end of the path that is a folder
        for at in range(len(steps)):
            found = self._go_package("/".join(steps[at:]))
            if found.known:
                return found
        return _UNKNOWN

    def _go_package(self, folder: str) -> Module:
        files = tuple(path for path in self._in_folder("go", folder) if not is_go_test(path))
        return Module(files, known=bool(files))

    # Languages whose files say their package or namespace

    def files_of_namespace(self, name: str, family: str) -> tuple[str, ...]:
        """The files of a family that open this namespace or package, by path."""
        key = (f"namespace:{family}", name)
        found = self._found.get(key)
        if found is None:
            last = name.rpartition(".")[2]
            files = {
                path
                for said in {name, last}
                for path in self._snapshot.files_defining(said)[:_MOST_FILES]
                if language_by_name(path).family == family
                and any(
                    d.kind == "module" and d.qualified_name == name for d in self._snapshot.definitions(path)
                )
            }
            found = Module(tuple(sorted(files)), known=bool(files))
            if len(self._found) < _REMEMBERED:
                self._found[key] = found
        return found.files

    def _namespace(self, importer: str, module: str) -> Module:
        """A package or namespace, or a type in one: what is left of the name is `within`."""
        family = language_by_name(importer).family
        steps = [step for step in _SPLIT.split(module) if step]
        for at in range(len(steps), 0, -1):
            files = self.files_of_namespace(".".join(steps[:at]), family)
            if files:
                return self._within(files, steps[at:])
        return _UNKNOWN

    def _within(self, files: tuple[str, ...], rest: Sequence[str]) -> Module:
        """The files of a package that define a type of it, when the name goes on with one."""
        if not rest:
            return Module(files, known=True)
        own = set(files)
        holding = tuple(path for path in self._snapshot.files_defining(rest[0]) if path in own)
        return Module(holding, ".".join(rest), known=True) if holding else _UNKNOWN

    def _php(self, importer: str, module: str) -> Module:
        if module.endswith((".php", ".inc", ".phtml")):
            beside = _joined(posixpath.dirname(importer), module.lstrip("/"))
            found = self._first([beside] if beside else []) or self._by_suffix(importer, module.lstrip("./"))
            return Module((found,), known=True) if found else _UNKNOWN
        found_ = self._namespace(importer, module)
        if found_.known:
            return found_
        steps = [step for step in module.split("\\") if step]
        if len(steps) < 2:
            return _UNKNOWN
        file = self._by_suffix(importer, "/".join(steps[-2:]) + ".php")  # a class file that says no namespace
        return Module((file,), steps[-1], known=True) if file else _UNKNOWN

    # Rust

    def _crate(self, path: str) -> tuple[str, tuple[str, ...]]:
        """(folder of the crate root, steps of the file's module below it)."""
        own = posixpath.dirname(path)
        folder = own
        while not any(posixpath.join(folder, name) in self._paths for name in _RUST_ROOTS):
            if not folder:
                return own, _rust_steps(path, own)
            folder = posixpath.dirname(folder)
        return folder, _rust_steps(path, folder)

    @cached_property
    def _crates(self) -> Mapping[str, str]:
        """Name of a crate of this repository -> the folder of its root."""
        found: dict[str, str] = {}
        for folder, text in sorted(self._manifests("Cargo.toml").items()):
            named = _CARGO_NAME.search(text)
            source = posixpath.join(folder, "src")
            if named and posixpath.join(source, "lib.rs") in self._paths:
                found.setdefault(named.group(1).replace("-", "_"), source)
        return found

    def _rust(self, importer: str, module: str) -> Module:
        folder, own = self._crate(importer)
        steps = [step for step in module.split("::") if step]
        if not steps:
            return _UNKNOWN
        head = steps[0]
        if head in ("self", "super"):
            here = list(own)
            while steps and steps[0] in ("self", "super"):
                if steps.pop(0) == "super":
                    if not here:
                        return _UNKNOWN
                    here.pop()
            return self._rust_at(folder, [*here, *steps])
        if head == "crate":
            return self._rust_at(folder, steps[1:])
        child = self._rust_at(folder, [*own, *steps])  # a module that this file declares
        if child.known and not child.within:
            return child
        if head in self._crates:
            return self._rust_at(self._crates[head], steps[1:])
        if child.known or head in _RUST_OUTSIDE:
            return child if head not in _RUST_OUTSIDE else _UNKNOWN
        return _UNKNOWN

    def _rust_at(self, folder: str, steps: Sequence[str]) -> Module:
        """The file of a module, or the nearest one above that defines the rest inline."""
        for at in range(len(steps), -1, -1):
            base = posixpath.join(folder, *steps[:at])
            tried = [f"{base}.rs", f"{base}/mod.rs"] if at else [posixpath.join(base, r) for r in _RUST_ROOTS]
            files = tuple(path for path in tried if path in self._paths)
            if not files:
                continue
            rest = steps[at:]
            if not rest:
                return Module(files, known=True)
            holding = tuple(p for p in files if any(d.name == rest[0] for d in self._snapshot.definitions(p)))
            return Module(holding, ".".join(rest), known=True) if holding else _UNKNOWN
        return _UNKNOWN

    # C and C++, Ruby, Swift

    def _c(self, importer: str, module: str) -> Module:
        """A header by its path, or a namespace."""
        if "." in posixpath.basename(module) or "/" in module:
            beside = _joined(posixpath.dirname(importer), module)
            found = self._first([beside] if beside else []) or self._by_suffix(importer, module.lstrip("./"))
            return Module((found,), known=True) if found else _UNKNOWN
        return self._namespace(importer, module)

    def _ruby(self, importer: str, module: str) -> Module:
        name = module if module.endswith(".rb") else f"{module}.rb"
        beside = _joined(posixpath.dirname(importer), name)
        if beside in self._paths:
            return Module((beside,), known=True)
        if module.startswith("."):
            return _UNKNOWN
        found = self._first(posixpath.join(root, name) for root in _RUBY_ROOTS)
        if not found:
            inner = [p for p in self._named.get(posixpath.basename(name), ()) if f"/lib/{name}" in f"/{p}"]
            found = min(inner, key=lambda path: (-shared_folders(importer, path), path), default="")
        return Module((found,), known=True) if found else _UNKNOWN

    def _swift(self, importer: str, module: str) -> Module:
        del importer
        files = self._swift_targets.get(module.split(".", maxsplit=1)[0], ())
        return Module(tuple(files), known=bool(files))

    @cached_property
    def _swift_targets(self) -> Mapping[str, list[str]]:
        """Target -> its files: Sources/<target>/ of a package."""
        found: dict[str, list[str]] = {}
        for path in self._snapshot.paths():
            target = _swift_target_name(path) if path.endswith(".swift") else ""
            if target and len(found.setdefault(target, [])) < _MOST_FILES:
                found[target].append(path)
        return found

    def _swift_target(self, path: str) -> tuple[str, ...]:
        target = _swift_target_name(path)
        if target:
            return tuple(self._swift_targets.get(target, ()))
        return tuple(p for folder in self._folders.get("swift", {}).values() for p in folder)[:_MOST_FILES]


def is_go_test(path: str) -> bool:
    """Whether a Go file is compiled for the tests of its package alone."""
    return path.endswith("_test.go")


def shared_folders(left: str, right: str) -> int:
    """How many leading folders two paths share."""
    count = 0
    for one, other in zip(left.split("/")[:-1], right.split("/")[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count


def _swift_target_name(path: str) -> str:
    parts = path.split("/")
    for folder in ("Sources", "Tests"):
        if folder in parts[:-2]:
            return parts[parts.index(folder) + 1]
    return ""


def _rust_steps(path: str, folder: str) -> tuple[str, ...]:
    inner = path[len(folder) + 1 :] if folder else path
    steps = inner.removesuffix(".rs").split("/")
    if steps[-1] == "mod" or (len(steps) == 1 and steps[0] in ("lib", "main")):
        steps.pop()
    return tuple(steps)


def _joined(folder: str, relative: str) -> str | None:
    """A path relative to a folder; None when it leaves the repository."""
    return _normal(posixpath.join(folder, relative))


def _normal(path: str) -> str | None:
    normal = posixpath.normpath(path)
    if normal == ".":
        return ""
    return None if normal.startswith(("../", "/")) or normal == ".." else normal


def _json(text: str) -> dict[str, Any]:
    """An object of JSON with comments and trailing commas; {} when it is none."""
    plain = _COMMENT.sub(lambda found: found.group(1) or " ", text)
    try:
        read = json.loads(_TRAILING_COMMA.sub("", plain))
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _path_rules(paths: object) -> list[_PathRule]:
    """Rules of tsconfig's `paths`, the most exact first."""
    rows = []
    for pattern, targets in list(paths.items())[:200] if isinstance(paths, dict) else ():
        if isinstance(targets, list) and len(pattern) <= LONGEST_MODULE:
            before, star, after = pattern.partition("*")
            named = tuple(target for target in targets[:10] if isinstance(target, str))
            rows.append((before, after, named, bool(star)))
    rows.sort(key=lambda row: (row[3], -len(row[0])))
    return rows
