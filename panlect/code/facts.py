"""What one file says about names: bindings, imports, exports, uses and calls (journey B, read by the checks of A).

Everything that can be resolved inside the file is resolved here, so a fact is either something another
file may use, or something that only another file can answer. Rows are named tuples: they pack as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    pass

FACTS_VERSION = 2
"""Raise it whenever the extraction or the packed form changes: cached facts of another version are void."""


class Guard:
    """What the code around a use already expects to fail; such a use is never called broken.

    Plain bits: an enum's `&` makes an object each time, and these are asked for every use of a repository.
    """

    NONE: Final = 0
    IMPORT: Final = 1
    NAME: Final = 2
    ATTRIBUTE: Final = 4
    CALL: Final = 8
    ALL: Final = 15


class Spread:
    """Arguments of a call whose number or names cannot be read off, as bits."""

    NONE: Final = 0
    POSITIONAL: Final = 1
    KEYWORD: Final = 2


LOCAL = -1
"""`Use.source` of a definition in the same file."""
SELF = -2
"""`Use.source` of a member of the instance or class around it; `Use.target` is `Class.member`, `Class.field.member`."""
TYPED = -3
"""`Use.source` of a member of something whose type is written down; `Use.target` is `Type:member`.

The type is a dotted name of the file's top level; `f()` is what calling it gives, `~f()` what awaiting the call does.
"""
NO_CALL = -1
"""`Use.argc` of a use that is not a call."""


class Binding(NamedTuple):
    """A name bound at module (package) level, or a method of a class.

    `kind`: function, class, type, variable, import, method, classmethod, staticmethod, property.
    `signature` is None where it cannot be known (unknown decorator, overloads, bound more than once); see
    `panlect.checks.call_fit` for its spelling. `header_end` is the last line of the signature. `source`
    is the index into `FileFacts.imports`, or -1. `gives` is the type of a variable or of what a function
    returns, where one is written: spelled as in TYPED, with `~` before what has to be awaited.
    """

    name: str
    kind: str
    line: int
    header_end: int
    signature: str | None = None
    multiple: bool = False
    source: int = -1
    gives: str = ""


class ImportFact(NamedTuple):
    """`from module import name as alias`; `name` is "" where the module itself is bound.

    Python's `import a.b` has module `a.b` and alias `a`; `import a.b as c` reads as `from a import b as c`.
    TypeScript's namespace import has the name `*`, Go's imports have the name "".
    """

    module: str
    name: str
    alias: str
    line: int
    guards: int = 0
    enclosing: str = ""


class Star(NamedTuple):
    """`from module import *`, `export * from "module"`, or Go's dot import."""

    module: str
    line: int


class Export(NamedTuple):
    """A name this TypeScript file exports; `module` is set when it passes on `local` of another file."""

    name: str
    local: str
    module: str
    line: int


class ClassFact(NamedTuple):
    """A class at module level. `bases` are dotted names as written, "" for one that is no plain name.

    `opaque`: decorators or keywords that may add or replace members. `attributes`: names stored on the
    instance or in the class body. `fields`: (name, type) of those with one type. `abstract`: methods to be defined below.
    """

    name: str
    line: int
    bases: tuple[str, ...]
    opaque: bool
    methods: tuple[Binding, ...]
    attributes: tuple[str, ...]
    fields: tuple[tuple[str, str], ...] = ()
    abstract: tuple[str, ...] = ()


class Loose(NamedTuple):
    """A name that nothing in the file binds (builtins left out), once per enclosing definition."""

    name: str
    line: int
    enclosing: str
    guards: int = 0


class Use(NamedTuple):
    """A use that another file may break: a member of something imported, or a call whose shape matters.

    `source` indexes `FileFacts.imports` (or is LOCAL, SELF, TYPED); `target` is what follows the imported name,
    dotted, "" for the imported thing itself.
    """

    source: int
    target: str
    line: int
    enclosing: str
    guards: int = 0
    argc: int = NO_CALL
    keywords: tuple[str, ...] = ()
    spread: int = 0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The scope facts of one file.

    `opaque`: names may appear that cannot be read off (exec, globals(), module `__getattr__`, `export =`).
    `package`: Go's package clause. `listed`: Python's `__all__` where it is a plain list, else None.
    `injected`: names stored from here on other modules. `replaced`: attribute names stored on, or patched
    into, other objects. `bound`: every name bound anywhere (TypeScript). `ambient`: names declared for all
    files (TypeScript).
    """

    language: str
    has_error: bool = False
    generated: bool = False
    opaque: bool = False
    package: str = ""
    listed: tuple[str, ...] | None = None
    bindings: tuple[Binding, ...] = ()
    imports: tuple[ImportFact, ...] = ()
    stars: tuple[Star, ...] = ()
    exports: tuple[Export, ...] = ()
    classes: tuple[ClassFact, ...] = ()
    loose: tuple[Loose, ...] = ()
    uses: tuple[Use, ...] = ()
    injected: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """These facts as msgpack; `unpack` gives back an equal value."""
        import msgpack

        row = tuple(getattr(self, column.name) for column in fields(self))
        return bytes(msgpack.packb(row))

    @staticmethod
    def unpack(packed: bytes) -> FileFacts:
        """The facts that `pack` wrote. Raises ValueError when the bytes are anything else."""
        import msgpack

        try:
            return _from_row(msgpack.unpackb(packed, use_list=False, strict_map_key=False))
        except (msgpack.exceptions.UnpackException, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"no packed facts of version {FACTS_VERSION}") from error


def words(text: str) -> frozenset[str]:
    """The words of a list written as text, which reads better than a hundred quoted strings."""
    return frozenset(text.split())


def is_generated(source: bytes) -> bool:
    """Whether the head of the file says that a program wrote it."""
    head = source[:2048]
    return b"DO NOT EDIT" in head or b"@generated" in head


def _from_row(row: tuple[Any, ...]) -> FileFacts:
    if len(row) != len(fields(FileFacts)):
        raise ValueError("wrong number of columns")
    (language, has_error, generated, opaque, package, listed, bindings, imports, stars, exports) = row[:10]
    (classes, loose, uses, injected, replaced, bound, ambient) = row[10:]
    return FileFacts(
        language,
        has_error,
        generated,
        opaque,
        package,
        listed,
        tuple(map(Binding._make, bindings)),
        tuple(map(ImportFact._make, imports)),
        tuple(map(Star._make, stars)),
        tuple(map(Export._make, exports)),
        tuple(map(_class_from_row, classes)),
        tuple(map(Loose._make, loose)),
        tuple(map(Use._make, uses)),
        injected,
        replaced,
        bound,
        ambient,
    )


def _class_from_row(row: tuple[Any, ...]) -> ClassFact:
    name, line, bases, opaque, methods, attributes, typed, abstract = row
    return ClassFact(
        name, line, bases, opaque, tuple(map(Binding._make, methods)), attributes, typed, abstract
    )
