"""What others take to cut the same files. Run by bench.parse in an environment of its own: `make bench-peers` makes it.

Reads a JSON list of [language, path] from the file in its argument, then names of peers from standard input;
answers each with the processor seconds of one pass over all files. Nothing of Panlect is imported here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable

os.environ["COCOINDEX_DISABLE_USAGE_TRACKING"] = "1"

Cut = Callable[[str], object]
_CHARACTERS = 1200  # of a chunk: about what ours hold with their white space


def llama_index(language: str) -> Cut:
    """CodeSplitter, its parser handed in: it would download one."""
    import tree_sitter
    from llama_index.core.node_parser import CodeSplitter

    grammar = importlib.import_module(f"tree_sitter_{language}")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    splitter = CodeSplitter(language=language, parser=parser, max_chars=_CHARACTERS)
    cut: Cut = splitter.split_text
    return cut


def cocoindex(language: str) -> Cut:
    """RecursiveSplitter, which is Rust."""
    from cocoindex.ops.text import RecursiveSplitter

    splitter = RecursiveSplitter()
    return lambda text: splitter.split(text, chunk_size=_CHARACTERS, language=language)


def astchunk(language: str) -> Cut:
    """The package of the authors of cAST; it knows no Go."""
    from astchunk import ASTChunkBuilder

    if language == "go":
        raise LookupError(language)
    builder = ASTChunkBuilder(max_chunk_size=_CHARACTERS, language=language, metadata_template="none")
    cut: Cut = builder.chunkify
    return cut


def ast_grep(language: str) -> Cut:
    """Parse, and find every function: it does not chunk."""
    from ast_grep_py import SgRoot

    kind = {"python": "function_definition", "go": "function_declaration"}[language]
    return lambda text: SgRoot(text, language).root().find_all(kind=kind)


PEERS: dict[str, Callable[[str], Cut]] = {
    "llama-index CodeSplitter": llama_index,
    "cocoindex RecursiveSplitter": cocoindex,
    "astchunk": astchunk,
    "ast-grep find_all": ast_grep,
}


def main() -> None:
    """Answer until standard input ends; -1 for a peer that does not know the language."""
    with open(sys.argv[1]) as file:
        corpus = json.load(file)
    texts = []
    for language, path in corpus:
        with open(path, "rb") as file:
            texts.append((language, file.read().decode()))
    for line in sys.stdin:
        print(_seconds(line.strip(), texts), flush=True)


def _seconds(peer: str, texts: list[tuple[str, str]]) -> float:
    try:
        cuts = {language: PEERS[peer](language) for language in {language for language, _ in texts}}
    except LookupError:
        return -1.0
    began = time.process_time()
    for language, text in texts:
        with contextlib.suppress(Exception):  # a file that a peer cannot cut costs it nothing here
            cuts[language](text)
    return time.process_time() - began


if __name__ == "__main__":
    main()
