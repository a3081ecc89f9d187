"""Scope facts of a TypeScript or TSX file: bindings, imports, exports, and names that lost theirs.

Scopes are functions, classes and types; blocks are not told apart, which binds more than the language
does and so can only keep a check silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from panlect.code.facts import (
    LOCAL,
    NO_CALL,
    SELF,
    TYPED,
    Binding,
    ClassFact,
    Export,
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

# Names every runtime or test runner brings: never worth a row.
_GLOBALS = words(
    """
    Array ArrayBuffer Boolean Buffer Date Error Function Infinity Intl JSON Map Math NaN Number Object Promise
    Proxy RangeError Reflect RegExp Set String Symbol SyntaxError TypeError URL URLSearchParams WeakMap WeakSet
    Uint8Array Record Partial Required Readonly Pick Omit Exclude Extract NonNullable Parameters ReturnType
    Awaited InstanceType ReadonlyArray Iterable Iterator AsyncIterable AsyncGenerator Generator PromiseLike
    arguments console document event exports fetch global globalThis history location module name navigator
    origin parent performance process require screen self status top undefined window setTimeout clearTimeout
    setInterval clearInterval setImmediate queueMicrotask structuredClone Request Response Headers FormData
    Blob File Event AbortController AbortSignal ReadableStream WritableStream TransformStream TextEncoder
    TextDecoder crypto caches JSX React describe it test expect beforeEach afterEach beforeAll afterAll vi jest
    __dirname __filename isNaN parseInt parseFloat encodeURIComponent decodeURIComponent BigInt length close
    open print find stop focus blur scroll alert confirm prompt external frames menubar toolbar Deno Bun
    """
)
_OMITTABLE = frozenset({b"any", b"unknown", b"void", b"undefined"})
_EXPECTED_ERROR = re.compile(rb"@ts-(?:expect-error|ignore)")
# The grammar reads `using x = f()` as two statements, and so does not see that it binds x.
_USING = re.compile(rb"\busing\s+([A-Za-z_$][\w$]*)\s*=")
_MAX_TYPE = 200
_MAX_STEPS = 2  # from member to member of what is typed
_TYPE = re.compile(r"([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)(<.*>)?\Z")
_DOTTED = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*\Z")
_FUNCTIONS = (
    "function_expression",
    "generator_function",
    "arrow_function",
    "method_definition",
    "method_signature",
    "abstract_method_signature",
    "function_type",
    "constructor_type",
    "call_signature",
    "construct_signature",
)
_DECLARED_FUNCTIONS = ("function_declaration", "generator_function_declaration", "function_signature")
_CLASSES = ("class_declaration", "abstract_class_declaration", "class")
_TYPES = ("interface_declaration", "type_alias_declaration")
_NAMED_DECLARATIONS = frozenset(
    {"variable_declarator", "enum_declaration", "internal_module", "module"}
    | {*_DECLARED_FUNCTIONS, *_CLASSES, *_TYPES}
)
_VALUES_WITH_SCOPE = frozenset({"arrow_function", "function_expression", "generator_function"})


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
class _Class:
    """A class or an interface at module level while it is being read."""

    name: str
    line: int
    bases: tuple[str, ...]
    opaque: bool = False
    methods: dict[str, _Bound] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    declared: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, set[str]] = field(default_factory=dict)

    def field_type(self, name: str) -> str:
        """The declared type of a field, else the only one that is ever assigned; of a getter, what it gives."""
        if name in self.declared:
            return self.declared[name]
        types = self.assigned.get(name, set())
        bound = self.methods.get(name)
        if not types and bound is not None and bound.kind == "property" and bound.count == 1:
            return bound.gives
        return next(iter(types)) if len(types) == 1 else ""


@dataclass(slots=True)
class _Scope:
    parent: _Scope | None
    name: str
    names: dict[str, _Bound] = field(default_factory=dict)
    owner: _Class | None = None  # what `this` is an instance of
    namespace: bool = False  # a TypeScript namespace or `declare global`: its exports are its own


class _Seen(NamedTuple):
    name: str
    chain: str
    line: int
    scope: _Scope
    shape: _Shape


def typescript_facts(root: Node, source: bytes) -> FileFacts:
    """The scope facts of one parsed TypeScript file."""
    walk = _Walk(source)
    walk.read(root)
    return _resolve(walk, root.has_error, is_generated(source))


class _Walk:
    """Reads a tree with an explicit stack: scopes and their bindings, and every name in use."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.module = _Scope(None, "")
        self.seen: list[_Seen] = []
        self.imports: list[ImportFact] = []
        self.exports: list[Export] = []
        self.stars: list[Star] = []
        self.bound: set[str] = set()
        self.ambient: set[str] = set()
        self.opaque = b"@ts-nocheck" in source[:2048]
        self.is_module = False
        self.classes: list[_Class] = []
        for found in _USING.finditer(source):
            line = source.count(b"\n", 0, found.start()) + 1
            self._bind(self.module, found.group(1).decode("utf-8", "replace"), _Bound("variable", line, line))
        self._stack: list[tuple[Node, _Scope]] = []
        self._handlers: dict[str, Callable[[Node, _Scope], None]] = {
            "identifier": self._identifier,
            "type_identifier": self._identifier,
            "shorthand_property_identifier": self._identifier,
            "member_expression": self._member,
            "nested_identifier": self._member,
            "nested_type_identifier": self._member,
            "call_expression": self._call,
            "import_statement": self._import,
            "export_statement": self._export,
            "enum_declaration": self._enum,
            "internal_module": self._namespace,
            "module": self._namespace,
            "ambient_declaration": self._ambient,
            "variable_declarator": self._variable,
            "assignment_expression": self._assignment,
            "required_parameter": self._parameter,
            "optional_parameter": self._parameter,
            "for_in_statement": self._for_in,
            "catch_clause": self._catch,
            "type_parameter": self._bind_name,
            "mapped_type_clause": self._bind_name,
            "index_signature": self._bind_name,
            "infer_type": self._infer,
            "jsx_opening_element": self._jsx,
            "jsx_self_closing_element": self._jsx,
            "jsx_closing_element": self._skip,
            "comment": self._skip,
            "string": self._skip,
            **dict.fromkeys(_FUNCTIONS, self._function),
            **dict.fromkeys(_DECLARED_FUNCTIONS, self._declared_function),
            **dict.fromkeys(_CLASSES, self._class),
            **dict.fromkeys(_TYPES, self._type),
        }

    def read(self, root: Node) -> None:
        """Walk the whole tree; fills the lists."""
        stack, handlers = self._stack, self._handlers
        stack.append((root, self.module))
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

    def _push_children(self, node: Node, scope: _Scope, *, but: Node | None = None) -> None:
        for child in reversed(node.named_children):
            if child != but:
                self._stack.append((child, scope))

    def _skip(self, node: Node, scope: _Scope) -> None:
        """Nothing in here is a name in use."""

    def _bind(self, scope: _Scope, name: str, bound: _Bound) -> None:
        self.bound.add(name)
        known = scope.names.get(name)
        if known is None:
            scope.names[name] = bound
        else:
            known.count += 1
            known.line = min(known.line, bound.line)

    def _bind_plain(self, node: Node, scope: _Scope, kind: str = "variable") -> None:
        line = node.start_point[0] + 1
        self._bind(scope, self._name(node), _Bound(kind, line, line))

    def _bind_pattern(self, pattern: Node, scope: _Scope) -> None:
        """Bind the names of a destructuring pattern; its defaults and computed keys are uses."""
        stack = [pattern]
        while stack:
            node = stack.pop()
            if node.type in ("identifier", "shorthand_property_identifier_pattern"):
                self._bind_plain(node, scope)
            elif node.type in ("assignment_pattern", "object_assignment_pattern"):
                left = node.child_by_field_name("left")
                if left is not None:
                    stack.append(left)
                self._push(node.child_by_field_name("right"), scope)
            elif node.type == "pair_pattern":
                value, key = node.child_by_field_name("value"), node.child_by_field_name("key")
                if value is not None:
                    stack.append(value)
                if key is not None and key.type == "computed_property_name":
                    self._push(key, scope)
            elif node.type in ("member_expression", "subscript_expression"):
                self._push(node, scope)
            else:
                stack.extend(node.named_children)

    # -- names in use -------------------------------------------------------------------------------

    def _identifier(self, node: Node, scope: _Scope) -> None:
        self.seen.append(_Seen(self._name(node), "", node.start_point[0] + 1, scope, _NOT_A_CALL))

    def _member(self, node: Node, scope: _Scope) -> None:
        self._chain(node, scope, _NOT_A_CALL)

    def _chain(self, node: Node, scope: _Scope, shape: _Shape) -> None:
        """`a.b.c` as one use of `a`; anything else than a plain name at the left is walked."""
        parts: list[str] = []
        while node.type in ("member_expression", "nested_identifier", "nested_type_identifier"):
            left = node.child_by_field_name("object") or node.child_by_field_name("module")
            part = node.child_by_field_name("property") or node.child_by_field_name("name")
            if left is None or part is None:
                return
            parts.append(self._name(part))
            node = left
        if node.type not in ("identifier", "this"):
            self._push(node, scope)
            return
        name, chain = self._name(node), ".".join(reversed(parts))
        if name == "exports" or (name == "module" and chain.startswith("exports")):
            self.opaque = True
        self.seen.append(_Seen(name, chain, node.start_point[0] + 1, scope, shape))

    def _call(self, node: Node, scope: _Scope) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            self._push_children(node, scope)
            return
        self._push(node.child_by_field_name("type_arguments"), scope)
        self._push(arguments, scope)
        if function.type in ("identifier", "member_expression") and arguments.type == "arguments":
            self._chain(function, scope, self._shape(arguments))
        else:
            self._push(function, scope)

    def _shape(self, arguments: Node) -> _Shape:
        argc, spread = 0, 0
        for argument in arguments.named_children:
            if argument.type == "spread_element":
                spread = Spread.POSITIONAL
            elif argument.type != "comment":
                argc += 1
        return _Shape(argc, spread)

    def _jsx(self, node: Node, scope: _Scope) -> None:
        name = node.child_by_field_name("name")
        if name is not None and name.type == "identifier" and self._name(name)[:1].islower():
            self._push_children(node, scope, but=name)  # <div>: an element of the host, no name of ours
        else:
            self._push_children(node, scope)

    # -- definitions --------------------------------------------------------------------------------

    def _function(self, node: Node, scope: _Scope, name: str = "") -> None:
        name_node = node.child_by_field_name("name")
        if name_node is not None and name_node.type == "property_identifier":
            name = self._name(name_node)
        inner = _Scope(scope, _qualified(scope, name) if name else scope.name)
        in_class = node.parent is not None and node.parent.type == "class_body"
        if node.type == "arrow_function" or (
            in_class and all(part.type != "static" for part in node.children)
        ):
            inner.owner = scope.owner
        if name_node is not None and name_node.type == "identifier":
            self._bind_plain(name_node, inner, "function")
        parameter = node.child_by_field_name("parameter")
        if parameter is not None:
            self._bind_pattern(parameter, inner)
        for child in reversed(node.named_children):
            if child not in (parameter, name_node) or child.type == "computed_property_name":
                self._push(child, inner)

    def _declared_function(self, node: Node, scope: _Scope) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is None:
            self._push_children(node, scope)
            return
        name, parameters = self._name(name_node), node.child_by_field_name("parameters")
        line = name_node.start_point[0] + 1
        end = parameters.end_point[0] + 1 if parameters is not None else line
        gives = self._said(node.child_by_field_name("return_type"))
        bound = _Bound("function", line, end, self._signature(parameters), gives=gives, said_in=scope)
        self._bind(scope, name, bound)
        self._push_children(node, _Scope(scope, _qualified(scope, name)), but=name_node)

    def _signature(self, parameters: Node | None) -> str | None:
        """The parameters as `call_fit` spells them; None when there are none to read."""
        if parameters is None or parameters.type != "formal_parameters":
            return None
        spelled: list[str] = []
        for node in parameters.named_children:
            if node.type not in ("required_parameter", "optional_parameter"):
                continue
            pattern = node.child_by_field_name("pattern")
            if pattern is None or pattern.type == "this":
                continue
            name = self._name(pattern) if pattern.type == "identifier" else "?"
            if pattern.type == "rest_pattern":
                spelled.append("*")
            else:
                spelled.append(name + ("=" if self._may_be_left_out(node) else ""))
        return ",".join(spelled)

    def _may_be_left_out(self, parameter: Node) -> bool:
        if parameter.type == "optional_parameter" or parameter.child_by_field_name("value") is not None:
            return True
        annotation = parameter.child_by_field_name("type")
        if annotation is None:
            return False
        text = self.source[annotation.start_byte : annotation.end_byte].lstrip(b": ")
        return not _OMITTABLE.isdisjoint(re.split(rb"[\s|]+", text))

    def _class(self, node: Node, scope: _Scope) -> None:
        name_node = node.child_by_field_name("name")
        name = self._name(name_node) if name_node is not None else ""
        inner = _Scope(scope, _qualified(scope, name) if name else scope.name)
        if name_node is not None:
            self._bind_plain(name_node, inner if node.type == "class" else scope, "class")
        if scope is self.module and node.type != "class" and name:
            inner.owner = self._members(node, name, node.start_point[0] + 1)
        self._push_children(node, inner, but=name_node)

    def _type(self, node: Node, scope: _Scope) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is not None:
            self._bind_plain(name_node, scope, "type")
        inner = _Scope(scope, _qualified(scope, self._name(name_node)) if name_node else scope.name)
        if scope is self.module and name_node is not None and node.type == "interface_declaration":
            self._members(node, self._name(name_node), name_node.start_point[0] + 1)
        self._push_children(node, inner, but=name_node)

    # -- members ------------------------------------------------------------------------------------

    def _members(self, node: Node, name: str, line: int) -> _Class:
        """What a class or an interface declares; what it assigns to `this` is added by the walk."""
        bases: list[str] = []
        for child in node.named_children:
            clauses = child.named_children if child.type == "class_heritage" else [child]
            for clause in clauses:
                if clause.type in ("extends_clause", "extends_type_clause"):
                    bases += [
                        self._base(part) for part in clause.named_children if part.type != "type_arguments"
                    ]
        owner = _Class(name, line, tuple(bases))
        self.classes.append(owner)
        body = node.child_by_field_name("body")
        for member in body.named_children if body is not None else ():
            self._member_of(owner, member)
        return owner

    def _base(self, node: Node) -> str:
        if node.type == "generic_type":
            node = node.child_by_field_name("name") or node
        plain = ("identifier", "type_identifier", "member_expression", "nested_type_identifier")
        return self._name(node) if node.type in plain else ""

    def _member_of(self, owner: _Class, node: Node) -> None:
        name_node = node.child_by_field_name("name")
        if node.type == "index_signature" or (
            name_node is not None and name_node.type == "computed_property_name"
        ):
            owner.opaque = True  # any name may be there
        if name_node is None or node.type == "index_signature":
            return
        name, line = self._name(name_node).strip("'\""), name_node.start_point[0] + 1
        parameters = node.child_by_field_name("parameters")
        if node.type in ("method_definition", "method_signature", "abstract_method_signature"):
            tokens = {child.type for child in node.children}
            kind = (
                "property" if tokens & {"get", "set"} else "staticmethod" if "static" in tokens else "method"
            )
            gives = self._said(node.child_by_field_name("return_type"))
            end = parameters.end_point[0] + 1 if parameters is not None else line
            known = owner.methods.get(name)
            if known is not None:
                known.count += kind != "property"  # a getter and its setter are one
                known.gives = known.gives or gives
                return
            signature = self._signature(parameters) if "?" not in tokens else None
            owner.methods[name] = _Bound(kind, line, end, signature, gives=gives)
            if name == "constructor" and parameters is not None:
                self._parameter_properties(owner, parameters)
        else:
            owner.attributes.add(name)
            declared = node.child_by_field_name("type")
            gives = (
                self._said(declared)
                if declared is not None
                else self._made(node.child_by_field_name("value"))
            )
            if node.child_by_field_name("type") is not None or gives:
                owner.declared[name] = gives

    def _parameter_properties(self, owner: _Class, parameters: Node) -> None:
        for node in parameters.named_children:
            pattern = node.child_by_field_name("pattern")
            marks = {"accessibility_modifier", "override_modifier", "readonly"}
            if pattern is not None and any(child.type in marks for child in node.children):
                owner.attributes.add(self._name(pattern))
                owner.declared[self._name(pattern)] = self._said(node.child_by_field_name("type"))

    def _assignment(self, node: Node, scope: _Scope) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type == "member_expression" and scope.owner is not None:
            receiver, part = left.child_by_field_name("object"), left.child_by_field_name("property")
            if receiver is not None and part is not None and receiver.type == "this":
                name = self._name(part)
                scope.owner.attributes.add(name)
                scope.owner.assigned.setdefault(name, set()).add(self._made(right))
        self._push(right, scope)
        self._push(left, scope)

    def _said(self, annotation: Node | None) -> str:
        """The one class that an annotation names, `~C` for a promise of it, "" where it names none or several."""
        if annotation is None or annotation.end_byte - annotation.start_byte > _MAX_TYPE:
            return ""
        text = "".join(self._name(annotation).split()).lstrip(":").removeprefix("readonly")
        parts = [part for part in text.split("|") if part not in ("null", "undefined")]
        found = _TYPE.match(parts[0]) if len(parts) == 1 else None
        if found is None:
            return ""
        if found[1] in ("Promise", "PromiseLike"):
            inner = _TYPE.match((found[2] or "<>")[1:-1])
            return f"~{inner[1]}" if inner is not None else ""
        return found[1]

    def _made(self, node: Node | None) -> str:
        """The type of `new C()` and `x as C`; `f()` for a call, `~f()` for an awaited one."""
        if node is None:
            return ""
        if node.type in ("as_expression", "satisfies_expression") and len(node.named_children) == 2:
            return self._said(node.named_children[1])
        waited = node.type == "await_expression"
        if waited and node.named_children:
            node = node.named_children[0]
        called = node.child_by_field_name("constructor" if node.type == "new_expression" else "function")
        if called is None or called.end_byte - called.start_byte > _MAX_TYPE:
            return ""
        dotted = self._name(called)
        if not _DOTTED.match(dotted):
            return ""
        return dotted if node.type == "new_expression" and not waited else f"{'~' * waited}{dotted}()"

    def is_of_module(self, gives: str, scope: _Scope | None) -> bool:
        """Whether a type's first name means the one at module level: local classes have no facts."""
        first = gives.lstrip("~").split(".", 1)[0].split("(", 1)[0]
        while scope is not None and scope is not self.module:
            if first in scope.names:
                return False
            scope = scope.parent
        return first in self.module.names

    def _enum(self, node: Node, scope: _Scope) -> None:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None or body is None:
            return
        self._bind_plain(name_node, scope, "class")
        inner = _Scope(scope, _qualified(scope, self._name(name_node)))
        for member in body.named_children:
            if member.type == "property_identifier":
                self._bind_plain(member, inner)
            elif member.type == "enum_assignment":
                self._bind_name(member, inner)

    def _namespace(self, node: Node, scope: _Scope) -> None:
        name = node.child_by_field_name("name")
        if name is not None and name.type in ("identifier", "nested_identifier"):
            first = name
            while first.type == "nested_identifier":
                first = first.named_children[0]
            self._bind_plain(first, scope, "namespace")
        inner = _Scope(scope, scope.name, namespace=True)
        self._push(node.child_by_field_name("body"), inner)

    def _ambient(self, node: Node, scope: _Scope) -> None:
        for child in reversed(node.named_children):
            if child.type == "statement_block":  # declare global { ... }
                inner = _Scope(scope, scope.name, namespace=True)
                self._push(child, inner)
                self.ambient.update(self._declared_names(child))
            else:
                self._push(child, scope)

    def _declared_names(self, block: Node) -> Iterator[str]:
        stack = [block]
        while stack:
            node = stack.pop()
            name = node.child_by_field_name("name")
            if name is not None:
                yield self._name(name)
            elif node.type != "class_body":
                stack.extend(node.named_children)

    def _variable(self, node: Node, scope: _Scope) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        annotation = node.child_by_field_name("type")
        if name is None:
            return
        if name.type != "identifier" or value is None or value.type not in _VALUES_WITH_SCOPE:
            self._bind_pattern(name, scope)
            if name.type == "identifier":
                bound = scope.names[self._name(name)]
                bound.gives = self._said(annotation) if annotation is not None else self._made(value)
                bound.said_in = scope
            self._push(value, scope)
            self._push(annotation, scope)
            return
        parameters = value.child_by_field_name("parameters")
        line = name.start_point[0] + 1
        end = parameters.end_point[0] + 1 if parameters is not None else line
        constant = node.parent is not None and node.parent.type == "lexical_declaration"
        constant = constant and node.parent is not None and node.parent.children[0].type == "const"
        known = constant and annotation is None
        signature = self._signature(parameters) if known else None
        gives = self._said(value.child_by_field_name("return_type")) if known else ""
        bound = _Bound("function", line, end, signature, gives=gives, said_in=scope)
        self._bind(scope, self._name(name), bound)
        self._push(annotation, scope)
        self._function(value, scope, self._name(name))

    def _parameter(self, node: Node, scope: _Scope) -> None:
        pattern = node.child_by_field_name("pattern") or node.child_by_field_name("name")
        if pattern is not None:
            self._bind_pattern(pattern, scope)
            if pattern.type == "identifier":
                bound = scope.names[self._name(pattern)]
                bound.gives, bound.said_in = self._said(node.child_by_field_name("type")), scope
        self._push_children(node, scope, but=pattern)

    def _for_in(self, node: Node, scope: _Scope) -> None:
        left = node.child_by_field_name("left")
        if left is not None:
            self._bind_pattern(left, scope)
        self._push_children(node, scope, but=left)

    def _catch(self, node: Node, scope: _Scope) -> None:
        parameter = node.child_by_field_name("parameter")
        if parameter is not None:
            self._bind_pattern(parameter, scope)
        self._push_children(node, scope, but=parameter)

    def _bind_name(self, node: Node, scope: _Scope) -> None:
        name = node.child_by_field_name("name")
        if name is not None:
            self._bind_plain(name, scope)
        self._push_children(node, scope, but=name)

    def _infer(self, node: Node, scope: _Scope) -> None:
        for number, child in enumerate(node.named_children):
            if number:
                self._push(child, scope)
                continue
            # Seen in the whole conditional type around it, through any function type between.
            home: _Scope | None = scope
            while home is not None and home is not self.module:
                self._bind_plain(child, home)
                home = home.parent

    # -- imports and exports ------------------------------------------------------------------------

    def _module_of(self, node: Node) -> str:
        source = node.child_by_field_name("source")
        return self._name(source).strip("'\"`") if source is not None else ""

    def _import(self, node: Node, scope: _Scope) -> None:
        self.is_module = True
        module, line = self._module_of(node), node.start_point[0] + 1
        clauses = [child for child in node.named_children if child.type == "import_clause"]
        for child in node.named_children:
            if child.type == "import_require_clause":
                names = [part for part in child.named_children if part.type == "identifier"]
                self._bind_import(ImportFact(self._module_of(child), "=", self._name(names[0]), line), scope)
                return
        if not clauses:
            self.imports.append(ImportFact(module, "", "", line))
            return
        for part in clauses[0].named_children:
            self._import_part(module, part, scope)

    def _import_part(self, module: str, part: Node, scope: _Scope) -> None:
        line = part.start_point[0] + 1
        if part.type == "identifier":
            self._bind_import(ImportFact(module, "default", self._name(part), line), scope)
        elif part.type == "namespace_import":
            self._bind_import(ImportFact(module, "*", self._name(part.named_children[0]), line), scope)
        elif part.type == "named_imports":
            for specifier in part.named_children:
                name = specifier.child_by_field_name("name")
                if name is None:
                    continue
                alias = specifier.child_by_field_name("alias") or name
                at = specifier.start_point[0] + 1
                fact = ImportFact(module, self._name(name).strip("'\""), self._name(alias), at)
                self._bind_import(fact, scope)

    def _bind_import(self, fact: ImportFact, scope: _Scope) -> None:
        self.imports.append(fact)
        self._bind(scope, fact.alias, _Bound("import", fact.line, fact.line, source=len(self.imports) - 1))

    def _export(self, node: Node, scope: _Scope) -> None:
        if scope.namespace:
            self._push_children(node, scope)
            return
        self.is_module = True
        tokens = {child.type for child in node.children}
        module, line = self._module_of(node), node.start_point[0] + 1
        if "=" in tokens:
            self.opaque = True
        if "export_clause" in tokens or "namespace_export" in tokens or "*" in tokens:
            self._export_names(node, module, line, scope)
            return
        declaration = node.child_by_field_name("declaration")
        if "default" in tokens:
            name = declaration.child_by_field_name("name") if declaration is not None else None
            value = node.child_by_field_name("value")
            local = name if name is not None else value
            plain = local is not None and local.type in ("identifier", "type_identifier")
            self.exports.append(Export("default", self._name(local) if plain and local else "", "", line))
        elif declaration is not None:
            names = list(self._exported_names(declaration))
            self.exports += [Export(name, name, "", line) for name in names]
            self.opaque = self.opaque or not names
        self._push_children(node, scope)

    def _export_names(self, node: Node, module: str, line: int, scope: _Scope) -> None:
        star = True
        for child in node.named_children:
            if child.type == "namespace_export":
                name = self._name(child.named_children[0])
                self.exports.append(Export(name, "*", module, line))
                star = False
            elif child.type == "export_clause":
                star = False
                self._export_clause(child, module, scope)
        if star:
            self.stars.append(Star(module, line))

    def _export_clause(self, clause: Node, module: str, scope: _Scope) -> None:
        for specifier in clause.named_children:
            name = specifier.child_by_field_name("name")
            if name is None:
                continue
            alias = specifier.child_by_field_name("alias") or name
            line = specifier.start_point[0] + 1
            local = self._name(name).strip("'\"")
            self.exports.append(Export(self._name(alias).strip("'\""), local, module, line))
            if not module:
                self._push(name, scope)

    def _exported_names(self, declaration: Node) -> Iterator[str]:
        name = declaration.child_by_field_name("name")
        if name is not None:
            if name.type in ("identifier", "type_identifier"):
                yield self._name(name)
            return
        stack = list(declaration.named_children)
        while stack:
            node = stack.pop()
            if node.type in ("identifier", "shorthand_property_identifier_pattern", "type_identifier"):
                yield self._name(node)
            elif node.type in _NAMED_DECLARATIONS:
                stack.extend(node.children_by_field_name("name"))
            elif node.type in ("assignment_pattern", "object_assignment_pattern"):
                stack.extend(node.children_by_field_name("left"))
            elif node.type == "pair_pattern":
                stack.extend(node.children_by_field_name("value"))
            elif node.type.endswith(("_pattern", "_declaration")):
                stack.extend(node.named_children)


