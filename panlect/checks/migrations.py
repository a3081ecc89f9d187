"""Migrations that fail on a table with rows, take a column from code that still names it, or hold a long lock.

Reads SQL files of migrations, and Python ones of Alembic and Django, by patterns: nothing of a change is executed.
A table that the change itself creates is empty, so nothing is said of it; neither of the way back (`downgrade`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panlect.checks.added import AddedText, added_texts, at_line, text_lines
from panlect.checks.paths import is_foreign, is_prose, is_sample, is_test
from panlect.checks.view import ChangeView, RepositoryView
from panlect.code.languages import is_example
from panlect.finding import Candidate, Category, Evidence, Side

_MAX_TEXT = 256 * 1024
_MAX_FOUND = 10  # of one file
_MAX_READERS = 3
_MAX_FILES = 200  # that name a table and are searched for a column
_SIBLINGS = 30
_NEAR = 12  # lines between a table and a column of one statement
_BODY = 120  # lines of a model below the name of its table

_MIGRATION = re.compile(
    r"(?i)(?:^|/)(?:[^/]*migrations?|migrate|versions|flyway|schema_changes|changelog)(?:/|\Z)"
    r"|(?:^|/)V?\d+(?:[._]\d+)*[_.-][^/]*\.sql\Z"
)
_BACKWARD = re.compile(
    r"(?i)(?:[._-]down|rollback|revert|undo)\b[^/]*\.sql\Z|(?:^|/)(?:down|revert|rollback)/"
)
_DOWN_SQL = re.compile(r"(?im)^--\s*(?:\+\w+\s+down|migrate:down|@?down\b|rollback\b)")
_DOWN_PYTHON = re.compile(r"(?m)^def (?:downgrade|rollback|down)\b")
_POSTGRES = re.compile(
    r"(?i)postgres|\bpsycopg|\basyncpg|\bpg_\w|\bjsonb\b|\btimestamptz\b|\b(?:big|small)?serial\b|::\w|\$\w*\$"
    r"|\bconcurrently\b|\busing\s+(?:gin|gist|brin|btree|hash)\b|\bon\s+conflict\b|\bgen_random_uuid\b"
    r"|\bcreate\s+extension\b|\btsvector\b|\bbytea\b|\w\[\]"
)
_MYSQL = re.compile(r"(?i)`|\bengine\s*=|\bauto_increment\b")

_NAME = r"[\"`\[]?[\w$]+[\"`\]]?"
_TABLE = rf"(?:{_NAME}\.){{0,2}}{_NAME}"
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'[^']*(?:'|\Z)|\$(?P<tag>[A-Za-z_]{0,60})\$.*?(?:\$(?P=tag)\$|\Z)|;",
    re.DOTALL,
)
_CREATE_TABLE = re.compile(
    rf"(?i)\bcreate\s+(?:temp(?:orary)?\s+|unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?({_TABLE})"
)
_ALTER_TABLE = re.compile(rf"(?is)\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?({_TABLE})\s*\*?\s+(.*)")
_CREATE_INDEX = re.compile(
    rf"(?is)\s*create\s+(?:unique\s+)?index\s+(?:if\s+not\s+exists\s+)?(?:{_NAME}\s+)?on\s+(?:only\s+)?({_TABLE})"
)
_NO_COLUMN = r"(?!(?:constraint|primary|unique|foreign|check|index|key|exclude|partition|default|not|expression|identity)\b)"
_ADD = re.compile(rf"(?is)\s*add\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?{_NO_COLUMN}({_NAME})\s+(.*)")
_DROP = re.compile(
    rf"(?is)\s*drop\s+(?:column\s+)?(?:if\s+exists\s+)?{_NO_COLUMN}({_NAME})\s*(?:cascade|restrict)?\s*\Z"
)
_RENAME = re.compile(rf"(?is)\s*rename\s+(?:column\s+)?(?!to\b|constraint\b)({_NAME})\s+to\s+({_NAME})")
_TYPE = re.compile(rf"(?is)\s*alter\s+(?:column\s+)?({_NAME})\s+(?:set\s+data\s+)?type\s+(.*)")
_NOT_NULL = re.compile(r"(?i)\bnot\s+null\b")
_FILLED = re.compile(r"(?i)\bdefault\b|\bgenerated\b|\bidentity\b|serial\b|\bauto_increment\b|\bas\s*\(")
_NO_REWRITE = re.compile(r"(?i)\s*(?:text|varchar|character\s+varying|citext)\s*\Z")

_PYTHON_CALL = re.compile(
    r"\b(op|batch_op|migrations)\.(add_column|drop_column|create_index|alter_column|AddField)\s*\("
)
_BATCH = re.compile(r"\bbatch_alter_table\(\s*[\"'](\w+)[\"']")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)'
    r"|'''(?:[^\\]|\\.)*?(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'",
    re.DOTALL,
)
_SQL_IN_STRING = re.compile(r"(?i)\balter\s+table\b|\bcreate\s+(?:unique\s+)?index\b|\bcreate\s+table\b")
_MADE_IN_PYTHON = re.compile(r"\b(?:create_table\(|CreateModel\(\s*(?:name\s*=)?)\s*[\"'](\w+)[\"']")
_QUOTED = re.compile(r"[\"'](\w+)[\"']")
_MAX_CALL = 4000


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing a migration does. `kind`: add, drop, rename, type, index. `rest`: the definition as written."""

    kind: str
    table: str
    column: str
    rest: str
    start: int
    end: int


