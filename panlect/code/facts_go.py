"""Scope facts of a Go file: what it gives its package, and what it takes from it and from imports."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from panlect.code.facts import (
    LOCAL,
    NO_CALL,
    TYPED,
    Binding,
    ClassFact,
    FileFacts,
    Guard,
    ImportFact,
    Loose,
    Spread,
    Star,
    Use,
    is_generated,
    words,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_UNIVERSE = words(
    """
    any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string
    uint uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag
    len make max min new panic print println real recover _ init main C
    """
)
# First path elements of the standard library: no package of a repository.
_STANDARD = words(
    """
    archive bufio builtin bytes cmp compress container context crypto database debug embed encoding errors expvar
    flag fmt go hash html image index io iter log maps math mime net os path plugin reflect regexp runtime slices
    sort strconv strings structs sync syscall testing text time unicode unique unsafe weak
    """
)
_VERSION = re.compile(r"v\d+\Z")
_GOPKG_VERSION = re.compile(r"\.v\d+\Z")


_MAX_STEPS = 2  # from member to member of what is typed
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?\Z")


class _Shape(NamedTuple):
    argc: int
    spread: int


_NOT_A_CALL = _Shape(NO_CALL, 0)


@dataclass(slots=True)
class _Bound:
    kind: str
    line: int
    header_end: int
    signature: str | None = None
    source: int = -1
    count: int = 1
    gives: str = ""
    said_in: _Scope | None = None  # where the type is written


@dataclass(slots=True)
class _Type:
    """What this file says of a type of the package: its declaration, or only methods of it."""

    line: int
    bases: list[str] = field(default_factory=list)
    opaque: bool = False
    methods: dict[str, _Bound] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Scope:
    parent: _Scope | None
    name: str
    names: dict[str, _Bound] = field(default_factory=dict)


class _Seen(NamedTuple):
    name: str
    member: str
    line: int
    scope: _Scope
    shape: _Shape


def go_facts(root: Node, source: bytes) -> FileFacts:
    """The scope facts of one parsed Go file."""
    walk = _Walk(source)
    walk.read(root)
    return _resolve(walk, root.has_error, is_generated(source))


class _Walk:
    """Reads a tree with an explicit stack. Functions are scopes; blocks are not told apart.

    So more is bound than in Go, which can only keep a check silent.
    """

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.imported = _Scope(None, "")
        self.package = _Scope(self.imported, "")
        self.package_name = ""
        self.seen: list[_Seen] = []
        self.imports: list[ImportFact] = []
        self.stars: list[Star] = []
        self.types: dict[str, _Type] = {}
        self._stack: list[tuple[Node, _Scope]] = []
        self._handlers: dict[str, Callable[[Node, _Scope], None]] = {
            "identifier": self._identifier,
            "type_identifier": self._identifier,
            "package_clause": self._package,
            "import_spec": self._import,
            "selector_expression": self._selector,
            "qualified_type": self._qualified_type,
            "call_expression": self._call,
            "function_declaration": self._function,
            "method_declaration": self._method,
            "func_literal": self._literal,
            "function_type": self._literal,
            "method_elem": self._literal,
            "type_spec": self._type,
            "type_alias": self._type,
            "const_spec": self._names,
            "var_spec": self._names,
            "parameter_declaration": self._names,
            "variadic_parameter_declaration": self._names,
            "type_parameter_declaration": self._names,
            "short_var_declaration": self._left,
            "range_clause": self._left,
            "receive_statement": self._left,
            "type_switch_statement": self._type_switch,
            "keyed_element": self._keyed,
            "comment": self._skip,
        }

    def read(self, root: Node) -> None:
        """Walk the whole tree; fills the lists."""
        stack, handlers = self._stack, self._handlers
        stack.append((root, self.package))
        while stack:
            node, scope = stack.pop()
            handler = handlers.get(node.type)
            if handler is not None:
                handler(node, scope)
            elif node.named_child_count:
                for child in reversed(node.named_children):
                    stack.append((child, scope))

    # -- small things -------------------------------------------------------------------------------

    def _name(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _push(self, node: Node | None, scope: _Scope) -> None:
        if node is not None:
            self._stack.append((node, scope))

    def _push_children(self, node: Node, scope: _Scope, *, but: tuple[Node, ...] = ()) -> None:
        for child in reversed(node.named_children):
            if child not in but:
                self._stack.append((child, scope))

    def _skip(self, node: Node, scope: _Scope) -> None:
        """Nothing in here is a name in use."""

    def _bind(self, scope: _Scope, name: str, bound: _Bound) -> None:
        known = scope.names.get(name)
        if known is None:
            scope.names[name] = bound
        else:
            known.count += 1
            known.line = min(known.line, bound.line)

    def _bind_plain(self, node: Node, scope: _Scope, kind: str = "variable") -> None:
        line = node.start_point[0] + 1
        self._bind(scope, self._name(node), _Bound(kind, line, line))

    # -- names in use -------------------------------------------------------------------------------

    def _identifier(self, node: Node, scope: _Scope) -> None:
        self.seen.append(_Seen(self._name(node), "", node.start_point[0] + 1, scope, _NOT_A_CALL))

    def _selector(self, node: Node, scope: _Scope) -> None:
        self._member(node, scope, "operand", "field", _NOT_A_CALL)

    def _qualified_type(self, node: Node, scope: _Scope) -> None:
        self._member(node, scope, "package", "name", _NOT_A_CALL)

    def _member(self, node: Node, scope: _Scope, left_field: str, right_field: str, shape: _Shape) -> None:
        left, right = node.child_by_field_name(left_field), node.child_by_field_name(right_field)
        if left is None or right is None:
            return
        parts = [self._name(right)]
        while left.type == "selector_expression":
            inner, part = left.child_by_field_name("operand"), left.child_by_field_name("field")
            if inner is None or part is None:
                return
            parts.append(self._name(part))
            left = inner
        if left.type in ("identifier", "package_identifier"):
            line = left.start_point[0] + 1
            member = ".".join(reversed(parts))
            self.seen.append(_Seen(self._name(left), member, line, scope, shape))
        else:
            self._push(left, scope)

    def _call(self, node: Node, scope: _Scope) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            self._push_children(node, scope)
            return
        self._push_children(node, scope, but=(function,))
        shape = self._shape(arguments)
        if function.type == "identifier":
            line = function.start_point[0] + 1
            self.seen.append(_Seen(self._name(function), "", line, scope, shape))
        elif function.type == "selector_expression":
            self._member(function, scope, "operand", "field", shape)
        else:
            self._push(function, scope)

    def _shape(self, arguments: Node) -> _Shape:
        parts = [child for child in arguments.named_children if child.type != "comment"]
        # f(g()) passes all that g returns, f(x...) as many as x holds: neither can be counted.
        uncounted = any(part.type == "variadic_argument" for part in parts)
        uncounted = uncounted or (len(parts) == 1 and parts[0].type == "call_expression")
        return _Shape(len(parts), Spread.POSITIONAL if uncounted else Spread.NONE)

    def _keyed(self, node: Node, scope: _Scope) -> None:
        """`Key: value`: a plain key is a field's name as a rule, so it counts as none of ours."""
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        plain = key is not None and [child.type for child in key.named_children] == ["identifier"]
        if not plain:
            self._push(key, scope)
        self._push(value, scope)

    # -- definitions --------------------------------------------------------------------------------

    def _package(self, node: Node, _scope: _Scope) -> None:
        if node.named_children:
            self.package_name = self._name(node.named_children[0])

    def _function(self, node: Node, scope: _Scope) -> None:
        name_node, parameters = node.child_by_field_name("name"), node.child_by_field_name("parameters")
        if name_node is None or parameters is None:
            return
        name, line = self._name(name_node), name_node.start_point[0] + 1
        signature = self._signature(parameters)
        gives = self._result(node)
        self._bind(
            scope,
            name,
            _Bound("function", line, parameters.end_point[0] + 1, signature, gives=gives, said_in=scope),
        )
        self._push_children(node, _Scope(scope, name), but=(name_node,))

    def _signature(self, parameters: Node) -> str:
        """The parameters as `call_fit` spells them; several may share one declaration."""
        spelled: list[str] = []
        for node in parameters.named_children:
            if node.type == "variadic_parameter_declaration":
                spelled.append("*")
            elif node.type == "parameter_declaration":
                names = [self._name(name) for name in node.children_by_field_name("name")]
                spelled += names or ["_"]
        return ",".join(spelled)

    def _method(self, node: Node, scope: _Scope) -> None:
        name_node, receiver = node.child_by_field_name("name"), node.child_by_field_name("receiver")
        name = self._name(name_node) if name_node is not None else ""
        inner = _Scope(scope, name)
        if receiver is not None:
            self._bind_receiver_types(receiver, inner)
            owner = self._receiver_type(receiver)
            inner.name = f"{owner}.{name}"
            parameters = node.child_by_field_name("parameters")
            if name_node is not None and parameters is not None and owner:
                line, end = name_node.start_point[0] + 1, parameters.end_point[0] + 1
                bound = _Bound("method", line, end, self._signature(parameters), gives=self._result(node))
                self._note_method(owner, name, bound)
        self._push_children(node, inner)

    def _note_method(self, owner: str, name: str, bound: _Bound) -> None:
        methods = self.types.setdefault(owner, _Type(bound.line)).methods
        if name in methods:
            methods[name].count += 1
        else:
            methods[name] = bound

    def _result(self, node: Node) -> str:
        """The type of the first result, "" where it is no named one."""
        result = node.child_by_field_name("result")
        if result is not None and result.type == "parameter_list":
            first = result.named_children[0] if result.named_children else None
            result = first.child_by_field_name("type") if first is not None else None
        return self._said(result)

    def _said(self, node: Node | None) -> str:
        """The named type that is written, without its pointer and its arguments; "" for any other."""
        while node is not None and node.type in ("pointer_type", "parenthesized_type"):
            node = node.named_children[0] if node.named_children else None
        if node is not None and node.type == "generic_type":
            node = node.child_by_field_name("type")
        known = node is not None and node.type in ("type_identifier", "qualified_type")
        return self._name(node) if known and node is not None else ""

    def _made(self, node: Node | None) -> str:
        """The type of `T{}`, `&T{}` and `new(T)`; `f()` for a call."""
        if node is not None and node.type == "unary_expression" and self._around(node)[:1] == b"&":
            node = node.child_by_field_name("operand")
        if node is not None and node.type == "composite_literal":
            return self._said(node.child_by_field_name("type"))
        function = (
            node.child_by_field_name("function")
            if node is not None and node.type == "call_expression"
            else None
        )
        if function is None or node is None:
            return ""
        dotted = self._name(function)
        if dotted == "new":
            arguments = node.child_by_field_name("arguments")
            return (
                self._said(arguments.named_children[0])
                if arguments is not None and arguments.named_children
                else ""
            )
        return f"{dotted}()" if _DOTTED.match(dotted) else ""

    def _note_type(self, name: str, node: Node) -> None:
        """The members of a type that the package declares."""
        said = node.child_by_field_name("type")
        owner = self.types.setdefault(name, _Type(node.start_point[0] + 1))
        owner.line = node.start_point[0] + 1
        if said is None or node.type != "type_spec" or said.type not in ("struct_type", "interface_type"):
            plain = ("function_type", "map_type", "slice_type", "channel_type", "array_type")
            owner.opaque = said is None or node.type != "type_spec" or said.type not in plain
            return
        stack = list(said.named_children)
        while stack:
            member = stack.pop()
            if member.type == "field_declaration_list":
                stack.extend(member.named_children)
            elif member.type == "field_declaration":
                self._note_field(owner, member)
            elif member.type == "method_elem":
                self._note_element(owner, member)
            elif member.type == "type_elem":
                owner.bases.append(
                    self._said(member.named_children[0]) if len(member.named_children) == 1 else ""
                )

    def _note_field(self, owner: _Type, node: Node) -> None:
        names, gives = node.children_by_field_name("name"), self._said(node.child_by_field_name("type"))
        for name in names:
            owner.fields[self._name(name)] = gives
        if not names:  # embedded: its members are members here, and its name is a field
            owner.bases.append(gives)
            owner.fields[gives.rsplit(".", 1)[-1]] = gives

    def _note_element(self, owner: _Type, node: Node) -> None:
        name, parameters = node.child_by_field_name("name"), node.child_by_field_name("parameters")
        if name is None or parameters is None:
            return
        line, end = name.start_point[0] + 1, parameters.end_point[0] + 1
        bound = _Bound("method", line, end, self._signature(parameters), gives=self._result(node))
        owner.methods[self._name(name)] = bound

    def is_of_package(self, gives: str, scope: _Scope | None) -> bool:
        """Whether a type's first name is one of the package or of an import, and no local one."""
        first = gives.split(".", 1)[0].split("(", 1)[0]
        while scope is not None and scope is not self.package:
            if first in scope.names:
                return False
            scope = scope.parent
        return bool(first)

    def _receiver_type(self, receiver: Node) -> str:
        found = re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*\)\Z", self._name(receiver))
        return found.group(1) if found else ""

    def _bind_receiver_types(self, receiver: Node, scope: _Scope) -> None:
        """`func (t *T[K]) m()`: K is bound by the receiver."""
        stack = list(receiver.named_children)
        while stack:
            node = stack.pop()
            if node.type == "type_arguments":
                for element in node.named_children:
                    for name in element.named_children or [element]:
                        self._bind_plain(name, scope)
            else:
                stack.extend(node.named_children)

    def _literal(self, node: Node, scope: _Scope) -> None:
        self._push_children(node, _Scope(scope, scope.name))

    def _type(self, node: Node, scope: _Scope) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is None:
            return
        self._bind_plain(name_node, scope, "type")
        if scope is self.package:
            self._note_type(self._name(name_node), node)
        inner = _Scope(scope, self._name(name_node) if scope is self.package else scope.name)
        self._push_children(node, inner, but=(name_node,))

    def _names(self, node: Node, scope: _Scope) -> None:
        names = tuple(node.children_by_field_name("name"))
        gives = (
            self._said(node.child_by_field_name("type"))
            if node.type != "variadic_parameter_declaration"
            else ""
        )
        values = node.child_by_field_name("value")
        if not gives and node.type == "var_spec" and len(names) == 1 and values is not None:
            gives = self._made(values.named_children[0]) if len(values.named_children) == 1 else ""
        for name in names:
            if name.type == "identifier":
                self._bind_plain(name, scope)
                bound = scope.names[self._name(name)]
                bound.gives, bound.said_in = gives, scope
        self._push_children(node, scope, but=names)

    def _left(self, node: Node, scope: _Scope) -> None:
        left = node.child_by_field_name("left")
        if left is not None and (node.type == "short_var_declaration" or b":=" in self._around(node)):
            for name in left.named_children:
                if name.type == "identifier":
                    self._bind_plain(name, scope)
                else:
                    self._push(name, scope)
            self._note_made(node, left, scope)
            self._push_children(node, scope, but=(left,))
        else:
            self._push_children(node, scope)

    def _note_made(self, node: Node, left: Node, scope: _Scope) -> None:
        """`x := T{}` and `x, err := f()`: the type of the first, and of the others where each has a value."""
        right = node.child_by_field_name("right")
        if node.type != "short_var_declaration" or right is None:
            return
        names, values = left.named_children, right.named_children
        for number, name in enumerate(names):
            if name.type != "identifier" or number >= len(values):
                break
            if len(values) != len(names) and number:
                break
            bound = scope.names[self._name(name)]
            if bound.count == 1:
                bound.gives, bound.said_in = self._made(values[number]), scope

    def _around(self, node: Node) -> bytes:
        return self.source[node.start_byte : node.end_byte]

    def _type_switch(self, node: Node, scope: _Scope) -> None:
        alias = node.child_by_field_name("alias")
        if alias is not None:
            for name in alias.named_children or [alias]:
                self._bind_plain(name, scope)
        self._push_children(node, scope, but=(alias,) if alias is not None else ())

    def _import(self, node: Node, _scope: _Scope) -> None:
        path_node, name_node = node.child_by_field_name("path"), node.child_by_field_name("name")
        if path_node is None:
            return
        path, line = self._name(path_node).strip('"`'), node.start_point[0] + 1
        alias = self._name(name_node) if name_node is not None else ""
        if alias == ".":
            self.stars.append(Star(path, line))
        elif alias == "_":
            self.imports.append(ImportFact(path, "", "_", line))
        else:
            self.imports.append(ImportFact(path, "", alias or _default_name(path), line))
            bound = _Bound("import", line, line, source=len(self.imports) - 1)
            self._bind(self.imported, alias or _default_name(path), bound)


