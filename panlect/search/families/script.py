"""Modules of TypeScript and JavaScript: paths without suffixes, tsconfig.json's `paths`, packages of the workspace."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from panlect.search.families.layout import LONGEST_MODULE, UNKNOWN, Layout, Module, joined, normal

_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")
_OTHER_SUFFIXES = (".vue", ".svelte", ".json")
# TypeScript is imported by the name of what it is compiled to.
_COMPILED = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_PathRule = tuple[str, str, tuple[str, ...], bool]  # before the star, after it, targets, whether there is one


class ScriptModules:
    """The TypeScript and JavaScript modules of one snapshot."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, importer: str, module: str) -> Module:
        """What a path or the name of a package means."""
        folder = posixpath.dirname(importer)
        if module.startswith("."):
            return self._at(joined(folder, module))
        for base in self._mapped(folder, module):
            found = self._at(base)
            if found.known:
                return found
        return self._workspace_package(module)

    def _at(self, base: str | None) -> Module:
        """A file by its path without a suffix; None for one outside the repository."""
        if base is None:
            return UNKNOWN
        stem, suffix = posixpath.splitext(base)
        tried = [base] if suffix in _SUFFIXES or suffix in _OTHER_SUFFIXES else []
        tried += [stem + other for other in _COMPILED.get(suffix, ())]
        tried += [base + other for other in _SUFFIXES]
        tried += [posixpath.join(base, "index" + other) for other in _SUFFIXES]
        found = self._layout.first(tried)
        if not found and base in self._packages:
            return self._package_entry(base)
        return Module((found,), known=True) if found else UNKNOWN

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
                found += [joined(base, target.replace("*", middle, 1)) for target in targets]
        if has_url:
            found.append(joined(base, module))
        return found

    @cached_property
    def _configs(self) -> Mapping[str, tuple[str, Sequence[_PathRule], bool]]:
        """Folder of a tsconfig.json -> (base folder, rules of `paths`, has a base URL)."""
        found: dict[str, tuple[str, Sequence[_PathRule], bool]] = {}
        for name in ("jsconfig.json", "tsconfig.json"):
            for folder, text in self._layout.manifests(name).items():
                options = _json(text).get("compilerOptions")
                if not isinstance(options, dict):
                    continue
                url, paths = options.get("baseUrl"), options.get("paths")
                base = joined(folder, url) if isinstance(url, str) else folder
                if base is not None and (isinstance(url, str) or isinstance(paths, dict)):
                    found[folder] = (base, _path_rules(paths), isinstance(url, str))
        return found

    def _workspace_package(self, module: str) -> Module:
        parts = module.split("/")
        size = 2 if module.startswith("@") else 1
        folder = self._package_names.get("/".join(parts[:size]))
        if folder is None:
            return UNKNOWN
        rest = "/".join(parts[size:])
        if not rest:
            return self._package_entry(folder)
        for base in (posixpath.join(folder, rest), posixpath.join(folder, "src", rest)):
            found = self._at(normal(base))
            if found.known:
                return found
        return Module(known=True)

    @cached_property
    def _package_names(self) -> Mapping[str, str]:
        """Name of a workspace's package -> its folder."""
        found: dict[str, str] = {}
        for folder, manifest in sorted(self._packages.items()):
            name = manifest.get("name")
            if isinstance(name, str) and "node_modules" not in folder:
                found.setdefault(name, folder)
        return found

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
            tried = joined(folder, base)
            if tried is not None:
                found = self._layout.first(
                    [
                        tried,
                        *(tried + s for s in _SUFFIXES),
                        *(f"{tried}/index{s}" for s in _SUFFIXES),
                    ]
                )
                if found:
                    return Module((found,), known=True)
        return Module(known=True)

    @cached_property
    def _packages(self) -> Mapping[str, Mapping[str, Any]]:
        """Folder -> its package.json."""
        return {
            folder: read
            for folder, text in self._layout.manifests("package.json").items()
            if (read := _json(text))
        }


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


def _json(text: str) -> dict[str, Any]:
    """An object of JSON with comments and trailing commas; {} when it is none."""
    plain = _COMMENT.sub(lambda found: found.group(1) or " ", text)
    try:
        read = json.loads(_TRAILING_COMMA.sub("", plain))
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