def migration_risks(change: ChangeView, head: RepositoryView) -> Iterator[Candidate]:
    """Risky steps of the migrations that the change adds, and of no older ones: those have run."""
    texts = [text for text in added_texts(change, head) if _is_migration(text)]
    made = {table for text in texts for table in _made(text)}
    for text in texts:
        told: set[tuple[str, str, str]] = set()
        steps = [step for step in _steps(text) if step.table not in made]
        for step in steps:
            key = (step.kind, step.table, step.column)
            found = None if key in told or len(told) >= _MAX_FOUND else _risk(step, steps, text, head)
            if found is not None:
                told.add(key)
                yield found


def _is_migration(text: AddedText) -> bool:
    path = text.path
    if is_test(path) or is_sample(path) or is_example(path) or is_prose(path) or _BACKWARD.search(path):
        return False
    if path.endswith(".sql"):
        return bool(_MIGRATION.search(path))
    return path.endswith(".py") and _migrates(text.lines)


def _migrates(lines: Sequence[str]) -> bool:
    """Whether a Python file is a migration of Alembic or Django."""
    head = "\n".join(lines[:80])
    return (
        "from alembic import" in head
        or "migrations.Migration" in head
        or "django.db import migrations" in head
    )


def _source(text: AddedText) -> str:
    """The way forward of a migration."""
    whole = "\n".join(text.lines)[:_MAX_TEXT]
    down = (_DOWN_SQL if text.path.endswith(".sql") else _DOWN_PYTHON).search(whole)
    return whole[: down.start()] if down else whole


def _made(text: AddedText) -> Iterator[str]:
    source = _source(text)
    for pattern in (_CREATE_TABLE, _MADE_IN_PYTHON):
        for found in pattern.finditer(source):
            yield _plain(found[1])


def _steps(text: AddedText) -> Iterator[_Step]:
    source = _source(text)
    if text.path.endswith(".sql"):
        yield from _sql_steps(source, 0)
        return
    for string in _STRING.finditer(source):
        if _SQL_IN_STRING.search(string[0]):
            inner = string[0].strip("\"'")
            yield from _sql_steps(inner, string.start() + string[0].index(inner))
    yield from _python_steps(source)


# -- SQL ------------------------------------------------------------------------------------------------


def _sql_steps(sql: str, offset: int) -> Iterator[_Step]:
    for start, statement in _statements(sql):
        altered = _ALTER_TABLE.match(statement)
        if altered is not None:
            at = offset + start + altered.start(2)
            for step, action in _actions(altered[2]):
                yield from _action(_plain(altered[1]), action, at + step)
            continue
        indexed = _CREATE_INDEX.match(statement)
        if indexed is not None:
            skipped = len(statement) - len(statement.lstrip())
            first, last = offset + start + skipped, offset + start + len(statement.rstrip())
            yield _Step("index", _plain(indexed[1]), "", statement, first, last)


def _statements(sql: str) -> Iterator[tuple[int, str]]:
    """(offset, statement) with comments and the insides of strings blanked."""
    parts: list[str] = []
    at = begun = 0
    for token in _TOKEN.finditer(sql):
        parts.append(sql[at : token.start()])
        at = token.end()
        if token[0] == ";":
            yield begun, "".join(parts)
            parts, begun = [], at
        else:
            parts.append(re.sub(r"[^\n]", " ", token[0]))
    parts.append(sql[at:])
    yield begun, "".join(parts)


def _actions(text: str) -> Iterator[tuple[int, str]]:
    """The actions of an ALTER TABLE: what stands between commas outside brackets."""
    depth = begun = 0
    for at, mark in enumerate(text):
        if mark in "([":
            depth += 1
        elif mark in ")]":
            depth -= 1
        elif mark == "," and depth <= 0:
            yield begun, text[begun:at]
            begun = at + 1
    yield begun, text[begun:]


