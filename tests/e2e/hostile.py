"""Repositories that nobody should have to read: each is built from raw objects, and none touches the disk by its names.

Every one has `main`, a commit with one plain file, and `work` with the hostile tree on top of it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE, LINK, MODULE, TREE = b"100644", b"120000", b"160000", b"40000"
PLAIN = b"def capture(order):\n    return order\n"
Entry = tuple[bytes, bytes, str]  # mode, name, object id


class Objects:
    """A bare repository that is written object by object, as bytes, without anybody checking them."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self._pack: list[tuple[str, bytes]] = []
        self.git("init", "--quiet", "--bare", "--template=", "-b", "main", str(git_dir), inside=False)

    def git(self, *arguments: str, stdin: bytes = b"", inside: bool = True) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{
                f"GIT_{who}_{what}": "t@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
            **{f"GIT_{who}_DATE": "1700000000 +0000" for who in ("AUTHOR", "COMMITTER")},
        }
        where = ["--git-dir", str(self.git_dir)] if inside else []
        done = subprocess.run(
            ["git", *where, *arguments], input=stdin, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def put(self, kind: str, content: bytes) -> str:
        """One loose object, whatever it holds; its id."""
        whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
        name = hashlib.sha1(whole).hexdigest()
        path = self.path_of(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(whole, 1))
        return name

    def path_of(self, name: str) -> Path:
        """Where a loose object lies."""
        return self.git_dir / "objects" / name[:2] / name[2:]

    def blob(self, content: bytes) -> str:
        return self.put("blob", content)

    def tree(self, entries: Iterable[Entry]) -> str:
        """A tree, its entries in git's order: a folder sorts as if its name ended with a slash."""
        rows = sorted(entries, key=lambda entry: entry[1] + b"/" * (entry[0] == TREE))
        return self.put("tree", b"".join(m + b" " + n + b"\0" + bytes.fromhex(sha) for m, n, sha in rows))

    def commit(self, branch: str, tree: str, parent: str = "") -> str:
        sha = self.git("commit-tree", tree, *(["-p", parent] if parent else []), "-m", "m")
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def two_commits(self, entries: Iterable[Entry]) -> None:
        """`main` with a plain file, `work` with that file and these entries."""
        pay = (FILE, b"pay.py", self.blob(PLAIN))
        main = self.commit("main", self.tree([pay]))
        self.commit("work", self.tree([pay, *entries]), main)


def tree_bomb(repository: Objects, *, full: bool) -> None:
    """10^10 paths in a dozen objects: ten levels of ten names for the same folder."""
    inner = repository.tree([(FILE, b"f%d.py" % n, repository.blob(b"x = %d\n" % n)) for n in range(10)])
    for _ in range(9):
        inner = repository.tree([(TREE, b"d%d" % n, inner) for n in range(10)])
    repository.two_commits([(TREE, b"bomb", inner)])


def many_files(repository: Objects, *, full: bool) -> None:
    """300,000 files, no two alike."""
    lines = [b"commit refs/heads/main\ncommitter t <t@example.org> 1700000000 +0000\ndata 1\nm\n"]
    lines.append(b"M 100644 inline pay.py\ndata %d\n%s\n" % (len(PLAIN), PLAIN))
    lines.append(b"commit refs/heads/work\ncommitter t <t@example.org> 1700000000 +0000\ndata 1\nm\n")
    lines.append(b"from refs/heads/main\n")
    for number in range(300_000 if full else 120_000):
        content = b"def f%d(order):\n    return order.total + %d\n" % (number, number)
        path = b"d%d/e%d/f%d.py" % (number % 100, number // 100 % 100, number)
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(content), content))
    repository.git("fast-import", "--quiet", stdin=b"".join(lines))


def deep_paths(repository: Objects, *, full: bool) -> None:
    """A file in each of 4096 folders, one inside the other: the last path has 8 KB."""
    blob = repository.blob(b"x = 1\n")
    inner = repository.tree([(FILE, b"f.py", blob)])
    for _ in range(4095):
        inner = repository.tree([(TREE, b"d", inner), (FILE, b"f.py", blob)])
    repository.two_commits([(TREE, b"d", inner)])


