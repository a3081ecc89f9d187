"""Files that are included by their path: headers of C and C++, PHP and Ruby; the first two have namespaces too."""

from __future__ import annotations

import posixpath

from panlect.search.families.layout import UNKNOWN, Layout, Module, joined, shared_folders
from panlect.search.families.namespace import Namespaces

_RUBY_ROOTS = ("lib", "app", "spec", "test", "")


def c_module(layout: Layout, namespaces: Namespaces, importer: str, module: str) -> Module:
    """A header by its path, or a namespace."""
    if "." in posixpath.basename(module) or "/" in module:
        beside = joined(posixpath.dirname(importer), module)
        found = layout.first([beside] if beside else []) or layout.by_suffix(importer, module.lstrip("./"))
        return Module((found,), known=True) if found else UNKNOWN
    return namespaces.find(importer, module)


def php_module(layout: Layout, namespaces: Namespaces, importer: str, module: str) -> Module:
    """A file by its path, a namespace, or the file that is called like a class."""
    if module.endswith((".php", ".inc", ".phtml")):
        beside = joined(posixpath.dirname(importer), module.lstrip("/"))
        found = layout.first([beside] if beside else []) or layout.by_suffix(importer, module.lstrip("./"))
        return Module((found,), known=True) if found else UNKNOWN
    space = namespaces.find(importer, module)
    if space.known:
        return space
    steps = [step for step in module.split("\\") if step]
    if len(steps) < 2:
        return UNKNOWN
    file = layout.by_suffix(importer, "/".join(steps[-2:]) + ".php")  # a class file that says no namespace
    return Module((file,), steps[-1], known=True) if file else UNKNOWN


def ruby_module(layout: Layout, importer: str, module: str) -> Module:
    """What `require` and `require_relative` load: beside the file, below a root, or in the lib of a gem."""
    name = module if module.endswith(".rb") else f"{module}.rb"
    beside = joined(posixpath.dirname(importer), name)
    if beside in layout.paths:
        return Module((beside,), known=True)
    if module.startswith("."):
        return UNKNOWN
    found = layout.first(posixpath.join(root, name) for root in _RUBY_ROOTS)
    if not found:
        inner = [p for p in layout.named.get(posixpath.basename(name), ()) if f"/lib/{name}" in f"/{p}"]
        found = min(inner, key=lambda path: (-shared_folders(importer, path), path), default="")
    return Module((found,), known=True) if found else UNKNOWN
