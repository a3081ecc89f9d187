"""Scope facts of a Python file: one walk binds names to scopes, one pass resolves what the walk saw."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from panlect.code.facts import (
    LOCAL,
    NO_CALL,
    SELF,
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

# Names that exist without being bound: builtins, what the module and class machinery adds, what consoles,
# type checkers and gettext inject, and Python 2's own (a file that speaks it is not broken by this change).
_IMPLICIT = frozenset(dir(builtins)) | words(
    """
    __file__ __name__ __doc__ __package__ __spec__ __loader__ __path__ __builtins__ __debug__ __dict__
    __annotations__ __class__ __module__ __qualname__ __all__ WindowsError reveal_type reveal_locals _
    unicode basestring xrange long raw_input unichr reduce cmp file execfile reload apply buffer intern coerce
    get_ipython display exit quit copyright credits license help aiter anext ExceptionGroup
    BaseExceptionGroup EncodingWarning PythonFinalizationError
    """
)

# Decorators that leave the call's shape as it is written; any other makes the signature unknown.
_TRANSPARENT = words(
    """
    staticmethod classmethod abstractmethod contextmanager asynccontextmanager lru_cache cache override final
    deprecated no_type_check
    """
)

# A branch for one version, platform or type checker may import and read what others lack ...
_VARIANT = re.compile(rb"TYPE_CHECKING|version_info|platform|os\.name|\bPY[23]\b")
# ... and one that asks what exists may use anything.
_EXISTENCE = re.compile(rb"hasattr|locals\(|globals\(")
_EXPECTED_FAILURE = re.compile(rb"raises|Raises|suppress|fails|xfail", re.ASCII)
_CAUGHT = {
    b"ImportError": Guard.IMPORT,
    b"ModuleNotFoundError": Guard.IMPORT,
    b"NameError": Guard.NAME,
    b"AttributeError": Guard.ATTRIBUTE | Guard.IMPORT,
    b"TypeError": Guard.CALL,
    b"Exception": Guard.IMPORT | Guard.ATTRIBUTE,
    b"BaseException": Guard.IMPORT | Guard.ATTRIBUTE,
}
# Functions whose string arguments name attributes that they look up, replace or add.
_BY_STRING = frozenset({b"setattr", b"getattr", b"hasattr", b"delattr", b"patch", b"object", b"setitem"})
_COMPREHENSIONS = (
    "list_comprehension",
    "set_comprehension",
    "dictionary_comprehension",
    "generator_expression",
)
_MAX_SIGNATURE = 2000
_MAX_TYPE = 200
_MAX_STEPS = 2  # from member to member of what is typed
# Decorators of classes that add no member a program would name.
_PLAIN_CLASS = words("dataclass final total_ordering runtime_checkable dataclass_transform")
# Around a type that stays what it is, as far as its members go.
_WRAPPED = words("Optional Annotated Final ClassVar Required NotRequired")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")


class _Shape(NamedTuple):
    argc: int
    keywords: tuple[str, ...]
    spread: int


_NOT_A_CALL = _Shape(NO_CALL, (), 0)


@dataclass(slots=True)
class _Bound:
    """What a name is bound to in one scope, and how often."""

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
    """A class at module level while it is being read."""

    name: str
    line: int
    bases: tuple[str, ...]
    opaque: bool
    scope: _Scope
    attributes: set[str] = field(default_factory=set)
    fields: dict[str, set[tuple[str, bool]]] = field(
        default_factory=dict
    )  # types, and whether they are declared
    abstract: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Scope:
    """One namespace; `name` is the qualified name of the definition, as findings show it."""

    kind: str  # module, class, function, comprehension
    parent: _Scope | None
    name: str
    names: dict[str, _Bound] = field(default_factory=dict)
    outer: dict[str, _Scope] = field(default_factory=dict)  # names declared global or nonlocal
    owner: _Class | None = None  # the class whose body this is, or whose method
    receiver: str = ""  # the name of self or cls


class _Seen(NamedTuple):
    """A name in use, before it is known what binds it."""

    name: str
    chain: str
    line: int
    scope: _Scope
    guards: int
    shape: _Shape
    stored: bool


_Work = tuple["Node", _Scope, int]


def python_facts(root: Node, source: bytes) -> FileFacts:
    """The scope facts of one parsed Python file."""
    walk = _Walk(source)
    walk.read(root)
    return _resolve(walk, root.has_error, is_generated(source))


class _Walk:
    """Reads a tree with an explicit stack: scopes and their bindings, and every name in use."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.module = _Scope("module", None, "")
        self.seen: list[_Seen] = []
        self.imports: list[ImportFact] = []
        self.stars: list[Star] = []
        self.classes: list[_Class] = []
        self.replaced: set[str] = set()
        self.listed: tuple[str, ...] | None = None
        self.opaque = False
        self._stack: list[_Work] = []
        self._handlers: dict[str, Callable[[Node, _Scope, int], None]] = {
            "identifier": self._identifier,
            "attribute": self._attribute,
            "call": self._call,
            "function_definition": self._function,
            "decorated_definition": self._decorated,
            "class_definition": self._class,
            "lambda": self._lambda,
            "assignment": self._assignment,
            "augmented_assignment": self._assignment,
            "named_expression": self._walrus,
            "for_statement": self._for,
            "as_pattern": self._as_pattern,
            "case_clause": self._case,
            "global_statement": self._global,
            "nonlocal_statement": self._nonlocal,
            "import_statement": self._import,
            "import_from_statement": self._import_from,
            "future_import_statement": self._skip,
            "try_statement": self._try,
            "if_statement": self._if,
            "conditional_expression": self._if,
            "with_statement": self._with,
            "type_alias_statement": self._type_alias,
            "type_parameter": self._type_parameter,
            "exec_statement": self._exec,
            "string": self._string,
            "keyword_argument": self._keyword_argument,
            "comment": self._skip,
            **dict.fromkeys(_COMPREHENSIONS, self._comprehension),
        }

    def read(self, root: Node) -> None:
        """Walk the whole tree; fills the lists."""
        stack, handlers = self._stack, self._handlers
        stack.append((root, self.module, 0))
        while stack:
            node, scope, guards = stack.pop()
            handler = handlers.get(node.type)
            if handler is not None:
                handler(node, scope, guards)
            elif node.named_child_count:
                for child in reversed(node.named_children):  # source order: `global x` before `x = 1`
                    stack.append((child, scope, guards))

    # -- small things -------------------------------------------------------------------------------

    def _text(self, node: Node) -> bytes:
        return self.source[node.start_byte : node.end_byte]

    def _name(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _literal(self, string: Node) -> str:
        return "".join(self._name(part) for part in string.named_children if part.type == "string_content")

    def _push(self, node: Node | None, scope: _Scope, guards: int) -> None:
        if node is not None:
            self._stack.append((node, scope, guards))

    def _push_children(self, node: Node, scope: _Scope, guards: int) -> None:
        for child in reversed(node.named_children):
            self._stack.append((child, scope, guards))

    def _skip(self, node: Node, scope: _Scope, guards: int) -> None:
        """Nothing in here is a name in use."""

    def _bind(self, scope: _Scope, name: str, bound: _Bound) -> None:
        scope = scope.outer.get(name, scope)
        known = scope.names.get(name)
        if known is None:
            scope.names[name] = bound
            return
        known.count += 1
        known.line = min(known.line, bound.line)
        if known.kind == "parameter" or bound.kind == "parameter":
            known.kind = "parameter"

    def _bind_variable(self, node: Node, scope: _Scope) -> None:
        line = node.start_point[0] + 1
        self._bind(scope, self._name(node), _Bound("variable", line, line))

    # -- names in use -------------------------------------------------------------------------------

    def _identifier(self, node: Node, scope: _Scope, guards: int) -> None:
        name = self._name(node)
        if name in ("globals", "exec"):
            self.opaque = True
        self.seen.append(_Seen(name, "", node.start_point[0] + 1, scope, guards, _NOT_A_CALL, False))

    def _attribute(self, node: Node, scope: _Scope, guards: int) -> None:
        self._chain(node, scope, guards, _NOT_A_CALL)

    def _chain(self, node: Node, scope: _Scope, guards: int, shape: _Shape, stored: bool = False) -> None:
        """`a.b.c` as one use of `a`; anything else than a plain name at the left is walked."""
        parts: list[str] = []
        while node.type == "attribute":
            part, left = node.child_by_field_name("attribute"), node.child_by_field_name("object")
            if part is None or left is None:
                return
            parts.append(self._name(part))
            node = left
        if node.type != "identifier":
            self._push(node, scope, guards)
            return
        name, chain = self._name(node), ".".join(reversed(parts))
        if (name == "sys" and chain.startswith("modules")) or name in ("globals", "exec"):
            self.opaque = True
        self.seen.append(_Seen(name, chain, node.start_point[0] + 1, scope, guards, shape, stored))

    def _call(self, node: Node, scope: _Scope, guards: int) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            self._push_children(node, scope, guards)
            return
        if arguments.type == "argument_list":
            shape = self._shape(arguments)
            self._push_children(arguments, scope, guards)
        else:  # f(x for x in y): the argument list is the generator
            shape = _Shape(1, (), 0)
            self._push(arguments, scope, guards)
        self._note_strings(function, arguments)
        if function.type in ("identifier", "attribute"):
            self._chain(function, scope, guards, shape)
        else:
            self._push(function, scope, guards)

    def _shape(self, arguments: Node) -> _Shape:
        argc, keywords = 0, []
        spread: int = Spread.NONE
        for argument in arguments.named_children:
            kind = argument.type
            if kind == "keyword_argument":
                name = argument.child_by_field_name("name")
                keywords.append(self._name(name) if name is not None else "")
            elif kind == "list_splat":
                spread |= Spread.POSITIONAL
            elif kind == "dictionary_splat":
                spread |= Spread.KEYWORD
            elif kind != "comment":
                argc += 1
        return _Shape(argc, tuple(keywords), spread)

    def _note_strings(self, function: Node, arguments: Node) -> None:
        """Names in setattr, getattr and patch strings: attributes that come and go by other means."""
        if self._text(function).rsplit(b".", 1)[-1] not in _BY_STRING:
            return
        for argument in arguments.named_children:
            if argument.type == "string":
                dotted = self._literal(argument)
                self.replaced.update(part for part in dotted.split(".") if part.isidentifier())

    def _keyword_argument(self, node: Node, scope: _Scope, guards: int) -> None:
        self._push(node.child_by_field_name("value"), scope, guards)

    def _string(self, node: Node, scope: _Scope, guards: int) -> None:
        for child in node.named_children:
            if child.type == "interpolation":
                self._push_children(child, scope, guards)

    def _exec(self, _node: Node, _scope: _Scope, _guards: int) -> None:
        self.opaque = True

    # -- definitions --------------------------------------------------------------------------------

    def _decorated(self, node: Node, scope: _Scope, guards: int) -> None:
        decorators = [child for child in node.named_children if child.type == "decorator"]
        for decorator in decorators:
            self._push_children(decorator, scope, guards)
        names = [self._decorator_name(decorator) for decorator in decorators]
        definition = node.child_by_field_name("definition")
        if definition is None:
            return
        if definition.type == "class_definition":
            self._class(definition, scope, guards, names)
        else:
            self._function(definition, scope, guards, names)

    def _decorator_name(self, decorator: Node) -> str:
        text = self._name(decorator).lstrip("@ ").split("(", 1)[0]
        return text.rsplit(".", 1)[-1].strip()

    def _function(self, node: Node, scope: _Scope, guards: int, decorators: Iterable[str] = ()) -> None:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        parameters = node.child_by_field_name("parameters")
        if name_node is None or parameters is None:
            self._push_children(node, scope, guards)
            return
        name, decorators = self._name(name_node), frozenset(decorators)
        owner = scope.owner if scope.kind == "class" else None
        inner = _Scope("function", scope, _qualified(scope, name))
        self._push(node.child_by_field_name("type_parameters"), scope, guards)
        self._push(node.child_by_field_name("return_type"), scope, guards)
        spelled = self._parameters(parameters, scope, inner, guards)
        kind = _function_kind(owner is not None or scope.kind == "class", decorators)
        known = decorators <= _TRANSPARENT and len(",".join(spelled)) <= _MAX_SIGNATURE
        if owner is not None and kind in ("method", "classmethod") and spelled:
            inner.owner, inner.receiver = owner, spelled[0].lstrip("|")
        elif scope.owner is not None and scope.kind == "function":
            inner.owner, inner.receiver = scope.owner, scope.receiver
        if scope.kind == "class" and kind in ("method", "classmethod") and not _takes_any(spelled):
            spelled = spelled[1:]
        line = name_node.start_point[0] + 1
        signature = ",".join(spelled) if known and kind != "property" else None
        gives = self._type(node.child_by_field_name("return_type"))
        if gives and node.children[0].type == "async":
            gives = f"~{gives}"
        if not known and kind != "property":
            gives = ""
        bound = _Bound(kind, line, parameters.end_point[0] + 1, signature, gives=gives, said_in=scope)
        self._bind(scope, name, bound)
        if owner is not None and not decorators.isdisjoint(("abstractmethod", "abstractproperty")):
            owner.abstract.add(name)
        self._push(body, inner, guards)

    def _parameters(self, parameters: Node, outer: _Scope, inner: _Scope, guards: int) -> list[str]:
        """Bind the parameters in `inner`, walk defaults and annotations in `outer`; the signature's parts."""
        spelled: list[str] = []
        keyword_only = False
        for node in parameters.named_children:
            kind = node.type
            if kind == "keyword_separator":
                keyword_only = True
            elif kind == "positional_separator":
                spelled = ["|" + part for part in spelled]
            elif kind != "comment":
                part = self._parameter(node, outer, inner, guards)
                keyword_only_part = keyword_only and not part.startswith("*")
                spelled.append("!" + part if keyword_only_part else part)
                keyword_only = keyword_only or (part.startswith("*") and not part.startswith("**"))
        return spelled

    def _parameter(self, node: Node, outer: _Scope, inner: _Scope, guards: int) -> str:
        self._push(node.child_by_field_name("type"), outer, guards)
        self._push(node.child_by_field_name("value"), outer, guards)
        name = node.child_by_field_name("name")
        if name is None and node.type == "typed_parameter":
            name = node.named_children[0]
        target = name if name is not None else node
        mark = {"list_splat_pattern": "*", "dictionary_splat_pattern": "**"}.get(target.type, "")
        found = list(_identifiers(target))
        for identifier in found:
            line = identifier.start_point[0] + 1
            gives = self._type(node.child_by_field_name("type")) if not mark else ""
            self._bind(
                inner, self._name(identifier), _Bound("parameter", line, line, gives=gives, said_in=outer)
            )
        spelled = self._name(found[0]) if len(found) == 1 else "?"
        return mark + spelled + ("=" if "default" in node.type else "")

    def _lambda(self, node: Node, scope: _Scope, guards: int) -> None:
        inner = _Scope("function", scope, scope.name, owner=None, receiver="")
        if scope.kind == "function":
            inner.owner, inner.receiver = scope.owner, scope.receiver
        parameters = node.child_by_field_name("parameters")
        if parameters is not None:
            self._parameters(parameters, scope, inner, guards)
        self._push(node.child_by_field_name("body"), inner, guards)

    def _class(self, node: Node, scope: _Scope, guards: int, decorators: Iterable[str] = ()) -> None:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            self._push_children(node, scope, guards)
            return
        name, line = self._name(name_node), name_node.start_point[0] + 1
        supers = node.child_by_field_name("superclasses")
        bases, keywords = self._bases(supers)
        inner = _Scope("class", scope, _qualified(scope, name))
        if scope.kind == "module":
            opaque = keywords or not _PLAIN_CLASS.issuperset(decorators)
            inner.owner = _Class(name, line, bases, opaque, inner)
            self.classes.append(inner.owner)
        end = (supers or name_node).end_point[0] + 1
        self._bind(scope, name, _Bound("class", line, end))
        self._push(node.child_by_field_name("type_parameters"), scope, guards)
        self._push(supers, scope, guards)
        self._push(body, inner, guards)

    def _bases(self, supers: Node | None) -> tuple[tuple[str, ...], bool]:
        bases, keywords = [], False
        for child in supers.named_children if supers is not None else ():
            subscripted = child.child_by_field_name("value") if child.type == "subscript" else None
            node = subscripted or child  # Generic[T], Base[int]: the base is what is subscripted
            if node.type in ("identifier", "attribute"):
                bases.append(self._name(node))
            elif node.type == "keyword_argument":
                if self._text(node).rsplit(b".", 1)[-1].endswith(b"ABCMeta"):
                    bases.append("ABCMeta")
                else:
                    keywords = True
            elif node.type != "comment":
                bases.append("")
        return tuple(bases), keywords

    def _comprehension(self, node: Node, scope: _Scope, guards: int) -> None:
        inner = _Scope("comprehension", scope, scope.name, owner=scope.owner, receiver=scope.receiver)
        if scope.kind == "class":
            inner.owner, inner.receiver = None, ""
        first = True
        for child in node.named_children:
            if child.type != "for_in_clause":
                self._push(child, inner, guards)
                continue
            left = child.child_by_field_name("left")
            if left is not None:
                self._target(left, inner, guards)
            for right in child.children_by_field_name("right"):
                # The first iterable is evaluated outside, which a class body can tell.
                self._push(right, scope if first else inner, guards)
            first = False

    def _type_alias(self, node: Node, scope: _Scope, guards: int) -> None:
        left = node.child_by_field_name("left")
        if left is not None:
            for identifier in _identifiers(left):
                self._bind_variable(identifier, scope)
        self._push(node.child_by_field_name("right"), scope, guards)

    def _type_parameter(self, node: Node, scope: _Scope, guards: int) -> None:
        if node.parent is not None and node.parent.type == "generic_type":
            self._push_children(
                node, scope, guards
            )  # the argument of `list[C]`, which the grammar calls so too
            return
        # Bound in the scope around: more than Python binds, so never a false claim.
        for identifier in _identifiers(node):
            self._bind_variable(identifier, scope)

    # -- bindings -----------------------------------------------------------------------------------

    def _assignment(self, node: Node, scope: _Scope, guards: int) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None:
            self._target(left, scope, guards)
            if scope.kind == "module" and left.type == "identifier":
                self._note_module_variable(self._text(left), right, node.type == "assignment")
            self._note_type(left, right, node, scope)
        self._push(node.child_by_field_name("type"), scope, guards)
        self._push(right, scope, guards)

    def _note_type(self, left: Node, right: Node | None, node: Node, scope: _Scope) -> None:
        """The type of what is assigned to a name or to a field of self, where it is written or constructed."""
        declared = node.child_by_field_name("type")
        gives = self._type(declared) if declared is not None else self._made(right, scope)
        if left.type == "identifier":
            name = self._name(left)
            bound = scope.outer.get(name, scope).names.get(name)
            if bound is not None and bound.count == 1 and bound.kind == "variable":
                bound.gives, bound.said_in = gives, scope
            if scope.kind == "class" and scope.owner is not None and declared is not None:
                scope.owner.fields.setdefault(name, set()).add((gives, True))
        elif left.type == "attribute" and scope.owner is not None and scope.kind == "function":
            attribute, receiver = left.child_by_field_name("attribute"), left.child_by_field_name("object")
            if attribute is None or receiver is None or self._name(receiver) != scope.receiver:
                return
            if right is not None and right.type == "none" and declared is None:
                return  # to be filled in later: what fills it in says the type
            if node.type != "assignment":
                gives = ""
            said = gives if self.is_of_module(gives, scope) else ""
            scope.owner.fields.setdefault(self._name(attribute), set()).add((said, declared is not None))

    def is_of_module(self, gives: str, scope: _Scope) -> bool:
        """Whether a type's first name means the one at module level: local classes have no facts."""
        first = gives.lstrip("~").split(".", 1)[0].split("(", 1)[0]
        current: _Scope | None = scope
        while current is not None and current is not self.module:
            if first in current.names:
                return False
            current = current.parent
        return bool(first)

    def _type(self, node: Node | None) -> str:
        """The one class that an annotation names, "" where it names none or several; None beside it is passed over."""
        if node is None:
            return ""
        text = "".join(self._name(node)[:_MAX_TYPE].split()).strip("\"'")
        for _ in range(3):
            outside, bracket, inside = text.partition("[")
            if not bracket:
                break
            if outside.rsplit(".", 1)[-1] not in _WRAPPED or not inside.endswith("]"):
                return ""
            text = inside[:-1].split(",", 1)[0].strip("\"'")
        parts = [part for part in text.split("|") if part != "None"]
        return parts[0] if len(parts) == 1 and _DOTTED.match(parts[0]) else ""

    def _made(self, node: Node | None, scope: _Scope) -> str:
        """The type of a constructed value: `C()`, `~f()` for an awaited call, that of a typed name."""
        if node is None:
            return ""
        waited = node.type == "await"
        if waited and node.named_children:
            node = node.named_children[0]
        if node.type == "identifier" and not waited:
            bound = scope.names.get(self._name(node))
            known = bound is not None and bound.kind == "parameter" and bound.count == 1
            return bound.gives if known and bound is not None else ""
        function = node.child_by_field_name("function") if node.type == "call" else None
        if function is None:
            return ""
        dotted = self._name(function)
        first, _, rest = dotted.partition(".")
        if first == scope.receiver and scope.owner is not None:
            dotted = f"{scope.owner.name}.{rest}"
        if len(dotted) > _MAX_TYPE or not _DOTTED.match(dotted):
            return ""
        return f"{'~' * waited}{dotted}()"

    def _note_module_variable(self, name: bytes, value: Node | None, plain: bool) -> None:
        if name == b"__getattr__":
            self.opaque = True
        if name != b"__all__":
            return
        if plain and self.listed is None and value is not None and value.type in ("list", "tuple"):
            names = [self._literal(n) for n in value.named_children if n.type == "string"]
            if len(names) == sum(n.type != "comment" for n in value.named_children):
                self.listed = tuple(names)
                return
        self.listed = None

    def _target(self, node: Node, scope: _Scope, guards: int) -> None:
        """Bind every plain name of an assignment target; attributes and subscripts are uses."""
        stack = [node]
        while stack:
            target = stack.pop()
            if target.type == "identifier":
                self._bind_variable(target, scope)
            elif target.type == "attribute":
                self._store(target, scope, guards)
            elif target.type in ("subscript", "call"):
                self._push(target, scope, guards)
            else:
                stack.extend(target.named_children)

    def _store(self, node: Node, scope: _Scope, guards: int) -> None:
        attribute, receiver = node.child_by_field_name("attribute"), node.child_by_field_name("object")
        if attribute is None or receiver is None:
            return
        name = self._name(attribute)
        if (
            scope.owner is not None
            and receiver.type == "identifier"
            and self._name(receiver) == scope.receiver
        ):
            scope.owner.attributes.add(name)
        else:
            self.replaced.add(name)
        self._chain(node, scope, guards, _NOT_A_CALL, stored=True)

    def _walrus(self, node: Node, scope: _Scope, guards: int) -> None:
        name = node.child_by_field_name("name")
        home = scope
        while home.kind == "comprehension" and home.parent is not None:
            home = home.parent
        if name is not None:
            self._bind_variable(name, home)
        self._push(node.child_by_field_name("value"), scope, guards)

    def _for(self, node: Node, scope: _Scope, guards: int) -> None:
        left = node.child_by_field_name("left")
        for child in node.named_children:
            if child != left:
                self._push(child, scope, guards)
        if left is not None:
            self._target(left, scope, guards)

    def _as_pattern(self, node: Node, scope: _Scope, guards: int) -> None:
        for child in node.named_children:
            if child.type == "as_pattern_target":
                self._target(child, scope, guards)
            else:
                self._push(child, scope, guards)

    def _case(self, node: Node, scope: _Scope, guards: int) -> None:
        consequence = node.child_by_field_name("consequence")
        for child in node.named_children:
            if child.type == "case_pattern":
                # Captures and class names look alike: bind them all, claim nothing.
                for identifier in _identifiers(child):
                    self._bind_variable(identifier, scope)
            elif child != consequence:
                self._push(child, scope, guards)
        self._push(consequence, scope, guards)

    def _global(self, node: Node, scope: _Scope, _guards: int) -> None:
        for child in node.named_children:
            name = self._name(child)
            scope.outer[name] = self.module
            line = child.start_point[0] + 1
            self._bind(self.module, name, _Bound("variable", line, line))

    def _nonlocal(self, node: Node, scope: _Scope, _guards: int) -> None:
        for child in node.named_children:
            name, outer = self._name(child), scope.parent
            while outer is not None and not (outer.kind == "function" and name in outer.names):
                outer = outer.parent
            if outer is not None:
                scope.outer[name] = outer

    # -- imports ------------------------------------------------------------------------------------

    def _import(self, node: Node, scope: _Scope, guards: int) -> None:
        for child in node.children_by_field_name("name"):
            line = child.start_point[0] + 1
            if child.type == "aliased_import":
                dotted, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
                if dotted is None or alias is None:
                    continue
                package, _, last = _squeezed(self._name(dotted)).rpartition(".")
                module, name = (package, last) if package else (last, "")
                self._bind_import(
                    ImportFact(module, name, self._name(alias), line, guards, scope.name), scope
                )
            else:
                module = _squeezed(self._name(child))
                top = module.split(".", 1)[0]
                self._bind_import(ImportFact(module, "", top, line, guards, scope.name), scope)

    def _import_from(self, node: Node, scope: _Scope, guards: int) -> None:
        source = node.child_by_field_name("module_name")
        if source is None:
            return
        module = _squeezed(self._name(source))
        if any(child.type == "wildcard_import" for child in node.named_children):
            self.stars.append(Star(module, node.start_point[0] + 1))
            return
        for child in node.children_by_field_name("name"):
            named, alias = child, child
            if child.type == "aliased_import":
                named = child.child_by_field_name("name") or child
                alias = child.child_by_field_name("alias") or child
            fact = ImportFact(
                module, self._name(named), self._name(alias), child.start_point[0] + 1, guards, scope.name
            )
            self._bind_import(fact, scope)

    def _bind_import(self, fact: ImportFact, scope: _Scope) -> None:
        home = scope.outer.get(fact.alias, scope)
        known = home.names.get(fact.alias)
        self.imports.append(fact)
        if known is not None and known.kind == "import" and _same_import(self.imports[known.source], fact):
            return  # import a.b; import a.c: both bind the one package a
        self._bind(scope, fact.alias, _Bound("import", fact.line, fact.line, source=len(self.imports) - 1))

    # -- what is expected to fail -------------------------------------------------------------------

    def _try(self, node: Node, scope: _Scope, guards: int) -> None:
        caught: int = Guard.NONE
        for child in node.named_children:
            if child.type in ("except_clause", "except_group_clause"):
                caught |= self._caught(child)
        body = node.child_by_field_name("body")
        for child in node.named_children:
            self._push(child, scope, guards | caught if child == body else guards)

    def _caught(self, clause: Node) -> int:
        types = [child for child in clause.named_children if child.type not in ("block", "comment")]
        if not types:
            return Guard.ALL
        text = b" ".join(self._text(child) for child in types)
        guard: int = Guard.NONE
        for name, meaning in _CAUGHT.items():
            if re.search(rb"\b" + name + rb"\b", text):
                guard |= meaning
        return guard

    def _if(self, node: Node, scope: _Scope, guards: int) -> None:
        condition = node.child_by_field_name("condition")
        text = self._text(condition if condition is not None else node)[:400]
        if _EXISTENCE.search(text):
            guards |= Guard.ALL
        elif _VARIANT.search(text):
            guards |= Guard.IMPORT | Guard.ATTRIBUTE
        self._push_children(node, scope, guards)

    def _with(self, node: Node, scope: _Scope, guards: int) -> None:
        body = node.child_by_field_name("body")
        expected = False
        for child in node.named_children:
            if child.type == "with_clause":
                expected = bool(_EXPECTED_FAILURE.search(self._text(child)[:400]))
                self._push(child, scope, guards)
        self._push(body, scope, Guard.ALL if expected else guards)


def _function_kind(in_class: bool, decorators: frozenset[str]) -> str:
    if not in_class:
        return "function"
    for kind in ("staticmethod", "classmethod"):
        if kind in decorators:
            return kind
    if any("property" in name or name in ("setter", "deleter", "getter") for name in decorators):
        return "property"
    return "method"


def _takes_any(spelled: list[str]) -> bool:
    """Whether self or cls arrives in *args."""
    return bool(spelled) and spelled[0].startswith("*")


def _qualified(scope: _Scope, name: str) -> str:
    return f"{scope.name}.{name}" if scope.name else name


def _squeezed(dotted: str) -> str:
    return "".join(dotted.split())


def _same_import(one: ImportFact, other: ImportFact) -> bool:
    if one.name or other.name:
        return (one.module, one.name) == (other.module, other.name)
    return one.module.split(".", 1)[0] == other.module.split(".", 1)[0]


def _identifiers(node: Node) -> Iterable[Node]:
    stack = [node]
    while stack:
        found = stack.pop()
        if found.type == "identifier":
            yield found
        else:
            stack.extend(found.named_children)


# -- the second pass: what binds each name in use -------------------------------------------------------


def _resolve(walk: _Walk, has_error: bool, generated: bool) -> FileFacts:
    loose: dict[tuple[str, str], Loose] = {}
    uses: set[Use] = set()
    injected: set[str] = set()
    for seen in walk.seen:
        home = _home(seen)
        if home is None:
            if seen.name not in _IMPLICIT:
                _note_loose(loose, seen)
            continue
        use = _use(walk, seen, home, home.names[seen.name])
        if use is None or (
            use.source == SELF and _is_inherited_from_outside(walk, seen.scope.owner, seen.chain)
        ):
            continue
        if seen.stored:
            if use.source not in (SELF, TYPED):
                injected.add(use.target)
        else:
            uses.add(use)
    module = walk.module.names
    return FileFacts(
        language="python",
        has_error=has_error,
        generated=generated,
        opaque=walk.opaque or "__getattr__" in module,
        listed=walk.listed,
        bindings=tuple(_binding(name, bound) for name, bound in sorted(module.items())),
        imports=tuple(walk.imports),
        stars=tuple(sorted(set(walk.stars), key=lambda star: star.line)),
        classes=_classes(walk),
        loose=tuple(sorted(loose.values(), key=lambda name: (name.line, name.name, name.enclosing))),
        uses=tuple(sorted(uses, key=lambda use: (use.line, use))),
        injected=tuple(sorted(injected)),
        replaced=tuple(sorted(walk.replaced)),
    )


def _home(seen: _Seen) -> _Scope | None:
    """The scope that binds the name: class bodies are seen only by what stands directly in them."""
    name, scope = seen.name, seen.scope
    first = True
    current: _Scope | None = scope
    while current is not None:
        if current.kind != "class" or first:
            if name in current.names:
                return current
            declared = current.outer.get(name)
            if declared is not None and name in declared.names:
                return declared
        first = False
        current = current.parent
    return None


def _note_loose(loose: dict[tuple[str, str], Loose], seen: _Seen) -> None:
    key = (seen.name, seen.scope.name)
    known = loose.get(key)
    if known is None or (known.guards, known.line) > (seen.guards, seen.line):
        loose[key] = Loose(seen.name, seen.line, seen.scope.name, seen.guards)


def _use(walk: _Walk, seen: _Seen, home: _Scope, bound: _Bound) -> Use | None:
    """What another file, or a changed signature, may break; None for everything else."""
    shape, line, enclosing, guards = seen.shape, seen.line, seen.scope.name, seen.guards
    if bound.kind == "import" and bound.count == 1:
        fact = walk.imports[bound.source]
        if fact.module.split(".", 1)[0] in sys.stdlib_module_names or (
            not seen.chain and shape is _NOT_A_CALL
        ):
            return None
        return Use(bound.source, seen.chain, line, enclosing, guards, *shape)
    owner = seen.scope.owner
    is_receiver = owner is not None and seen.name == seen.scope.receiver and bound.count == 1
    if is_receiver and owner is not None and bound.kind == "parameter":
        return _use_of_self(seen, owner)
    if home is walk.module and bound.kind == "class" and (seen.chain or shape is not _NOT_A_CALL):
        target = f"{seen.name}.{seen.chain}" if seen.chain else seen.name
        return Use(LOCAL, target, line, enclosing, guards, *shape)
    if seen.chain and bound.gives and bound.count == 1 and bound.kind in ("parameter", "variable"):
        scope = bound.said_in or home
        if walk.is_of_module(bound.gives, scope) and seen.chain.count(".") <= _MAX_STEPS:
            return Use(TYPED, f"{bound.gives}:{seen.chain}", line, enclosing, guards, *shape)
        return None
    if home is walk.module and bound.kind == "function" and not seen.chain and shape is not _NOT_A_CALL:
        return Use(LOCAL, seen.name, line, enclosing, guards, *shape)
    return None


def _use_of_self(seen: _Seen, owner: _Class) -> Use | None:
    """A member of self that the class itself does not have, or any call or member of one of its fields."""
    first, _, rest = seen.chain.partition(".")
    if not first or rest.count(".") >= _MAX_STEPS:
        return None
    has = first in owner.attributes or first in owner.scope.names
    if not rest and has and seen.shape is _NOT_A_CALL:
        return None
    if rest and has and not _field_type(owner, first):
        return None
    if seen.stored and not rest:
        return None
    return Use(SELF, f"{owner.name}.{seen.chain}", seen.line, seen.scope.name, seen.guards, *seen.shape)


def _field_type(owner: _Class, name: str) -> str:
    """The type of a field: the declared one, else the only one that is ever assigned; of a property, what it gives."""
    said = owner.fields.get(name, set())
    declared = {gives for gives, is_declared in said if is_declared}
    types = declared or {gives for gives, _ in said}
    if len(types) == 1:
        return next(iter(types))
    bound = owner.scope.names.get(name)
    return bound.gives if not types and bound is not None and bound.kind == "property" else ""


def _is_inherited_from_outside(walk: _Walk, owner: _Class | None, method: str) -> bool:
    """Whether only the standard library can define `method`: TestCase.assertEqual and its like fill tests."""
    first = method.split(".", 1)[0]
    if owner is None or not owner.bases or first in owner.scope.names or first in owner.attributes:
        return False
    return all(_is_standard(walk, base) for base in owner.bases)


def _is_standard(walk: _Walk, base: str) -> bool:
    bound = walk.module.names.get(base.split(".", 1)[0])
    if bound is None or bound.kind != "import" or bound.source < 0:
        return False
    return walk.imports[bound.source].module.split(".", 1)[0] in sys.stdlib_module_names


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


def _classes(walk: _Walk) -> tuple[ClassFact, ...]:
    rows = []
    for owner in walk.classes:
        names = owner.scope.names
        methods = [
            _binding(name, bound)
            for name, bound in sorted(names.items())
            if bound.kind in ("method", "classmethod", "staticmethod", "property")
        ]
        others = owner.attributes | (names.keys() - {method.name for method in methods})
        opaque = owner.opaque or "__getattr__" in names or "__getattribute__" in names
        typed = [(name, gives) for name in sorted(owner.fields.keys()) if (gives := _field_type(owner, name))]
        rows.append(
            ClassFact(
                owner.name,
                owner.line,
                owner.bases,
                opaque,
                tuple(methods),
                tuple(sorted(others)),
                tuple(typed),
                tuple(sorted(owner.abstract)),
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.line, row.name)))