def _qualified(scope: _Scope, name: str) -> str:
    return f"{scope.name}.{name}" if scope.name else name


# -- the second pass: what binds each name in use -------------------------------------------------------


def _resolve(walk: _Walk, has_error: bool, generated: bool) -> FileFacts:
    loose: dict[tuple[str, str], Loose] = {}
    uses: set[Use] = set()
    expected = _expected_error_lines(walk.source)
    for seen in walk.seen:
        guards = Guard.ALL if seen.line in expected else Guard.NONE
        if seen.name == "this":
            use = _use_of_this(seen, guards)
            if use is not None:
                uses.add(use)
            continue
        bound, home = _home(seen)
        if bound is None:
            key = (seen.name, seen.scope.name)
            if seen.name not in _GLOBALS and (key not in loose or loose[key].line > seen.line):
                loose[key] = Loose(seen.name, seen.line, seen.scope.name, guards)
            continue
        use = _use(walk, seen, bound, home, guards)
        if use is not None:
            uses.add(use)
    module = walk.module.names
    exported = {export.local for export in walk.exports}
    ambient = walk.ambient if walk.is_module else walk.ambient | module.keys()
    return FileFacts(
        language="typescript",
        has_error=has_error,
        generated=generated,
        opaque=walk.opaque,
        bindings=tuple(
            _binding(name, bound)
            for name, bound in sorted(module.items())
            if name in exported or bound.kind != "variable"
        ),
        imports=tuple(walk.imports),
        stars=tuple(walk.stars),
        exports=tuple(sorted(walk.exports)),
        classes=_classes(walk),
        loose=tuple(sorted(loose.values(), key=lambda name: (name.line, name.name, name.enclosing))),
        uses=tuple(sorted(uses, key=lambda use: (use.line, use))),
        bound=tuple(sorted(walk.bound)),
        ambient=tuple(sorted(ambient)),
    )


