"""The terminal: parse flags, call one function, print. Everything heavy is imported when it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from panlect import __version__
from panlect.errors import BadInputError, PanlectError

app = typer.Typer(
    name="panlect",
    help="A reviewer of pull requests that has read the whole repository. Works with no server, key or network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config = typer.Typer(
    help="Settings: those of the server, and those of a repository.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(config, name="config")
models = typer.Typer(
    help="Models by role, as the models file of this terminal has them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(models, name="models")
hook = typer.Typer(
    help="A pre-push hook that reviews what is pushed.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(hook, name="hook")

Repo = Annotated[
    Path, typer.Option("--repo", help="A work tree or a bare repository.", show_default="this folder")
]
Json = Annotated[
    str, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; - is standard output.")
]
Base = Annotated[
    str, typer.Option("--base", metavar="REV", help="Where the work left; found by itself when not given.")
]
Repos = Annotated[
    list[Path] | None,
    typer.Option(
        "--repo",
        help="A work tree or a bare repository; may be given several times.",
        show_default="this folder",
    ),
]
HERE = Path()


def main() -> None:
    """Run the command line: every error a person can act on is three lines, never a traceback."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, standalone_mode=True)
    except PanlectError as error:
        if debug:
            raise
        _print_error(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _print_error(error: PanlectError) -> None:
    lines = [
        f"error: {error.what}",
        f"  why: {error.why}" if error.why else "",
        f"  fix: {error.fix}" if error.fix else "",
    ]
    print("\n".join(line for line in lines if line), file=sys.stderr)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@app.command()
def review(
    repo: Repo = HERE,
    base: Base = "",
    head: Annotated[
        str, typer.Option("--head", metavar="REV", help="What to review.", show_default="HEAD")
    ] = "",
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="Review the work tree as it is now.")
    ] = False,
    staged: Annotated[bool, typer.Option("--staged", help="Review what the next commit would hold.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Review a unified diff against the base, or against HEAD.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Review again on every change, until Ctrl-C; uncommitted work if not told."
        ),
    ] = False,
    json_file: Json = "",
    fail_on: Annotated[
        str,
        typer.Option("--fail-on", metavar="P0..P3", help="Exit 1 on a finding as severe as this, or more."),
    ] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 4 when a hunk was not read (PARTIAL).")
    ] = False,
    min_severity: Annotated[
        str, typer.Option("--min-severity", metavar="P0..P3", help="Leave out what is less severe.")
    ] = "P3",
    everything: Annotated[
        bool, typer.Option("--all", help="Show every finding, however many there are.")
    ] = False,
    sarif: Annotated[
        str, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0, for code scanning.")
    ] = "",
    rdjson: Annotated[
        str, typer.Option("--rdjson", metavar="FILE", help="Write rdjson, for reviewdog.")
    ] = "",
    code_quality: Annotated[
        str, typer.Option("--code-quality", metavar="FILE", help="Write GitLab's code quality report.")
    ] = "",
    html: Annotated[str, typer.Option("--html", metavar="FILE", help="Write one page without scripts.")] = "",
    markdown: Annotated[
        str, typer.Option("--markdown", metavar="FILE", help="Write Markdown, as code hosts show it.")
    ] = "",
) -> None:
    """Review a change: findings with code frames, and one honest line about what was read.

    A FILE of - is standard output; only one of them may be.
    """
    from panlect.review.local import ReviewRequest, exit_code, limits_named, review_local

    targets = {
        "json": json_file,
        "sarif": sarif,
        "rdjson": rdjson,
        "code-quality": code_quality,
        "html": html,
        "markdown": markdown,
    }
    _check_targets(targets)
    chosen = {"--head": bool(head), "--uncommitted": uncommitted, "--staged": staged, "--stdin": stdin}
    _check_subject([flag for flag, given in chosen.items() if given], watch=watch)
    request = ReviewRequest(
        repo,
        base=base,
        head=head,
        uncommitted=uncommitted or (watch and not any(chosen.values())),
        staged=staged,
        diff=_read_stdin() if stdin else None,
        fail_on=fail_on,
        strict=strict,
        limits=limits_named(min_severity, everything=everything),
    )

    def once() -> int:
        with review_local(request, progress=_progress) as done:
            _write_review(done, targets)
            return exit_code(done.verdict, request)

    if watch:
        _watch(repo, once)
        raise typer.Exit(0)
    raise typer.Exit(once())