def _action(table: str, action: str, at: int) -> Iterator[_Step]:
    first, last = at + len(action) - len(action.lstrip()), at + len(action.rstrip())
    for kind, pattern in (("add", _ADD), ("drop", _DROP), ("rename", _RENAME), ("type", _TYPE)):
        found = pattern.match(action)
        if found is not None:
            rest = found[2] if found.re.groups > 1 else ""
            yield _Step(kind, table, _plain(found[1]), rest, first, last)
            return


def _plain(name: str) -> str:
    return re.sub(r"[\"`\[\]]", "", name).lower().removeprefix("public.")


# -- Alembic and Django ---------------------------------------------------------------------------------


def _python_steps(source: str) -> Iterator[_Step]:
    for call in _PYTHON_CALL.finditer(source):
        arguments = _arguments(source, call.end())
        names = _QUOTED.findall(arguments)
        end = call.end() + len(arguments)
        if call[2] == "AddField":
            yield from _django_step(arguments, call.start(), end)
            continue
        if call[1] == "batch_op":
            around = [found[1] for found in _BATCH.finditer(source, 0, call.start())]
            names = around[-1:] + names
        if call[2] == "create_index":
            concurrent = re.search(r"concurrently\s*=\s*True", arguments)
            if len(names) >= 2 and call[1] == "op" and not concurrent:
                yield _Step("index", names[1].lower(), "", "create index", call.start(), end)
            continue
        if len(names) < 2:
            continue
        table, column = names[0].lower(), names[1].lower()
        if call[2] == "add_column":
            yield _Step("add", table, column, _alembic_column(arguments), call.start(), end)
        elif call[2] == "drop_column":
            yield _Step("drop", table, column, "", call.start(), end)
        elif "new_column_name" in arguments:
            yield _Step("rename", table, column, "", call.start(), end)
        elif re.search(r"(?<!existing_)type_\s*=", arguments):
            wide = re.search(
                r"(?<!existing_)type_\s*=\s*(?:sa\.)?(?:Text|String)(?:\(\s*\))?\s*[,)\s]", arguments
            )
            yield _Step("type", table, column, "text" if wide else "another type", call.start(), end)


def _django_step(arguments: str, start: int, end: int) -> Iterator[_Step]:
    model = re.search(r"model_name\s*=\s*[\"'](\w+)", arguments)
    name = re.search(r"(?<!_)\bname\s*=\s*[\"'](\w+)", arguments)
    field = re.search(r"\bfield\s*=\s*(.*)", arguments, re.DOTALL)
    if model is None or name is None or field is None:
        return
    written = field[1]
    filled = re.search(
        r"\bnull\s*=\s*True|\b(?:db_)?default\s*=|ManyToMany|auto_now|AutoField|GeneratedField", written
    )
    known = re.search(r"\bmodels\.(?:\w+Field|ForeignKey)\(", written)
    if known and not filled:
        yield _Step("add", model[1].lower(), name[1].lower(), "not null", start, end)


def _alembic_column(arguments: str) -> str:
    """A column as SQL would say it, as far as the risk needs."""
    required = re.search(r"\bnullable\s*=\s*False", arguments)
    filled = re.search(r"\bserver_default\s*=|\bIdentity\(|\bComputed\(", arguments)
    return ("not null" if required else "") + (" default" if filled else "")


def _arguments(source: str, start: int) -> str:
    depth = 1
    for at in range(start, min(len(source), start + _MAX_CALL)):
        if source[at] == "(":
            depth += 1
        elif source[at] == ")":
            depth -= 1
            if not depth:
                return source[start:at]
    return source[start : start + _MAX_CALL]


# -- what is risky --------------------------------------------------------------------------------------


def _risk(step: _Step, steps: Sequence[_Step], text: AddedText, head: RepositoryView) -> Candidate | None:
    source = "\n".join(text.lines)
    first = source.count("\n", 0, step.start) + 1
    last = source.count("\n", 0, max(step.start, step.end - 1)) + 1
    if not any(first <= number <= last for number in text.numbers):
        return None
    name = f"{step.table}.{step.column}"
    match step.kind:
        case "add" if (
            _NOT_NULL.search(step.rest) and not _FILLED.search(step.rest) and not _MYSQL.search(source)
        ):
            title = f"`{name}` is added NOT NULL without a default"
            body = (
                f"On a table that has rows this statement fails, or stops the migration, because `{step.column}`"
                " would be NULL in them. Add it nullable and fill it first, or give it a default."
            )
            return _told(text, first, last, title, body, name)
        case "drop" | "rename":
            back = any(s.kind == "add" and (s.table, s.column) == (step.table, step.column) for s in steps)
            readers = [] if back else _readers(step.table, step.column, head)
            if not readers:
                return None
            where = ", ".join(f"{path}:{line}" for path, line in readers)
            done = "dropped" if step.kind == "drop" else "renamed"
            title = f"`{name}` is {done}, but code still names it"
            body = f"Once the migration has run, these fail: {where}. Change them first, or keep the column for a release."
            more = tuple(_quote(path, line, head) for path, line in readers)
            return _told(text, first, last, title, body, name, more)
        case "type" if not _NO_REWRITE.match(step.rest) and _is_postgres(text, source, head):
            title = f"`{name}` changes its type, which may rewrite the whole table"
            body = (
                f"Postgres holds an exclusive lock on `{step.table}` while it rewrites it: nobody reads or writes it"
                " meanwhile. Add a new column, fill it in batches and switch over, unless the table is small."
            )
            return _told(text, first, last, title, body, name)
        case "index" if "concurrently" not in step.rest.lower() and _is_postgres(text, source, head):
            title = f"The index on `{step.table}` is built under a lock"
            body = (
                f"CREATE INDEX blocks every write to `{step.table}` until it is done. On a table that is large and in"
                " use build it with CONCURRENTLY, outside a transaction."
            )
            return _told(text, first, last, title, body, step.table)
    return None


