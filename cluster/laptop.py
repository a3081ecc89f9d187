"""The whole on one machine, started in order and stopped in reverse.

Order: data directory held, Postgres, migrations, keys, sandbox forge, Ray, Serve. Each start says what it
does and how long it took; whatever happens, what was started is ended.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2

from cluster import processes, start
from panlect.accounts.keys import new_token
from panlect.db import embedded
from panlect.errors import PanlectError
from panlect.llm.store import KeySource, file_table
from panlect.settings import Settings, load

_READY_S = 120.0


@dataclass(slots=True)
class Running:
    """What is up: where, with which token, and how long each part of the start took."""

    settings: Settings
    token: str
    url: str
    forge_url: str
    dashboard_url: str
    seconds: dict[str, float] = field(default_factory=dict)


class Progress:
    """Says on standard error what is being done, and remembers how long it took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Time one part of the start."""
        began = time.monotonic()
        print(f"  {what} ...", end="", file=sys.stderr, flush=True)
        yield
        self.seconds[what] = round(time.monotonic() - began, 2)
        print(f" {self.seconds[what]:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def everything(settings: Settings, *, prepare: Callable[[], None] | None = None) -> Iterator[Running]:
    """The laptop profile, up for as long as the block runs. Raises PanlectError when a part does not start.

    `prepare` runs while nobody else can use the data directory, before anything starts; without it the forge
    plants its samples.
    """
    progress = Progress()
    run_dir = settings.data_dir / "run"
    with ExitStack() as stack:
        stack.enter_context(processes.owned(run_dir))
        try:
            if prepare is not None:
                prepare()
            settings = _with_free_ports(settings)
            database_url = _database(settings, progress, stack)
            token = _bootstrap_token(settings)
            running = Running(
                settings,
                token,
                url=f"http://127.0.0.1:{settings.port}",
                forge_url=f"http://127.0.0.1:{settings.forge_port}",
                dashboard_url=f"http://127.0.0.1:{settings.dashboard_port}",
                seconds=progress.seconds,
            )
            _publish_environment(settings, database_url, running)
            _set_keys_aside(settings, stack)
            with progress.step("migrations"):
                _migrate(settings, token)
            with progress.step("sandbox forge"):
                stack.enter_context(_forge(settings, samples=prepare is None))
            stack.callback(start.stop_all)
            with progress.step("Ray"):
                start.start_ray(
                    settings, start.kept_secret(settings.data_dir / "ray-token", secrets.token_urlsafe)
                )
                # Ray puts a handler of its own in front: it aborts three seconds after SIGTERM, in the middle of the end.
                hear_signals()
            with progress.step("Serve applications"):
                start.start_serve(settings)
                processes.wait_until(
                    lambda: _answers(f"{running.url}/readyz"), _READY_S, "The web application"
                )
            yield running
        finally:  # before the stack unwinds, however far the start came
            _stop_undisturbed()


def _set_keys_aside(settings: Settings, stack: ExitStack) -> None:
    """Providers' keys leave the environment, which every process would inherit, for a folder that the gateway reads.

    The folder is closed to others and goes when this ends; what a killed start left goes first.
    """
    named = [one.key for one in file_table(settings.models_file).providers.values() if one.key]
    source = KeySource(settings.provider_keys_dir)
    clear = {name: source.find(name) for name in named}
    folder = settings.data_dir / "run" / "provider-keys"
    shutil.rmtree(folder, ignore_errors=True)
    if not named:
        return
    folder.mkdir(mode=0o700)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    for name, key in clear.items():
        os.environ.pop(name, None)
        if key:
            start.kept_secret(folder / name, partial(str, key))
    os.environ["PANLECT_PROVIDER_KEYS_DIR"] = str(folder)


def _with_free_ports(settings: Settings) -> Settings:
    """The ports asked for where they are free, others where not: two checkouts can run side by side."""
    names = ("port", "dashboard_port", "forge_port")
    chosen = {name: start.free_port(getattr(settings, name)) for name in names}
    for name, port in chosen.items():
        if port != getattr(settings, name):
            print(f"  port {getattr(settings, name)} is taken, {name} is {port}", file=sys.stderr)
    return settings.model_copy(update=chosen)


def _database(settings: Settings, progress: Progress, stack: ExitStack) -> str:
    given = settings.reveal("database_url")
    if not given:
        stack.callback(
            embedded.stop, settings.data_dir
        )  # first: a signal may come in the middle of the start
    with progress.step("Postgres"):
        return embedded.locate(given, settings.data_dir, settings.pg_bindir).url


def _bootstrap_token(settings: Settings) -> str:
    """The bootstrap token: given, or made once and kept in the data directory."""
    return settings.reveal("bootstrap_token") or start.kept_secret(settings.data_dir / "token", new_token)


def _publish_environment(settings: Settings, database_url: str, running: Running) -> None:
    """What Ray's processes read: they inherit this environment, so no secret stands in an argument."""
    os.environ.update(
        {
            "DATABASE_URL": database_url,
            "PANLECT_DATA_DIR": str(settings.data_dir),
            "PANLECT_PORT": str(settings.port),
            "PANLECT_GRACE_S": "3",  # whoever waits for Ctrl-C gets it soon; what was cut off is resumed
            "PANLECT_PUBLIC_URL": settings.public_url or running.url,
            "PANLECT_DASHBOARD_PORT": str(settings.dashboard_port),
            "PANLECT_EGRESS_ALLOW": _json_list([*settings.egress_allow, f"127.0.0.1:{settings.forge_port}"]),
        }
    )


def _json_list(values: list[str]) -> str:
    import json

    return json.dumps(sorted(set(values)))


def _migrate(settings: Settings, token: str) -> None:
    from panlect import wiring

    current = load(data_dir=settings.data_dir)
    wiring.migrate(current)
    wiring.bootstrap(current, token)


@contextmanager
def _forge(settings: Settings, *, samples: bool) -> Iterator[None]:
    """The sandbox forge as a process of its own, so that it is a real host over real HTTP."""
    log = settings.data_dir / "run" / "forge.log"
    flags = ["--samples"] if samples else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cluster.sandbox", "--directory", str(settings.data_dir / "forge"),
             "--port", str(settings.forge_port), *flags],
            cwd=start.ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C is for us: the forge goes last, when nothing posts any more
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{settings.forge_port}/"
            processes.wait_until(lambda: _answers(url) or process.poll() is not None, 60, "The sandbox forge")
            if process.poll() is not None:
                raise PanlectError("The sandbox forge did not start.", fix=f"See {log}.")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def hear_signals() -> None:
    """Ctrl-C and SIGTERM both unwind what was started, also where a shell had them ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _stop_undisturbed() -> None:
    """A second Ctrl-C must not leave half of it running."""
    print("  stopping ...", file=sys.stderr, flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