def _check_subject(chosen: list[str], *, watch: bool) -> None:
    """One thing is reviewed at a time."""
    if len(chosen) > 1:
        raise BadInputError(
            f"{' and '.join(chosen)} exclude each other.", fix="Leave all but one of them out."
        )
    if watch and "--stdin" in chosen:
        raise BadInputError(
            "--watch and --stdin exclude each other.", fix="A diff that was read does not change."
        )


_MAX_STDIN = 256 * 1024 * 1024


def _read_stdin() -> bytes:
    """A diff. Raises BadInputError where a person would have to type it, or it does not end."""
    if sys.stdin.isatty():
        raise BadInputError("There is no diff on standard input.", fix="git diff | panlect review --stdin")
    diff = sys.stdin.buffer.read(_MAX_STDIN + 1)
    if len(diff) > _MAX_STDIN:
        raise BadInputError("The diff is larger than 256 MB.", fix="Review the commits: --head REV.")
    return diff


def _watch(repo: Path, once: Callable[[], int]) -> None:
    """Review, and again on every change; each round ends with a line that says so."""
    from panlect.review.watch import watch

    def round_() -> None:
        once()
        print("watching; Ctrl-C ends", file=sys.stderr, flush=True)

    watch(repo, round_, _print_error)


def _check_targets(targets: dict[str, str]) -> None:
    """Standard output holds one thing: two formats in it would be none."""
    if list(targets.values()).count("-") > 1:
        raise BadInputError(
            "Only one format can go to standard output.", fix="Give the others a file: --sarif panlect.sarif."
        )


def _write_review(done: Any, targets: dict[str, str]) -> None:
    """A review in every format that was asked for; for a reader, where standard output is free."""
    for name, target in targets.items():
        if target:
            _write_text(target, _json(done.as_json()) if name == "json" else done.written(name))
    if "-" not in targets.values():
        done.print(_console())


@hook.command("install")
def hook_install(
    repo: Repo = HERE,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="P0..P3", help="A finding as severe as this stops the push.")
    ] = "P1",
    force: Annotated[bool, typer.Option("--force", help="Set a hook of somebody else aside.")] = False,
) -> None:
    """Review what is pushed, and stop the push on a severe finding."""
    from panlect.review.hook import install_hook

    print("\n".join(install_hook(repo, fail_on, force=force)))


@hook.command("remove")
def hook_remove(repo: Repo = HERE) -> None:
    """Take the hook away, and put back the one that was set aside for it."""
    from panlect.review.hook import remove_hook

    print("\n".join(remove_hook(repo)))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words, names, or a question.")],
    repo: Repos = None,
    rev: Annotated[str, typer.Option("--rev", metavar="REV", help="The revision to search.")] = "HEAD",
    k: Annotated[int, typer.Option("-k", min=1, max=200, help="How many hits.")] = 10,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", metavar="GLOB", help="Only files below a folder, or that a glob matches."),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="NAME", help="Only files in this language.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only where a function, method, class ... is defined."),
    ] = None,
    json_file: Json = "",
) -> None:
    """Search one or several repositories: lexical and structural, best definition first."""
    from panlect.review.local import search_local
    from panlect.search.filters import Filters

    filters = Filters(tuple(path or ()), tuple(language or ()), tuple(kind or ()))
    answer = search_local(repo or [HERE], rev, query, k, filters, progress=_progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_hits(answer)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question about the code.")],
    repo: Repos = None,
    rev: Annotated[str, typer.Option("--rev", metavar="REV", help="The revision of each.")] = "HEAD",
    k: Annotated[
        int, typer.Option("-k", min=1, max=20, help="How many places the search for it begins with.")
    ] = 8,
    json_file: Json = "",
) -> None:
    """Answer a question about one or several repositories, with the lines that the answer rests on.

    Without a model the answer is the places that fit the question best.
    """
    from panlect.ask.local import ask_local
    from panlect.ask.terminal import Listener

    listener = Listener(quiet=json_file == "-")
    answer = ask_local(
        repo or [HERE], rev, question, k, _local_models(), hear=listener.hear, progress=_progress
    )
    if json_file:
        _write_json(json_file, answer)
    listener.close(answer)


