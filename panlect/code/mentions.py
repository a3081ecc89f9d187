"""Names that code shares with the world by a string: environment variables, routes, flags, tables ...

Two repositories that no import joins are joined by these. Read from the text by patterns, so a mention in a
comment counts too; each pattern runs only where a word that it needs is in the file at all.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from panlect.code.analysis import Mention

KINDS = ("env", "route", "flag", "config", "feature", "table", "column")
_MOST = 5000  # of one blob: a file with more is data
_LONGEST_NAME = 200
_LONGEST_SQL = 8000

Found = Iterator[tuple[int, str, str]]  # offset, kind, name


def mentions_in(
    family: str, source: bytes, lines: Sequence[int], words: Collection[str]
) -> tuple[Mention, ...]:
    """What a blob mentions, each name once a line, in the order of the text.

    `lines`: where each begins; `words`: the distinct words of the text, which say what need not be looked for.
    """
    found: dict[Mention, None] = {}
    readers = [reader for reader in _READERS if reader.fits(family, source, words)]
    for offset, kind, name in sorted(row for reader in readers for row in reader.read(source)):
        if name and len(name) <= _LONGEST_NAME and len(found) < _MOST:
            found[Mention(kind, name, bisect_right(lines, offset))] = None
    return tuple(found)


def one_spelling(kind: str, name: str) -> str:
    """A name as mentions of this kind are written: people write a route's parameters and a table's case as they like."""
    if kind == "route":
        return _route(name.encode("ascii", "replace"))
    return name.lower() if kind in ("table", "column") else name


@dataclass(frozen=True, slots=True)
class _Reader:
    """A way of finding mentions. A text with such a mention has one of `words` or of `texts`."""

    read: Callable[[bytes], Found]
    words: frozenset[str] = frozenset()
    texts: tuple[bytes, ...] = ()
    families: frozenset[str] | None = None  # None: every one

    def fits(self, family: str, source: bytes, words: Collection[str]) -> bool:
        """Whether the text may hold such a mention: most of it never has to be read again."""
        if self.families is not None and family not in self.families:
            return False
        return any(word in words for word in self.words) or any(text in source for text in self.texts)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _each(pattern: re.Pattern[bytes], kind: str) -> Callable[[bytes], Found]:
    """The first group of the pattern that matched is the name."""

    def read(source: bytes) -> Found:
        for match in pattern.finditer(source):
            group = match.lastindex or 0
            yield match.start(group), kind, match[group].decode("ascii", "replace")

    return read


_QUOTED_NAME = rb"[uUrRbB]?[\"'`:]([A-Za-z_][\w.:\-/]*)"
_ENV_CALL = re.compile(
    rb"(?:\benviron(?:ment)?(?:\.(?:get|setdefault|pop))?|\b[gs]etenv|\b(?:Get|Lookup|Set|Unset)[eE]nv"
    rb"|\benv::(?:var|var_os|set_var)|\b(?:option_)?env!|\bGetEnvironmentVariable|\bENV(?:\.fetch)?|\b_ENV"
    rb"|\benv(?:\.get)?)\s*[(\[]\s*[uUrRbB]?[\"']([A-Za-z_]\w*)[\"']",
    re.ASCII,
)
_ENV_FIELD = re.compile(rb"\benv\.([A-Z_][A-Z0-9_]*)\b", re.ASCII)
_ENV_SHELL = re.compile(
    rb"\$\{?([A-Z][A-Z0-9_]{2,})\b|^[ \t]*(?:export |ENV |ARG |- )?([A-Z][A-Z0-9_]{2,})[=:]", re.ASCII | re.M
)
_FLAG_QUOTED = re.compile(rb"[\"'`](--[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?=[\"'`=, ])", re.ASCII)
_FLAG_BARE = re.compile(rb"(?:^|[\s`|\[(\"'])(--[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?![\w-])", re.ASCII | re.M)
_FLAG_GO = re.compile(
    rb"\b(?:[fF]lags?|fs)(?:\(\))?\.(?:String|Bool|Int|Int64|Uint|Float64|Duration)(?:Var)?P?\((?:&[\w.\[\]]+,\s*)?\"([a-z][\w.\-]*)\"",
    re.ASCII,
)
_CONFIG_CALL = re.compile(
    rb"\b(?:[cC]onfig(?:uration)?|[sS]ettings|conf|cfg|viper|[pP]roperties|props)"
    rb"(?:(?:\.|->|::)(?:[gG]et\w*|fetch|value))?\s*[(\[]\s*"
    + _QUOTED_NAME
    + rb"[\"'`]|@Value\(\s*\"\$\{([\w.\-]+)",
    re.ASCII,
)
_CONFIG_FIELD = re.compile(rb"\bsettings\.([A-Z][A-Z0-9_]+)\b", re.ASCII)
_FEATURE = re.compile(
    rb"\b(?:is_?[eE]nabled|Is(?:Feature)?Enabled|[fF]eature_?(?:[eE]nabled|[fF]lag|[aA]ctive)|feature_is_enabled"
    rb"|(?:\w*_)?variation|\w*Variation|use(?:Feature|Flag|FeatureFlag)|get_?[fF]eature_?[fF]lag|flag_is_active"
    rb"|switch_is_active|enabled\?)\s*\(\s*(?:\w+\s*,\s*)?" + _QUOTED_NAME,
    re.ASCII,
)
_ROUTE_TEXT = re.compile(
    rb"[\"'`](?:(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) )?"
    rb"(?:https?://[\w.:\-]+|\$?\{[\w.]+\})?\^?(/[\w{}:<>.\-/*$\[\]]*)",
    re.ASCII,
)
_ROUTE_TAKER = re.compile(rb"(\w+)\s*\(\s*(?:value\s*=\s*|path\s*=\s*)?[rfbRFB]{0,2}$", re.ASCII)
_LONGEST_TAKER = 60
_ROUTE_RELATIVE = re.compile(
    rb"\b(?:path|re_path|Http(?:Get|Post|Put|Patch|Delete)|Route)\(\s*r?[\"']\^?([A-Za-z][\w{}:<>.\-/*]*/?[\w{}:<>.\-/*]*)\$?[\"']",
    re.ASCII,
)
_ROUTE_BARE = re.compile(
    rb"^[ \t]*(?:get|post|put|patch|delete|match)\s+[\"'](/[\w:.\-/*]+)", re.ASCII | re.M
)
_VERBS = frozenset(
    b"get post put patch delete head options all any route routes handle handlefunc handler path url fetch request"
    b" mapping getmapping postmapping putmapping patchmapping deletemapping requestmapping mapget mappost mapput"
    b" mappatch mapdelete group use websocket add_url_rule add_route add_api_route redirect href urlopen newrequest"
    b" ajax api_route getasync postasync putasync deleteasync".split()
)
_PARAMETER = re.compile(r"\$?\{[^/{}]*\}|<[^/<>]*>|(?<=/):\w+|\[[^/\[\]]*\]|\*+")


def _routes(source: bytes) -> Found:
    for match in _ROUTE_TEXT.finditer(source):
        before = _ROUTE_TAKER.search(source[max(0, match.start() - _LONGEST_TAKER) : match.start()])
        if before and before[1].lower() in _VERBS and (name := _route(match[1])):
            yield match.start(1), "route", name
    for pattern in (_ROUTE_RELATIVE, _ROUTE_BARE):
        for match in pattern.finditer(source):
            yield match.start(1), "route", _route(match[1])


def _route(raw: bytes) -> str:
    """One spelling of a path, whatever its framework writes for a parameter: `/orders/{}`."""
    text = _PARAMETER.sub("{}", raw.decode("ascii", "replace")).strip("/$")
    return f"/{text}" if re.search("[A-Za-z]", text) else ""


_SQL_BEGINS = re.compile(
    rb"(\"\"\"|'''|[\"'`])\s*(?=(?:select|insert\s+into|update|delete\s+from|(?:create|alter|drop|truncate)\s+table"
    rb"|with\s+\w+\s+as|merge\s+into|copy)\b)",
    re.IGNORECASE,
)
_SQL_NAME = rb"[\"`\[]?((?:\w+\.)?\w+)"
_SQL_TABLE = re.compile(
    rb"\b(?:from|join|into|update|references|(?:create|alter|drop|truncate)(?:\s+(?:temporary|temp|unlogged|foreign))?\s+table"
    rb"|copy)\s+(?:if\s+(?:not\s+)?exists\s+|only\s+)*" + _SQL_NAME,
    re.IGNORECASE | re.ASCII,
)
_SQL_COLUMNS = re.compile(
    rb"\binsert\s+into\s+" + _SQL_NAME + rb"[\"`\]]?\s*\(([^()]{1,2000})\)", re.IGNORECASE | re.ASCII
)
_SQL_ALTERED = re.compile(
    rb"\balter\s+table\s+(?:if\s+exists\s+|only\s+)*"
    + _SQL_NAME
    + rb"[\"`\]]?\s+(?:add|drop|alter|rename|modify)\s+(?:column\s+)?(?:if\s+(?:not\s+)?exists\s+)?[\"`\[]?(\w+)",
    re.IGNORECASE | re.ASCII,
)
_SQL_CREATED = re.compile(
    rb"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?"
    + _SQL_NAME
    + rb"[\"`\]]?\s*\((.{1,4000}?)\)\s*(?:;|[\"'`]|$)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_SQL_SET = re.compile(
    rb"\bupdate\s+(?:only\s+)?"
    + _SQL_NAME
    + rb"[\"`\]]?(?:\s+(?:as\s+)?\w+)?\s+set\s+(?:\w+\.)?[\"`\[]?(\w+)\s*=",
    re.IGNORECASE | re.ASCII,
)
_COLUMN = re.compile(rb"(?:^|,)\s*[\"`\[]?(\w+)[\"`\]]?(?=[\s,]|$)", re.ASCII)
_NOT_TABLES = frozenset(
    ("select", "set", "values", "where", "the", "a", "an", "only", "lateral", "unnest", "stdin", "stdout", "each", "if",
     "not", "exists", "as", "on", "this", "that")
)  # fmt: skip
_NOT_COLUMNS = frozenset(
    b"primary foreign unique check constraint exclude like index key to column table partition".split()
)
_TABLE_OF_MODEL = re.compile(
    rb"(?:__tablename__\s*=\s*|\bdb_table\s*=\s*|@Table\(\s*name\s*=\s*|\bToTable\(|\bcreate_table\s*\(?\s*|\bdrop_table\s*\(?\s*"
    rb"|\$table\s*=\s*|Schema::(?:create|table)\(\s*|\bTable\()[:\"'](\w+)",
    re.ASCII,
)
_COLUMN_OF_MODEL = re.compile(
    rb"\b(?:add|remove|rename|change|drop|alter)_column\s*\(?\s*[:\"'](\w+)[\"']?\s*,\s*[:\"'](\w+)", re.ASCII
)


def _sql(source: bytes) -> Found:
    """Statements in string literals of code: from their first word to the closing quote."""
    end = 0
    for match in _SQL_BEGINS.finditer(source):
        if match.end() < end:
            continue
        closing = source.find(match[1], match.end(), match.end() + _LONGEST_SQL)
        end = closing if closing >= 0 else min(len(source), match.end() + _LONGEST_SQL)
        yield from (
            (match.end() + at, kind, name) for at, kind, name in _statement(source[match.end() : end])
        )


def _models(source: bytes) -> Found:
    """Tables and columns as object mappers and their migrations name them."""
    for match in _TABLE_OF_MODEL.finditer(source):
        yield match.start(1), "table", match[1].decode("ascii").lower()
    for match in _COLUMN_OF_MODEL.finditer(source):
        yield match.start(2), "column", _column(match[1], match[2])


def _statement(sql: bytes) -> Found:
    for match in _SQL_TABLE.finditer(sql):
        name = match[1].decode("ascii").lower()
        called = sql[match.end() : match.end() + 2].lstrip(b'"`] ').startswith(b"(")  # a function, or columns
        if name not in _NOT_TABLES and (not called or match[0][:4].lower() in (b"into", b"crea")):
            yield match.start(1), "table", name
    for pattern in (_SQL_COLUMNS, _SQL_CREATED):
        for match in pattern.finditer(sql):
            for column in _COLUMN.finditer(match[2]):
                if column[1].lower() not in _NOT_COLUMNS:
                    yield match.start(2) + column.start(1), "column", _column(match[1], column[1])
    for pattern in (_SQL_ALTERED, _SQL_SET):
        for match in pattern.finditer(sql):
            if match[2].lower() not in _NOT_COLUMNS:
                yield match.start(2), "column", _column(match[1], match[2])


def _column(table: bytes, column: bytes) -> str:
    return f"{table.decode('ascii').lower()}.{column.decode('ascii').lower()}"


def _go_flags(source: bytes) -> Found:
    for offset, kind, name in _each(_FLAG_GO, "flag")(source):
        yield offset, kind, f"--{name}"


_TEXTS = frozenset(
    {"text", "shell", "yaml", "dockerfile", "makefile", "markdown", "rest", "toml", "json", "ini", "hcl"}
)
_SQL_WORDS = frozenset(
    spelt
    for word in (
        "select",
        "insert",
        "update",
        "delete",
        "create",
        "alter",
        "drop",
        "truncate",
        "with",
        "merge",
        "copy",
    )
    for spelt in (word, word.upper(), word.capitalize())
)
_READERS = (
    _Reader(
        _each(_ENV_CALL, "env"),
        _words(
            "environ environment getenv setenv Getenv GetEnv Lookupenv LookupEnv Setenv SetEnv Unsetenv UnsetEnv env"
            " option_env GetEnvironmentVariable ENV _ENV"
        ),
    ),
    _Reader(_each(_ENV_FIELD, "env"), _words("env")),
    _Reader(_each(_ENV_SHELL, "env"), texts=(b"$", b"=", b":"), families=_TEXTS),
    _Reader(_each(_FLAG_QUOTED, "flag"), texts=(b'"--', b"'--", b"`--")),
    _Reader(_each(_FLAG_BARE, "flag"), texts=(b"--",), families=_TEXTS),
    _Reader(_go_flags, _words("flag Flag flags Flags fs"), families=frozenset({"go"})),
    _Reader(
        _each(_CONFIG_CALL, "config"),
        _words(
            "config Config configuration Configuration settings Settings conf cfg viper properties Properties props Value"
        ),
    ),
    _Reader(_each(_CONFIG_FIELD, "config"), _words("settings")),
    _Reader(
        _each(_FEATURE, "feature"),
        texts=(b"nabled", b"eature", b"ariation", b"_is_active", b"useFlag"),
    ),
    _Reader(
        _routes,
        _words("re_path HttpGet HttpPost HttpPut HttpPatch HttpDelete Route"),
        (
            b'"/',
            b"'/",
            b"`/",
            b"}/",
            b"^/",
            b'"http',
            b"'http",
            b"`http",
            b"path(",
            b"T /",
            b"H /",
            b"E /",
            b"D /",
            b"S /",  # GET, POST, PUT; PATCH; DELETE; HEAD; OPTIONS
        ),
    ),
    _Reader(_sql, _SQL_WORDS),
    _Reader(
        _models,
        _words(
            "__tablename__ db_table Table ToTable create_table drop_table table Schema add_column remove_column"
            " rename_column change_column drop_column alter_column"
        ),
    ),
    _Reader(_statement, texts=(b"",), families=frozenset({"sql"})),
)