def _told(
    text: AddedText,
    first: int,
    last: int,
    title: str,
    body: str,
    target: str,
    more: tuple[Evidence, ...] = (),
) -> Candidate:
    added = [number for number in text.numbers if first <= number <= last]
    number = added[0]
    return at_line(
        "migration-risk",
        Category.DATA,
        text.path,
        number,
        text.line(number),
        title,
        body,
        target=target,
        more=more,
    )


def _quote(path: str, line: int, head: RepositoryView) -> Evidence:
    return Evidence(path, line, line, Side.HEAD, text_lines(head, path)[line - 1])


def _is_postgres(text: AddedText, source: str, head: RepositoryView) -> bool:
    if _MYSQL.search(source):
        return False
    if _POSTGRES.search(text.path) or _POSTGRES.search(source):
        return True
    folder, suffix = posixpath.dirname(text.path), posixpath.splitext(text.path)[1]
    siblings = [p for p in head.paths() if posixpath.dirname(p) == folder and p.endswith(suffix)]
    return any(
        _POSTGRES.search("\n".join(text_lines(head, path))[:_MAX_TEXT]) for path in siblings[-_SIBLINGS:]
    )


def _readers(table: str, column: str, head: RepositoryView) -> list[tuple[str, int]]:
    """Where code at the head still names the column, at most a few places."""
    bare = table.rsplit(".", 1)[-1]
    exact = set(head.files_mentioning("column", f"{table}.{column}")) | set(
        head.files_mentioning("column", f"{bare}.{column}")
    )
    near = set(head.files_mentioning("table", table)) | set(head.files_mentioning("table", bare))
    found: list[tuple[str, int]] = []
    for path in sorted(exact | near)[:_MAX_FILES]:
        if _is_apart(path):
            continue
        line = _reading_line(path, {table, bare}, column, head)
        if line:
            found.append((path, line))
        if len(found) == _MAX_READERS:
            break
    return found


def _is_apart(path: str) -> bool:
    """Whether a file speaks of the past, or of nothing that runs in production."""
    apart = is_test(path) or is_sample(path) or is_example(path) or is_foreign(path) or is_prose(path)
    return apart or bool(_MIGRATION.search(path)) or path.endswith(".sql")


def _reading_line(path: str, tables: set[str], column: str, head: RepositoryView) -> int:
    """The line that names the column of this table, 0 for none."""
    lines, mentions = text_lines(head, path), head.mentions(path)
    if _migrates(lines):
        return 0
    exact = [m.line for m in mentions if m.kind == "column" and m.name in {f"{t}.{column}" for t in tables}]
    if exact:
        return exact[0]
    word = re.compile(rf"(?i)(?<![\w.-]){re.escape(column)}(?![\w(])")
    field = re.compile(rf"\s+{re.escape(column)}\s*(?::[^=\n]+)?=\s*[\w.]*(?:[cC]olumn|Field|ForeignKey)\b")
    for mention in mentions:
        if mention.kind != "table" or mention.name not in tables:
            continue
        at = mention.line
        if "__tablename__" in lines[at - 1] or "db_table" in lines[at - 1]:
            body = range(max(1, at - _BODY), min(len(lines), at + _BODY) + 1)
            hit = next((n for n in body if field.match(lines[n - 1])), 0)
        elif "_" in column:
            hit = _in_statement(lines, at, word)
        else:
            hit = 0
        if hit:
            return hit
    return 0


def _in_statement(lines: Sequence[str], at: int, word: re.Pattern[str]) -> int:
    """The line near `at` with the word, in the same paragraph of text."""
    first = at
    while first > 1 and at - first < _NEAR and lines[first - 2].strip():
        first -= 1
    last = at
    while last < len(lines) and last - at < _NEAR and lines[last].strip():
        last += 1
    return next((n for n in range(first, last + 1) if word.search(lines[n - 1])), 0)