def _default_name(path: str) -> str:
    """The package name an import path suggests: its last element without a major version."""
    elements = path.split("/")
    last = elements[-1]
    if _VERSION.match(last) and len(elements) > 1:
        last = elements[-2]
    return _GOPKG_VERSION.sub("", last)


# -- the second pass: what binds each name in use -------------------------------------------------------


def _resolve(walk: _Walk, has_error: bool, generated: bool) -> FileFacts:
    loose: dict[tuple[str, str], Loose] = {}
    uses: set[Use] = set()
    confirmed: set[str] = set()
    for seen in walk.seen:
        bound, home = _home(seen)
        if bound is None:
            if seen.name not in _UNIVERSE or seen.shape is not _NOT_A_CALL:
                _note_loose(loose, seen)
                _note_package_call(uses, seen)
            continue
        if home is walk.imported:
            confirmed.add(seen.name)
        use = _use(walk, _of_package(seen) if home is walk.imported else seen, bound, home)
        if use is not None:
            uses.add(use)
    # An import that no use confirms has another package name than its path suggests: it may be any qualifier.
    guessed_wrong = any(fact.alias not in confirmed and fact.alias != "_" for fact in walk.imports)
    qualifiers = {seen.name for seen in walk.seen if seen.member}
    return FileFacts(
        language="go",
        has_error=has_error,
        generated=generated,
        opaque=any(fact.module == "C" for fact in walk.imports),
        package=walk.package_name,
        bindings=tuple(_binding(name, bound) for name, bound in sorted(walk.package.names.items())),
        imports=tuple(walk.imports),
        stars=tuple(walk.stars),
        loose=tuple(
            name._replace(guards=Guard.NAME) if guessed_wrong and name.name in qualifiers else name
            for name in sorted(loose.values(), key=lambda name: (name.line, name.name, name.enclosing))
        ),
        classes=_classes(walk),
        uses=tuple(sorted(uses, key=lambda use: (use.line, use))),
    )