def _expected_error_lines(source: bytes) -> frozenset[int]:
    """The two lines below each `@ts-expect-error`: the compiler already answers for them."""
    lines = [source.count(b"\n", 0, found.start()) + 1 for found in _EXPECTED_ERROR.finditer(source)]
    return frozenset(line + step for line in lines for step in (1, 2))


def _home(seen: _Seen) -> tuple[_Bound | None, _Scope | None]:
    scope: _Scope | None = seen.scope
    while scope is not None:
        bound = scope.names.get(seen.name)
        if bound is not None:
            return bound, scope
        scope = scope.parent
    return None, None


def _use(walk: _Walk, seen: _Seen, bound: _Bound, home: _Scope | None, guards: int) -> Use | None:
    """What another file, or a changed signature, may break; None for everything else."""
    argc, spread = seen.shape
    if bound.kind == "import" and bound.count == 1:
        fact = walk.imports[bound.source]
        if not fact.module.startswith(".") or (not seen.chain and argc == NO_CALL):
            return None
        return Use(bound.source, seen.chain, seen.line, seen.scope.name, guards, argc, (), spread)
    if home is walk.module and bound.kind == "class" and seen.chain and bound.count == 1:
        target = f"{seen.name}.{seen.chain}"
        return Use(LOCAL, target, seen.line, seen.scope.name, guards, argc, (), spread)
    if seen.chain and bound.gives and bound.count == 1 and bound.kind == "variable":
        if seen.chain.count(".") > _MAX_STEPS or not walk.is_of_module(bound.gives, bound.said_in):
            return None
        return Use(TYPED, f"{bound.gives}:{seen.chain}", seen.line, seen.scope.name, guards, argc, (), spread)
    is_local_function = home is walk.module and bound.kind == "function" and not seen.chain
    if argc != NO_CALL and is_local_function:
        return Use(LOCAL, seen.name, seen.line, seen.scope.name, guards, argc, (), spread)
    return None


