"""An answer in the terminal: steps on standard error, the answer on standard output, sources at its end."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from panlect.ask.agent import Event, Step, Text
from panlect.ask.tools import printable


@dataclass(slots=True)
class Listener:
    """Prints events as they come. Text streams where a person watches; a file gets the answer once it is whole."""

    quiet: bool = False  # nothing but progress: the JSON goes to standard output
    _streams: bool = field(init=False)
    _printed: str = ""

    def __post_init__(self) -> None:
        self._streams = not self.quiet and sys.stdout.isatty()

    def hear(self, event: Event) -> None:
        """A step, or the next piece of text."""
        if isinstance(event, Step):
            if self._printed:  # what was said before a tool is used is no part of the answer
                print("\n[...]", flush=True)
                self._printed = ""
            print(f"{event.number}. {event.tool} {event.arguments}", file=sys.stderr, flush=True)
        elif isinstance(event, Text) and self._streams:
            print(_lines(event.delta), end="", flush=True)
            self._printed += event.delta

    def close(self, answer: dict[str, Any]) -> None:
        """What is left of the answer, its sources, and one honest line."""
        if not self.quiet:
            whole = answer["answer"]
            begun = self._printed.strip()
            left = whole[len(begun) :] if whole.startswith(begun) else whole
            print(_lines(left))
            for title in ("sources", "read"):
                if answer[title]:
                    print(f"\n{title.capitalize()}:")
                for one in answer[title]:
                    where = f"{one['repository']}:" if "repository" in one else ""
                    print(f"  {printable(where + one['path'])}:{one['start_line']}-{one['end_line']}")
                    if answer["model"] == "none":  # then the lines themselves are the answer
                        rows = enumerate(one["text"].split("\n"), one["start_line"])
                        print("\n".join(f"  {number:>6} | {_lines(row)}" for number, row in rows))
        for note in (answer["why"], answer["degraded"], *answer["notes"]):
            if note:
                print(printable(note), file=sys.stderr)
        cost = "" if not answer["cost_microusd"] else f" | {answer['cost_microusd'] / 1e6:.4f} USD"
        dropped = f" | {answer['dropped']} citations dropped" if answer["dropped"] else ""
        counts = f"{len(answer['sources'])} sources | {answer['tokens']} tokens{cost}{dropped}"
        print(
            f"{counts} | {answer['ms'] / 1000:.1f} s | model: {printable(answer['model'])}", file=sys.stderr
        )


def _lines(text: str) -> str:
    """Text for a terminal: its own line ends stay, nothing drives the cursor."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in text.split("\n"))