@app.command()
def context(
    repo: Repo = HERE,
    base: Base = "",
    head: Annotated[str, typer.Option("--head", metavar="REV", help="The head of the change.")] = "",
    diff: Annotated[
        Path | None, typer.Option("--diff", metavar="FILE", help="A unified diff against the base.")
    ] = None,
    budget: Annotated[int, typer.Option("--budget", min=100, help="Tokens to fill.")] = 8000,
    k: Annotated[int, typer.Option("-k", min=1, max=500, help="How many files and items at most.")] = 20,
    json_file: Json = "",
) -> None:
    """Show the code around a change that its reviewer should see, each piece with the reason."""
    from panlect.review.local import context_local

    if diff is not None and head:
        raise BadInputError("--diff and --head exclude each other.", fix="Leave one of them out.")
    answer = context_local(repo, base, head, diff, budget, k, progress=_progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_context(answer)


@app.command()
def index(
    repo: Repo = HERE,
    rev: Annotated[str, typer.Option("--rev", metavar="REV", help="The revision to read.")] = "HEAD",
    json_file: Json = "",
    files: Annotated[
        bool, typer.Option("--files", help="List every file with how it was read, or why it was not.")
    ] = False,
) -> None:
    """Read a repository into the cache that the other commands use, and say what became of every file."""
    from panlect.review.local import index_local

    answer = index_local(repo, rev, progress=_progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_index(answer, files=files)


@app.command()
def who(
    name: Annotated[
        str, typer.Argument(help="A symbol, route, environment variable, flag, table or column.")
    ],
    repo: Repos = None,
    rev: Annotated[str, typer.Option("--rev", metavar="REV", help="The revision of each.")] = "HEAD",
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Only symbol, env, route, flag, config, feature, table or column.",
            show_default="all",
        ),
    ] = "",
    everywhere: Annotated[
        bool, typer.Option("--all", help="Ask the server's index of every connected repository instead.")
    ] = False,
    json_file: Json = "",
) -> None:
    """Who knows a name: every definition, use, subclass and mention, in all the repositories. Nothing is cut."""
    if everywhere:
        answer = _server_function("panlect.wiring", "who_everywhere")(name, kind)
    else:
        from panlect.review.local import who_local

        answer = who_local(repo or [HERE], rev, name, kind, progress=_progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_who(answer)


@app.command()
def reach(
    repo: Repos = None,
    base: Base = "",
    head: Annotated[
        str, typer.Option("--head", metavar="REV", help="The head of the change.", show_default="HEAD")
    ] = "",
    json_file: Json = "",
) -> None:
    """How far a change reaches: who relies on the names that it touches, in its repository (the first) and the others."""
    from panlect.review.local import reach_local
    from panlect.review.terminal import printable

    answer = reach_local(repo or [HERE], base, head, progress=_progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        for one in answer["names"]:
            print(f"{one['repositories']:>5} repositories {one['sites']:>6} sites  {printable(one['name'])}")
        print(answer["said"])


@app.command()
def summarize(
    repo: Repo = HERE,
    rev: Annotated[str, typer.Option("--rev", metavar="REV", help="The revision to describe.")] = "HEAD",
    path: Annotated[str, typer.Option("--path", metavar="DIR", help="Only this directory.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask a model without asking me first.")] = False,
    json_file: Json = "",
) -> None:
    """Say in a few sentences what a repository, its directories and files are; by a model where one is configured."""
    from panlect.summaries.local import summarize_local

    answer = summarize_local(
        repo,
        rev,
        path,
        models=_local_models(),
        confirm=lambda model, guessed: yes or _confirmed(model, guessed),
        progress=_progress,
    )
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_summaries(answer)


@config.command("show")
def config_show() -> None:
    """Every setting with its value, secrets masked, and what it means."""
    from panlect.settings import load, shown

    for name, value, meaning in shown(load()):
        print(f"{name}={value}\n    {meaning}")


@config.command("import")
def config_import(
    repo: Repo = HERE,
    write: Annotated[bool, typer.Option("--write", help="Write panlect.toml.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a panlect.toml that is there.")] = False,
) -> None:
    """Make a panlect.toml of another reviewer's settings, and say what has no counterpart."""
    from panlect.review.severity import WEIGHTS
    from panlect.rules.importers import import_settings

    imported = import_settings(repo, WEIGHTS.keys())
    for row in imported.rows:
        became = f"-> {row.became}" if row.became else "-- nothing"
        print(f"{row.file}: {row.key} {became}{f' ({row.why})' if row.why else ''}", file=sys.stderr)
    print(imported.toml, end="")
    if write:
        _write_new(repo / "panlect.toml", imported.toml, force=force)


def _write_new(target: Path, text: str, *, force: bool) -> None:
    """Write a file that is not there, or over one with `force`; never through a symbolic link."""
    if target.is_symlink():
        raise BadInputError(f"{target} is a symbolic link.", fix="Remove it first.")
    try:
        with target.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise BadInputError(f"{target} is there already.", fix="Compare, then give --force.") from None
    except OSError as error:
        raise BadInputError(f"{target} cannot be written.", why=error.strerror or "") from error


@models.command("show")
def models_show(json_file: Json = "") -> None:
    """Who plays which role here, and what it may cost."""
    from panlect.llm.terminal import shown

    answer = shown()
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        for role, chain in answer["roles"].items():
            print(f"{role:<12} {', '.join(chain) or 'none'}")
        for budget in answer["budgets"]:
            print(f"at most ${budget['limit_usd']:.2f} for each {budget['scope']} in {budget['period']}")
        print(f"models file: {answer['file'] or 'none (set PANLECT_MODELS_FILE)'}", file=sys.stderr)


@models.command("test")
def models_test(
    model: Annotated[
        str, typer.Argument(help="A role, or provider/model.", show_default="every model of every role")
    ] = "",
    json_file: Json = "",
) -> None:
    """Ask each model for one word: whether it answers, how soon, and at what cost. Exit 3 when one does not."""
    answer = _server_function("panlect.wiring", "test_models")(model, _progress)
    if json_file:
        _write_json(json_file, answer)
    if json_file != "-":
        _print_tested(answer)
    if not all(one["ok"] for one in answer["models"]):
        raise typer.Exit(3)


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date. Safe to run again, and from several places at once."""
    from panlect.settings import load

    run = _server_function("panlect.wiring", "migrate")
    for line in run(load()):
        print(line)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def up(ctx: typer.Context) -> None:
    """Start everything on this machine and stay up until Ctrl-C."""
    raise typer.Exit(_server_function("cluster.up", "main")(["up", *ctx.args]))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def demo(ctx: typer.Context) -> None:
    """Run the whole once on sample repositories, or on --repo PATH --base REV --head REV, and stop."""
    raise typer.Exit(_server_function("cluster.up", "main")(["demo", *ctx.args]))


def _server_function(module: str, name: str) -> Callable[..., Any]:
    """What lives outside the wheel, or needs what only the server installs."""
    import importlib

    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise PanlectError(
            f"This command needs the server: {error.name} is not installed.",
            fix="Run it from a checkout after `make setup`, or in the image.",
        ) from error


def _local_models() -> Any:
    """The models of this terminal's user, or none of them."""
    from panlect.llm.local import local_models
    from panlect.settings import load

    return local_models(load())


def _confirmed(model: str, guessed: Any) -> bool:
    """Whether a person who has seen what it may cost says yes."""
    cost = "at a price that is not known"
    if guessed.cost_microusd is not None:
        cost = f"for about ${guessed.cost_microusd / 1_000_000:.2f}"
    print(
        f"{model}: {guessed.calls} calls, about {guessed.tokens_in} tokens in and {guessed.tokens_out} out, {cost}",
        file=sys.stderr,
    )
    return sys.stdin.isatty() and typer.confirm("Go on?", err=True)


def _progress(what: str, done: int, total: int) -> None:
    """One line on standard error that rewrites itself; nothing when no one is watching."""
    if sys.stderr.isatty():
        end = "\r" if done < total else "\r\033[K"
        print(f"\033[K{what} {done}/{total}" if done < total else "", end=end, file=sys.stderr, flush=True)


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def _write_json(target: str, answer: dict[str, Any]) -> None:
    _write_text(target, _json(answer))


def _write_text(target: str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BadInputError(
            f"{target} cannot be written.", why=str(error), fix="Check the path and its rights."
        ) from error


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _print_hits(answer: dict[str, Any]) -> None:
    from panlect.review.terminal import printable

    for hit in answer["hits"]:
        where = f"{printable(hit['path'])}:{hit['start_line']}-{hit['end_line']}"
        if "repository" in hit:
            where = f"{printable(hit['repository'])} {where}"
        print(
            f"{hit['score']:.3f}  {where}  {printable(hit['symbol'] or '')}\n       {printable(hit['why'])}"
        )
    print(f"{len(answer['hits'])} hits | {answer['ms']:.0f} ms | mode: {answer['mode']}", file=sys.stderr)


def _print_tested(answer: dict[str, Any]) -> None:
    from panlect.review.terminal import printable

    for one in answer["models"]:
        cost = "" if one["cost_microusd"] is None else f"  ${one['cost_microusd'] / 1e6:.6f}"
        said = (
            f"{one['ms']:.0f} ms{cost}  {printable(one['said'])[:60]}"
            if one["ok"]
            else printable(one["error"])
        )
        print(f"{'ok  ' if one['ok'] else 'FAIL'}  {printable(one['model'])}  {said}")
    if not answer["models"]:
        print("model: none. Name models in a file and set PANLECT_MODELS_FILE; see docs/models.md.")


def _print_index(answer: dict[str, Any], *, files: bool) -> None:
    from panlect.review.terminal import printable

    if files:
        for one in answer["records"]:
            how = one["skipped"] or f"{one['language']}, {one['parser']}/{one['chunker']}"
            took = "" if one["ms"] is None else f" {one['ms']:.1f} ms"
            print(f"{printable(one['path'])}  {printable(how)}{took}")
    read = sum(answer["read"].values())
    print(f"{read} of {answer['files']} files read, {answer['chunks']} chunks")
    for language, count in answer["languages"].items():
        print(f"  {count:>7}  {language}")
    for reason, count in answer["skipped"].items():
        print(f"  {count:>7}  skipped: {printable(reason)}")
    if answer["cut"]:
        print(f"  not all of it: {printable(answer['cut'])}")
    print(f"{answer['analysed']} contents analysed | {answer['seconds']:.1f} s", file=sys.stderr)


def _print_summaries(answer: dict[str, Any]) -> None:
    from panlect.review.terminal import printable

    for one in answer["summaries"]:
        parts = one["path"].split("/") if one["path"] else []
        name = {"repository": "(repository)", "directory": f"{one['path']}/"}.get(one["kind"], one["path"])
        mark = " [extractive]" if one["extractive"] and answer["mode"] == "model" else ""
        print(f"{'  ' * len(parts)}{printable(name)}{mark}\n{'  ' * len(parts)}  {printable(one['text'])}")
    for reason, count in answer["failed"].items():
        print(f"  {count:>7}  not described by the model: {reason}", file=sys.stderr)
    print(
        f"model: {answer['model']} | {answer['made']} made, {answer['reused']} reused, {answer['calls']} calls,"
        f" {answer['tokens_in']} tokens in, {answer['tokens_out']} out",
        file=sys.stderr,
    )


_VERBS = {"defines": "defined", "uses": "used", "extends": "extended", "mentions": "mentioned"}


def _print_who(answer: dict[str, Any]) -> None:
    from itertools import groupby

    from panlect.review.terminal import printable

    for repository, sites in groupby(answer["sites"], key=lambda site: site["repository"]):
        print(printable(repository))
        for site in sites:
            inside = f"  in {printable(site['within'])}" if site["within"] else ""
            verb = f"{_VERBS[site['role']]} ({site['kind']})"
            print(f"  {printable(site['path'])}:{site['line']}  {verb}{inside}")
    counts = ", ".join(f"{count} {_VERBS[role]}" for role, count in answer["counts"].items() if count)
    places = "repository" if answer["repositories"] == 1 else "repositories"
    print(
        f"{answer['repositories']} {places}: {counts or 'nobody knows it'} | {answer['ms']:.0f} ms",
        file=sys.stderr,
    )


def _print_context(answer: dict[str, Any]) -> None:
    from panlect.review.terminal import printable

    for item in answer["items"]:
        where = f"{printable(item['path'])}:{item['start_line']}-{item['end_line']}"
        print(f"{item['score']:.3f}  {where}  {item['tokens']} tokens\n       {printable(item['reason'])}")
    tokens = sum(item["tokens"] for item in answer["items"])
    print(f"{len(answer['items'])} items, {tokens} tokens | mode: {answer['mode']}", file=sys.stderr)


if __name__ == "__main__":
    main()