NAMES = (
    b"new\nline.py", b"bad-\xff\xfe.py", "cafe\u0301.py".encode(), "caf\u00e9.py".encode(), b"-rf.py", b"tab\there.py",
    b'quo"te\\.py', b"\x1b[31mred.py", b"CON.py", b"trailing. .py", b"A.py", b"a.py",
)  # fmt: skip
CLIMBING = (b"..", b".", b".git", b"/etc/passwd", b"../../../tmp/pwned.py", b"a/../../b.py")


def names(repository: Objects, *, full: bool) -> None:
    """Names with a newline, no UTF-8, composed and decomposed letters, and some that lead out of the repository."""
    files = [(FILE, name, repository.blob(b"n%d = 1\n" % n)) for n, name in enumerate((*NAMES, *CLIMBING))]
    folder = repository.tree([(FILE, b"pwned.py", repository.blob(b"pwned = 1\n"))])
    repository.two_commits(
        [*files, (TREE, b"...", folder), (TREE, b"up", repository.tree([(TREE, b"..", folder)]))]
    )


def long_line(repository: Objects, *, full: bool) -> None:
    """A line of 50 MB in a source file, one just under the bound, and one in prose."""
    repository.two_commits(
        [
            (FILE, b"line.py", repository.blob(b"x = '" + b"a" * (50 * 1024 * 1024) + b"'\n")),
            (FILE, b"short.py", repository.blob(b"x = '" + b"a b" * 340_000 + b"'\n")),
            (FILE, b"words.md", repository.blob(b"word " * 200_000)),
        ]
    )


def deep_nesting(repository: Objects, *, full: bool) -> None:
    """Brackets, calls, blocks and operators nested tens of thousands deep, in every language with a grammar."""
    deep = 100_000
    files = {
        b"brackets.py": b"x = " + b"(\n" * deep + b"1" + b")\n" * deep,
        b"open.py": b"[\n" * 4 * deep,
        b"calls.py": b"x = " + b"f(\n" * deep + b")\n" * deep,
        b"lambdas.py": b"x = " + b"lambda:\\\n" * 60_000 + b"1\n",
        b"ifs.py": b"".join(b" " * n + b"if x:\n" for n in range(1300)),
        b"unary.py": b"x = " + b"not (\n" * deep,
        b"blocks.go": b"package a\nfunc f() {\n" + b"if x {\n" * deep + b"}\n" * deep + b"}\n",
        b"types.go": b"package a\nvar x " + b"[]\n" * deep + b"int\n",
        b"objects.ts": b"const x = " + b"{a:\n" * deep + b"1" + b"}\n" * deep,
        b"generics.ts": b"type X = " + b"A<\n" * deep + b"B" + b">\n" * deep,
        b"arrows.ts": b"const x = " + b"a =>\n" * deep + b"1\n",
        b"tags.tsx": b"const x = " + b"<a>\n" * deep + b"</a>\n" * deep,
        b"templates.js": b"x = " + b"`${\n" * deep + b"1" + b"}`\n" * deep,
    }
    repository.two_commits([(FILE, name, repository.blob(content)) for name, content in files.items()])


def binary_sources(repository: Objects, *, full: bool) -> None:
    """Binary content with source suffixes: zero bytes, noise, an archive, UTF-16."""
    noise = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(20_000))
    files = {
        b"nul.py": b"x = 1\n\x00\x01\x02",
        b"noise.go": noise,
        b"archive.ts": b"PK\x03\x04" + noise[:4000],
        b"utf16.py": "x = 1\n".encode("utf-16"),
        b"latin.py": b"# caf\xe9\n",
        b"logo.png": b"\x89PNG\r\n\x1a\n" + noise[:100],
    }
    repository.two_commits([(FILE, name, repository.blob(content)) for name, content in files.items()])


def links(repository: Objects, *, full: bool) -> None:
    """Symbolic links in a loop, out of the repository, and as long as a file."""
    targets = {
        b"a": b"b", b"b": b"a", b"self.py": b"self.py", b"up": b"../../../..", b"passwd.py": b"/etc/passwd",
        b"long.py": b"x" * 2_000_000,
    }  # fmt: skip
    repository.two_commits([(LINK, name, repository.blob(target)) for name, target in targets.items()])


def submodules(repository: Objects, *, full: bool) -> None:
    """Submodules whose addresses would run a program, and one that is this repository's own commit."""
    modules = (
        b'[submodule "x"]\n\tpath = lib\n\turl = ext::sh -c "touch /tmp/pwned"\n\tupdate = !touch /tmp/pwned\n'
        b'[submodule "../../up"]\n\tpath = up\n\turl = -u./payload\n'
    )
    repository.two_commits(
        [
            (FILE, b".gitmodules", repository.blob(modules)),
            (MODULE, b"lib", "1" * 40),
            (MODULE, b"up.py", "2" * 40),
        ]
    )