def _of_package(seen: _Seen) -> _Seen:
    """Of `pkg.Name.field` what is asked of the package: Name."""
    name, _, rest = seen.member.partition(".")
    return seen._replace(member=name, shape=_NOT_A_CALL) if rest else seen


def _classes(walk: _Walk) -> tuple[ClassFact, ...]:
    return tuple(
        ClassFact(
            name,
            owner.line,
            tuple(owner.bases),
            owner.opaque,
            tuple(_binding(method, bound) for method, bound in sorted(owner.methods.items())),
            tuple(sorted(owner.fields)),
            tuple((field_name, gives) for field_name, gives in sorted(owner.fields.items()) if gives),
        )
        for name, owner in sorted(walk.types.items())
    )


def _home(seen: _Seen) -> tuple[_Bound | None, _Scope | None]:
    scope: _Scope | None = seen.scope
    while scope is not None:
        bound = scope.names.get(seen.name)
        if bound is not None:
            return bound, scope
        scope = scope.parent
    return None, None


def _note_loose(loose: dict[tuple[str, str], Loose], seen: _Seen) -> None:
    if seen.name in _UNIVERSE:
        return
    key = (seen.name, seen.scope.name)
    if key not in loose or loose[key].line > seen.line:
        loose[key] = Loose(seen.name, seen.line, seen.scope.name)


