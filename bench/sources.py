"""Seeded repositories for measuring: Python, Go and TypeScript that reads like people's code, of any size."""

from __future__ import annotations

import random
from collections.abc import Iterator


def _words(text: str) -> list[str]:
    return text.split()


_NOUNS = _words(
    "order invoice account payment session token cache queue worker report ledger chart region tenant policy"
    " webhook delivery thread branch commit snapshot index chunk symbol vector batch lease budget quota alert"
)
_VERBS = _words(
    "create find list update remove merge split parse render validate schedule retry cancel publish resolve"
    " load store count collect flush verify sign encode decode"
)
_WORDS = _words("the a for when its every and with that from into before after unless until only")


class _Writer:
    """Words of one file, drawn from a seed of its own: files do not depend on each other's order."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def noun(self) -> str:
        return self._random.choice(_NOUNS)

    def verb(self) -> str:
        return self._random.choice(_VERBS)

    def number(self, most: int) -> int:
        return self._random.randint(1, most)

    def sentence(self) -> str:
        words = [self._random.choice((_WORDS, _NOUNS, _VERBS)[n % 3]) for n in range(self.number(9) + 5)]
        return " ".join(words).capitalize() + "."


def files(megabytes: float, seed: int = 1) -> Iterator[tuple[str, str]]:
    """(path, text) of files that hold `megabytes` in all, about 5 KB each."""
    size = number = 0
    while size < megabytes * 1e6:
        writer = _Writer(f"{seed}/{number}")
        package = f"{_NOUNS[number % 30]}/{_VERBS[number // 30 % 24]}"
        make, suffix = ((_python, "py"), (_go, "go"), (_typescript, "ts"))[number % 3]
        text = make(writer, number)
        size += len(text)
        yield f"{package}/{writer.noun()}_{number}.{suffix}", text
        number += 1


def _python(w: _Writer, number: int) -> str:
    parts = [f'"""{w.sentence()}"""\n\nfrom __future__ import annotations\n\nimport json\nimport logging\n']
    parts.append(
        f"from {w.noun()}.{w.verb()} import {w.noun()}_{number}\n\n_log = logging.getLogger(__name__)\n"
    )
    for _ in range(w.number(3)):
        name = f"{w.noun().title()}{w.noun().title()}"
        parts.append(f'\n\nclass {name}:\n    """{w.sentence()}"""\n')
        parts.append(
            f"\n    def __init__(self, {(a := w.noun())}: str, limit: int = {w.number(900)}) -> None:\n"
        )
        parts.append(f"        self.{a} = {a}\n        self.limit = limit\n")
        for _ in range(w.number(3) + 1):
            verb, noun, other = w.verb(), w.noun(), w.noun()
            parts.append(f"\n    def {verb}_{noun}(self, {other}s: list[dict[str, int]]) -> int:\n")
            parts.append(f'        """{w.sentence()}"""\n        total = {w.number(90)}\n')
            parts.append(
                f"        for {other} in {other}s:\n            if {other}.get('{noun}', 0) > self.limit:\n"
            )
            parts.append(f"                _log.warning('{w.sentence()}', extra={{'{noun}': {other}}})\n")
            parts.append("                continue\n")
            parts.append(f"            total += {other}['{noun}'] * {w.number(50)}  # {w.sentence()}\n")
            parts.append(f"        return self.{w.verb()}_{w.noun()}({other}s) if total < 0 else total\n")
    parts.append(
        f"\n\ndef {w.verb()}_{w.noun()}_{number}(text: str) -> object:\n    return json.loads(text)\n"
    )
    return "".join(parts)


def _go(w: _Writer, number: int) -> str:
    parts = [
        f'// Package {w.noun()} {w.sentence()}\npackage {w.noun()}\n\nimport (\n\t"context"\n\t"fmt"\n)\n'
    ]
    for part in range(w.number(3)):
        name = f"{w.noun().title()}{w.noun().title()}{part}"
        parts.append(f"\n// {name} {w.sentence()}\ntype {name} struct {{\n")
        parts += [
            f"\t{w.noun().title()}{n} {('string', 'int', '[]byte')[n % 3]} // {w.sentence()}\n"
            for n in range(4)
        ]
        parts.append("}\n")
        for method in range(w.number(3) + 1):
            verb, noun = w.verb().title(), w.noun()
            parts.append(f"\n// {verb}{method} {w.sentence()}\n")
            parts.append(
                f"func (s *{name}) {verb}{method}(ctx context.Context, {noun} string) (int, error) {{\n"
            )
            parts.append(
                f'\tif {noun} == "" {{\n\t\treturn 0, fmt.Errorf("{w.sentence()}: %q", {noun})\n\t}}\n'
            )
            parts.append(f"\ttotal := {w.number(99)}\n\tfor index := range {noun} {{\n")
            parts.append(
                f"\t\ttotal += index * {w.number(9)} // {w.sentence()}\n\t}}\n\treturn total, nil\n}}\n"
            )
    parts.append(f"\nfunc New{number}(name string) string {{\n\treturn name\n}}\n")
    return "".join(parts)


def _typescript(w: _Writer, number: int) -> str:
    parts = [f'// {w.sentence()}\nimport {{ {w.verb()} }} from "../{w.verb()}/{w.noun()}_{number}";\n']
    for part in range(w.number(3)):
        name = f"{w.noun().title()}{w.noun().title()}{part}"
        parts.append(f"\n/** {w.sentence()} */\nexport interface {name}Options {{\n")
        parts += [
            f"  {w.noun()}{n}: {('string', 'number', 'boolean')[n % 3]}; // {w.sentence()}\n"
            for n in range(4)
        ]
        parts.append(
            f"}}\n\nexport class {name} {{\n  constructor(private readonly options: {name}Options) {{}}\n"
        )
        for method in range(w.number(3) + 1):
            noun = w.noun()
            parts.append(
                f"\n  /** {w.sentence()} */\n  async {w.verb()}{method}({noun}: string[]): Promise<number> {{\n"
            )
            parts.append(f"    let total = {w.number(99)};\n    for (const each of {noun}) {{\n")
            parts.append(
                f"      if (each.length > {w.number(99)}) {{\n        throw new Error(`{w.sentence()} ${{each}}`);\n"
            )
            parts.append(f"      }}\n      total += each.length * {w.number(9)}; // {w.sentence()}\n    }}\n")
            parts.append("    return total;\n  }\n")
        parts.append("}\n")
    parts.append(f"\nexport const {w.verb()}{number} = (value: number): number => value + {number};\n")
    return "".join(parts)