def lfs_pointers(repository: Objects, *, full: bool) -> None:
    """Files of which only the pointer is here."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 132735\n"
    attributes = b"*.py filter=lfs diff=lfs merge=lfs -text\n"
    repository.two_commits(
        [
            (FILE, b".gitattributes", repository.blob(attributes)),
            *((FILE, name, repository.blob(pointer)) for name in (b"model.py", b"data.txt", b"weights.go")),
        ]
    )


def attributes(repository: Objects, *, full: bool) -> None:
    """Filters, drivers and macros that would run programs, hide files or make everything binary."""
    text = b"* filter=evil diff=evil merge=evil text working-tree-encoding=UTF-16\n*.py binary -diff export-subst\n"
    config = repository.git_dir / "config"
    program = f'"touch {repository.git_dir.parent}/ran; cat"'
    config.write_text(
        config.read_text()
        + f'[filter "evil"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n\trequired = true\n'
        + f'[diff "evil"]\n\tcommand = {program}\n\ttextconv = {program}\n'
    )
    repository.two_commits(
        [
            (FILE, b".gitattributes", repository.blob(text)),
            (FILE, b"hidden.py", repository.blob(b"def hidden():\n    return missing_name\n")),
        ]
    )


def damaged(repository: Objects, *, full: bool) -> None:
    """Blobs that are missing, cut, of other content than their id says, or not compressed at all."""
    shas = {name: repository.blob(b"def %s():\n    return 1\n" % name * 50) for name in DAMAGED}
    fine = [(FILE, b"fine%d.py" % n, repository.blob(b"fine = %d\n" % n)) for n in range(30)]
    repository.two_commits([*((FILE, name + b".py", sha) for name, sha in shas.items()), *fine])
    repository.path_of(shas[b"missing"]).unlink()
    for name, damage in DAMAGES.items():
        path = repository.path_of(shas[name])
        path.write_bytes(damage(path.read_bytes()))


def _other_content(_: bytes) -> bytes:
    return zlib.compress(b"blob 6\0x = 1\n")


def _claims_too_much(_: bytes) -> bytes:
    return zlib.compress(b"blob 1000\0" + b"x" * 10)


DAMAGES: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"cut": lambda content: content[: len(content) // 2],
    b"garbage": lambda _: b"not compressed at all",
    b"empty": lambda _: b"",
    b"other": _other_content,
    b"claims": _claims_too_much,
}
DAMAGED = (b"missing", *DAMAGES)


def damaged_trees(repository: Objects, *, full: bool) -> None:
    """A folder that is missing, one that is no tree, one with an entry without a name; plain files around them."""
    folder = repository.tree([(FILE, b"inside.py", repository.blob(b"inside = 1\n"))])
    unnamed = repository.put("tree", FILE + b" \0" + bytes.fromhex(repository.blob(b"x = 1\n")))
    repository.two_commits(
        [
            (TREE, b"gone", folder),
            (TREE, b"noname", unnamed),
            (TREE, b"notree", repository.blob(b"no tree\n")),
            (FILE, b"aaa.py", repository.blob(b"first = 1\n")),
            (FILE, b"zzz.py", repository.blob(b"last = 1\n")),
        ]
    )
    repository.path_of(folder).unlink()


@dataclass(frozen=True)
class Hostile:
    """One row of the table: how to build it, and what it is called."""

    name: str
    build: Callable[..., None]


HOSTILE = (
    Hostile("a tree bomb with 10^10 paths", tree_bomb),
    Hostile("300,000 files", many_files),
    Hostile("paths 4096 folders deep", deep_paths),
    Hostile("names with newline, `..`, no UTF-8, NFD pairs", names),
    Hostile("a line of 50 MB", long_line),
    Hostile("nesting that overflows parsers", deep_nesting),
    Hostile("binary content with a source suffix", binary_sources),
    Hostile("symbolic links in a loop", links),
    Hostile("submodules", submodules),
    Hostile("LFS pointers", lfs_pointers),
    Hostile("`.gitattributes` filters and drivers", attributes),
    Hostile("missing or corrupt blobs", damaged),
    Hostile("missing or corrupt trees", damaged_trees),
)