def _note_package_call(uses: set[Use], seen: _Seen) -> None:
    """A call of a name that another file of the package may define."""
    argc, spread = seen.shape
    if argc != NO_CALL and not seen.member and seen.name not in _UNIVERSE:
        uses.add(Use(LOCAL, seen.name, seen.line, seen.scope.name, 0, argc, (), spread))


def _use(walk: _Walk, seen: _Seen, bound: _Bound, home: _Scope | None) -> Use | None:
    """What another file, or a changed signature, may break; None for everything else."""
    argc, spread = seen.shape
    if home is walk.imported and bound.count == 1:
        path = walk.imports[bound.source].module
        if not seen.member or path.split("/", 1)[0] in _STANDARD:
            return None
        return Use(bound.source, seen.member, seen.line, seen.scope.name, 0, argc, (), spread)
    if seen.member and bound.gives and bound.count == 1 and bound.kind == "variable":
        if seen.member.count(".") <= _MAX_STEPS and walk.is_of_package(bound.gives, bound.said_in):
            target = f"{bound.gives}:{seen.member}"
            return Use(TYPED, target, seen.line, seen.scope.name, 0, argc, (), spread)
        return None
    if home is walk.package and bound.kind == "function" and not seen.member and argc != NO_CALL:
        return Use(LOCAL, seen.name, seen.line, seen.scope.name, 0, argc, (), spread)
    return None


def _binding(name: str, bound: _Bound) -> Binding:
    once = bound.count == 1
    return Binding(
        name,
        bound.kind,
        bound.line,
        bound.header_end,
        bound.signature if once else None,
        not once,
        gives=bound.gives if once else "",
    )
