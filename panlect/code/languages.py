"""First step of an index: which language a blob is in, and what kind of file it is.

Another language is one row in `LANGUAGES`, one query file in `queries/` and one table of test cases; one without
a grammar is a row with a chunker.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # classifying a path must not load the parser
    import tree_sitter

Kind = Literal[
    "code",
    "code-other",
    "documentation",
    "data",
    "configuration",
    "generated",
    "vendored",
    "lock",
    "binary",
]

Chunker = Literal["heading", "statement", "block", "key", "lines"]  # `sections.py` knows how


@dataclass(frozen=True, slots=True)
class Language:
    """How to recognise and read one language. `grammar` is `module:function`, loaded when first needed."""

    name: str
    family: str  # tsx and typescript are one language to the checks
    suffixes: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()  # known by their whole name
    interpreters: tuple[str, ...] = ()  # of a shebang line, when the name says nothing
    grammar: str = ""  # "": cut by lines, and the analysis says so
    queries: tuple[str, ...] = ()  # files in queries/, read as one; symbols come from them
    test_names: re.Pattern[str] | None = None  # group "stem" is the name of what it tests, if it says
    exported: re.Pattern[str] | None = None  # names seen from outside; None: the query says (@exported)
    chunker: Chunker = "lines"  # of a language without a grammar: where its files are cut
    analysed: bool = False  # whether the checks read it, so that a hunk in it counts as code

    def load(self) -> tree_sitter.Language:
        """The grammar. Raises ImportError when its wheel is not installed."""
        return _grammar(self.grammar)


_EVERYTHING = re.compile("")  # seen unless the query says @hidden
_NOTHING = re.compile("(?!)")  # hidden unless the query says @public or @exported
_JS_TESTS = re.compile(r"(?P<stem>.+?)[.\-_](?:test|spec)(?:-d)?\.[cm]?[jt]sx?$")
_C_TESTS = re.compile(
    r"(?:(?P<stem>.+?)(?:[_\-.](?:unit_?)?tests?|(?:Unit)?Tests?)|[Tt]ests?[_\-](?P<stem2>.+))"
    r"\.(?:c|cc|cpp|cxx|c\+\+|cu|h|hh|hpp|hxx)"
)

TEXT = Language("text", "text")
SCRIPT = Language("script", "text")  # a name without a suffix: its first line decides once it is read
LANGUAGES: tuple[Language, ...] = (
    Language(
        name="python",
        family="python",
        suffixes=(".py", ".pyi", ".pyw"),
        interpreters=("python",),
        grammar="tree_sitter_python:language",
        queries=("python.scm",),
        exported=re.compile(r"(?!_)"),
        test_names=re.compile(r"(?:test_(?P<stem>.+)|(?P<stem2>.+)_tests?|conftest|tests?)\.pyi?$"),
        analysed=True,
    ),
    Language(
        name="typescript",
        family="typescript",
        suffixes=(".ts", ".mts", ".cts"),
        interpreters=("deno", "ts-node", "tsx"),
        grammar="tree_sitter_typescript:language_typescript",
        queries=("typescript.scm",),
        test_names=_JS_TESTS,
        analysed=True,
    ),
    Language(
        name="tsx",
        family="typescript",
        suffixes=(".tsx",),
        grammar="tree_sitter_typescript:language_tsx",
        queries=("typescript.scm", "jsx.scm"),
        test_names=_JS_TESTS,
        analysed=True,
    ),
    Language(
        name="javascript",
        family="javascript",
        suffixes=(".js", ".jsx", ".mjs", ".cjs"),
        interpreters=("node",),
        grammar="tree_sitter_javascript:language",
        queries=("javascript.scm", "jsx.scm"),
        test_names=_JS_TESTS,
    ),
    Language(
        name="go",
        family="go",
        suffixes=(".go",),
        grammar="tree_sitter_go:language",
        queries=("go.scm",),
        exported=re.compile(r"[A-Z]"),
        test_names=re.compile(r"(?P<stem>.+)_test\.go$"),
        analysed=True,
    ),
    Language(
        name="rust",
        family="rust",
        suffixes=(".rs",),
        grammar="tree_sitter_rust:language",
        queries=("rust.scm",),
        exported=_NOTHING,
        test_names=re.compile(r"(?:(?P<stem>.+)_tests?|test_(?P<stem2>.+)|tests?)\.rs"),
    ),
    Language(
        name="java",
        family="jvm",
        suffixes=(".java",),
        grammar="tree_sitter_java:language",
        queries=("java.scm",),
        exported=_EVERYTHING,
        test_names=re.compile(r"(?:(?P<stem>.+)(?:Tests?|TestCase|IT|Spec)|Test(?P<stem2>[A-Z].*))\.java"),
    ),
    Language(
        name="csharp",
        family="csharp",
        suffixes=(".cs", ".csx"),
        grammar="tree_sitter_c_sharp:language",
        queries=("csharp.scm",),
        exported=_NOTHING,
        test_names=re.compile(r"(?P<stem>.+?)(?:Unit|Integration)?(?:Tests?|Specs?)\.cs"),
    ),
    Language(
        name="c",
        family="c",
        suffixes=(".c",),
        grammar="tree_sitter_c:language",
        queries=("c-family.scm", "c.scm"),
        exported=_EVERYTHING,
        test_names=_C_TESTS,
    ),
    Language(
        name="cpp",
        family="c",  # a .cpp file sees what a .c file defines
        # A blob's language is settled by its path alone (it is part of the key of its analysis), and a .h may be
        # either. The grammar of C++ reads C headers as well; that of C makes errors of every class.
        suffixes=(
            ".cpp",
            ".cc",
            ".cxx",
            ".c++",
            ".hpp",
            ".hh",
            ".hxx",
            ".h++",
            ".h",
            ".inl",
            ".ipp",
            ".tpp",
            ".cu",
            ".cuh",
        ),
        grammar="tree_sitter_cpp:language",
        queries=("c-family.scm", "cpp.scm"),
        exported=_EVERYTHING,
        test_names=_C_TESTS,
    ),
    Language(
        name="ruby",
        family="ruby",
        suffixes=(".rb", ".rake", ".gemspec", ".ru"),
        interpreters=("ruby", "jruby"),
        file_names=("Gemfile", "Rakefile", "Guardfile", "Podfile", "Vagrantfile", "Brewfile", "Fastfile"),
        grammar="tree_sitter_ruby:language",
        queries=("ruby.scm",),
        exported=_EVERYTHING,
        test_names=re.compile(r"(?:(?P<stem>.+)_(?:spec|test)|test_(?P<stem2>.+)|(?:spec|test)_helper)\.rb"),
    ),
    Language(
        name="php",
        family="php",
        suffixes=(".php", ".phtml", ".php5", ".php7", ".inc"),
        interpreters=("php",),
        grammar="tree_sitter_php:language_php",
        queries=("php.scm",),
        exported=_EVERYTHING,
        test_names=re.compile(r"(?P<stem>.+?)(?:Test|TestCase|Spec|Cest)\.php"),
    ),
    Language(
        name="swift",
        family="swift",
        suffixes=(".swift",),
        interpreters=("swift",),
        grammar="tree_sitter_swift:language",
        queries=("swift.scm",),
        exported=_EVERYTHING,  # internal is seen in the whole module
        test_names=re.compile(r"(?P<stem>.+?)(?:Tests?|Specs?|TestCase)\.swift"),
    ),
    Language(
        name="kotlin",
        family="jvm",
        suffixes=(".kt", ".kts"),
        grammar="tree_sitter_kotlin:language",
        queries=("kotlin.scm",),
        exported=_EVERYTHING,
        test_names=re.compile(r"(?P<stem>.+?)(?:Unit)?(?:Tests?|Specs?|IT)\.kt"),
    ),
    Language(
        name="scala",
        family="jvm",
        suffixes=(".scala", ".sc", ".sbt"),
        grammar="tree_sitter_scala:language",
        queries=("scala.scm",),
        exported=_EVERYTHING,
        test_names=re.compile(r"(?P<stem>.+?)(?:Unit)?(?:Tests?|Specs?|Suite|IT)\.scala"),
    ),
    Language("markdown", "markdown", (".md", ".mdx", ".markdown"), chunker="heading"),
    Language("rest", "rest", (".rst",), chunker="heading"),
    Language("sql", "sql", (".sql", ".ddl", ".pgsql", ".psql"), chunker="statement"),
    Language(
        name="shell",
        family="shell",
        suffixes=(".sh", ".bash", ".zsh", ".ksh", ".bats"),
        file_names=(".bashrc", ".bash_profile", ".profile", ".zshrc", ".envrc"),
        interpreters=("sh", "bash", "zsh", "ksh", "dash", "ash"),
        chunker="block",
    ),
    Language("yaml", "yaml", (".yaml", ".yml"), chunker="key"),
    Language("toml", "toml", (".toml",), ("Pipfile", "Cargo.lock", "poetry.lock"), chunker="key"),
    Language("ini", "ini", (".ini", ".cfg", ".conf"), (".editorconfig", ".gitconfig"), chunker="key"),
    Language("json", "json", (".json", ".jsonc", ".json5", ".webmanifest"), chunker="key"),
    Language("dockerfile", "dockerfile", (".dockerfile",), ("Dockerfile", "Containerfile"), chunker="block"),
    Language("makefile", "makefile", (".mk", ".mak"), ("Makefile", "GNUmakefile"), chunker="block"),
    Language("proto", "proto", (".proto",), chunker="block"),
    Language("graphql", "graphql", (".graphql", ".graphqls", ".gql"), chunker="block"),
    Language("hcl", "hcl", (".tf", ".hcl", ".tfvars"), chunker="block"),
)

_TEST_DIRECTORIES = frozenset({"test", "tests", "testing", "__tests__", "spec", "specs", "testdata", "e2e"})
_EXAMPLE_DIRECTORIES = frozenset({"example", "examples", "demo", "demos", "sample", "samples", "fixtures"})
_VENDORED = frozenset(
    {"vendor", "_vendor", "vendored", "node_modules", "third_party", "third-party", "bower_components",
     "site-packages", ".yarn", "jspm_packages"}
)  # fmt: skip
_LOCKS = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum", "go.work.sum", "bun.lockb",
     "packages.lock.json", "gradle.lockfile", "package.resolved", "requirements.lock", "cartfile.resolved",
     "podfile.lock", ".terraform.lock.hcl", "deno.lock", "conda-lock.yml"}
)  # fmt: skip
_GENERATED_NAMES = re.compile(
    r"(\.pb(\.gw|_grpc|\.validate)?\.go|_grpc\.pb\.go|_pb2(_grpc)?\.pyi?|_pb\.d\.ts|_pb\.js"
    r"|[.\-]min\.(js|css|mjs)|\.bundle\.js|zz_generated\..*\.go|_generated\.go|\.g\.(dart|cs)|\.map)$",
    re.IGNORECASE,
)
# Only a comment that says so near the top counts: prose about generated files is not a generated file.
_GENERATED_HEADER = re.compile(
    rb"^[ \t]*(?://|#|/?\*+|--|;|<!--|\"\"\"|%)[^\n]*"
    rb"(?:@generated\b|\bcode generated\b[^\n]*\bdo not edit\b|\bdo not edit\b|\bautomatically generated\b"
    rb"|\bauto-?generated (?:by|from|file)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_BYTES = 2048
_MEAN_LINE_LIMIT = 300
_SNIFFED_BYTES = 8192


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BINARY = _set(
    ".png .jpg .jpeg .gif .ico .webp .bmp .tif .tiff .avif .pdf .zip .gz .tgz .bz2 .xz .zst .7z .rar .tar .jar"
    " .war .class .so .dylib .dll .exe .o .a .lib .pyc .pyo .whl .woff .woff2 .ttf .otf .eot .mp3 .mp4 .mov"
    " .avi .wav .ogg .webm .flac .bin .dat .db .sqlite .parquet .npy .npz .pkl .pickle .onnx .pt .safetensors"
    " .wasm .keystore .jks .p12 .psd .sketch .fig .icns"
)
_DOCUMENTATION = _set(".md .mdx .markdown .rst .txt .adoc .asciidoc .org .tex .pod .rdoc")
_DOCUMENTATION_NAMES = _set(
    "license licence copying notice readme authors contributors maintainers changelog changes history news"
    " todo thanks patents copyright"
)
_DATA = _set(
    ".json .jsonl .ndjson .csv .tsv .xml .svg .po .pot .snap .golden .log .pem .crt .cer .pub .ipynb .geojson"
    " .har .diff .patch .out .expected .sum .ics .srt .vtt"
)
_CONFIGURATION = _set(
    ".toml .yaml .yml .ini .cfg .conf .config .properties .env .editorconfig .json5 .jsonc .hcl .tf .tfvars"
    " .plist .in .mod .work .service .desktop .lock"
)
_CONFIGURATION_NAMES = _set("codeowners owners version manifest procfile pipfile py.typed go.mod")


@cache
def _grammar(address: str) -> tree_sitter.Language:
    import tree_sitter

    module, _, function = address.partition(":")
    return tree_sitter.Language(getattr(importlib.import_module(module), function)())


@cache
def _by_suffix() -> dict[str, Language]:
    return {suffix: language for language in LANGUAGES for suffix in language.suffixes}


@cache
def _by_file_name() -> dict[str, Language]:
    return {name.lower(): language for language in LANGUAGES for name in language.file_names}


@cache
def language_named(name: str) -> Language:
    """The row called `name`; KeyError when there is none."""
    return {language.name: language for language in (*LANGUAGES, TEXT, SCRIPT)}[name]


def language_of(path: str, head: bytes = b"") -> Language:
    """The language of a file by its name, else by its shebang in `head`, else `TEXT`."""
    found = language_by_name(path)
    if found is not SCRIPT:
        return found
    interpreter = _interpreter(head)
    for language in LANGUAGES:
        if interpreter and interpreter in language.interpreters:
            return language
    return TEXT


def language_by_name(path: str) -> Language:
    """The language as far as the path alone tells it: `SCRIPT` where a shebang may still decide."""
    name = path[path.rfind("/") + 1 :].lower()
    dot = name.rfind(".")
    suffix = name[dot:] if 0 < dot < len(name) - 1 else ""
    known = _by_file_name()
    found = known.get(name) or _by_suffix().get(suffix)
    if found is not None:
        return found
    # Dockerfile.dev and Makefile.am are told by what stands before the dot.
    return known.get(name.partition(".")[0], TEXT) if suffix else SCRIPT


def kind_of(path: str, head: bytes = b"") -> Kind:
    """What kind of file this is, from its path and first bytes; the coverage ledger counts by it."""
    pure = PurePosixPath(path.lower())
    name, suffix = pure.name, pure.suffix
    if b"\0" in head[:_SNIFFED_BYTES] or suffix in _BINARY:
        return "binary"
    if any(part in _VENDORED for part in pure.parts[:-1]):
        return "vendored"
    if name in _LOCKS or suffix in (".lock", ".lockb"):
        return "lock"
    if _GENERATED_NAMES.search(name) or says_generated(head):
        return "generated"
    return _plain_kind(path, head, name, suffix)


def _plain_kind(path: str, head: bytes, name: str, suffix: str) -> Kind:
    if suffix in _DOCUMENTATION and not name.startswith(("requirements", "cmakelists")):
        return "documentation"
    if suffix in _DATA:
        return "data"
    if suffix in _CONFIGURATION or name.startswith(("requirements", "constraints")):
        return "configuration"
    language = language_of(path, head)
    if language.analysed:
        return "generated" if is_minified(head) else "code"
    if not suffix or name.startswith("."):
        stem = name.partition(".")[0]
        if stem in _DOCUMENTATION_NAMES:
            return "documentation"
        if name in _CONFIGURATION_NAMES or (name.startswith(".") and not _interpreter(head)):
            return "configuration"
    # What nobody recognises is counted as code: it must be read, or said to be unread.
    return "generated" if is_minified(head) else "code-other"


def is_minified(head: bytes) -> bool:
    """Whether its lines are too long (a mean over 300 bytes) to be written by a person."""
    return len(head) > 2 * _MEAN_LINE_LIMIT and len(head) / (head.count(b"\n") + 1) > _MEAN_LINE_LIMIT


def says_generated(head: bytes) -> bool:
    """Whether a comment near the top says that a tool wrote the file."""
    return _GENERATED_HEADER.search(head[:_HEADER_BYTES]) is not None


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {s: row.test_names for row in LANGUAGES if row.test_names for s in row.suffixes}


def is_test(path: str) -> bool:
    """Whether a path is test code, by the conventions of its language or its folder."""
    pure = PurePosixPath(path)
    pattern = _patterns().get(pure.suffix)
    if pattern is not None and pattern.fullmatch(pure.name):
        return True
    return any(part.lower() in _TEST_DIRECTORIES for part in pure.parts[:-1])


def is_example(path: str) -> bool:
    """Whether a path stands in a folder of examples, demos or fixtures."""
    return any(part.lower() in _EXAMPLE_DIRECTORIES for part in PurePosixPath(path).parts[:-1])


def subject_stem(path: str) -> str:
    """The file stem that a test file names (`test_routes.py` -> `routes`), "" when it names none."""
    pure = PurePosixPath(path)
    pattern = _patterns().get(pure.suffix)
    match = pattern.fullmatch(pure.name) if pattern is not None else None
    if match is None:
        return ""
    return next((found for found in match.groupdict().values() if found), "")


def _interpreter(head: bytes) -> str:
    """`python3` of `#!/usr/bin/env -S python3 -u`, "" without a shebang."""
    if not head.startswith(b"#!"):
        return ""
    words = head[2:200].split(b"\n", 1)[0].decode("ascii", "replace").split()
    names = [PurePosixPath(word).name for word in words if not word.startswith("-") and "=" not in word]
    if names[:1] == ["env"]:
        names = names[1:]
    return re.sub(r"[\d.]+$", "", names[0]) if names else ""