def _use_of_this(seen: _Seen, guards: int) -> Use | None:
    """A member of `this` that the class itself does not have, or any call or member of one of its fields."""
    owner, (argc, spread) = seen.scope.owner, seen.shape
    first, _, rest = seen.chain.partition(".")
    if owner is None or not first or rest.count(".") >= _MAX_STEPS:
        return None
    has = first in owner.attributes or first in owner.methods
    if has and not (owner.field_type(first) if rest else argc != NO_CALL):
        return None
    return Use(SELF, f"{owner.name}.{seen.chain}", seen.line, seen.scope.name, guards, argc, (), spread)


def _classes(walk: _Walk) -> tuple[ClassFact, ...]:
    rows = []
    for owner in walk.classes:
        methods = tuple(_binding(name, bound) for name, bound in sorted(owner.methods.items()))
        names = sorted(owner.declared.keys() | owner.assigned.keys() | owner.methods.keys())
        fields = [(name, gives) for name in names if (gives := owner.field_type(name))]
        fields = [(name, gives) for name, gives in fields if walk.is_of_module(gives, walk.module)]
        attributes = tuple(sorted(owner.attributes - owner.methods.keys()))
        rows.append(
            ClassFact(owner.name, owner.line, owner.bases, owner.opaque, methods, attributes, tuple(fields))
        )
    return tuple(sorted(rows, key=lambda row: (row.line, row.name)))


def _binding(name: str, bound: _Bound) -> Binding:
    once = bound.count == 1
    return Binding(
        name,
        bound.kind,
        bound.line,
        bound.header_end,
        bound.signature if once else None,
        not once,
        bound.source if once else -1,
        bound.gives if once else "",
    )
