"""What a person gets who installs the wheel: panlect alone, whole, and light to start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What the terminal must never load: the server's world.
HEAVY = ("torch", "ray", "psycopg", "fastapi", "scipy", "sentence_transformers", "procrastinate", "httpx2")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in ("panlect", "serve", "jobs", "pipelines", "cluster", "bench", "docs"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_panlect_alone(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"panlect"}


def test_the_wheel_holds_every_file_that_panlect_reads(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    for path in (ROOT / "panlect").rglob("*"):
        if path.suffix in (".py", ".sql", ".scm", ".toml", ".md"):
            assert str(path.relative_to(ROOT)) in held


def test_the_wheel_needs_nothing_of_the_server(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    lines = wheel.read(metadata).decode().splitlines()
    always = [
        line.split()[1] for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert always
    assert not {need for need in always if need.startswith(HEAVY)}
    scripts = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "panlect = panlect.cli:main" in wheel.read(scripts).decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["version"],
        ["config", "show"],
        ["review", "--base", "HEAD^"],
        ["search", "capture"],
        ["context", "--base", "HEAD^"],
    ],
    ids=" ".join,
)
def test_the_terminal_loads_nothing_of_the_server(tmp_path: Path, arguments: list[str]) -> None:
    repository(tmp_path / "repo")
    script = (
        "import json, sys\n"
        "from panlect.cli import main\n"
        f"sys.argv = ['panlect', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as left:\n    assert left.code == 0, left.code\n"
        "print('\\nLOADED', json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "repo",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.rpartition("LOADED ")[2])
    assert not set(HEAVY) & set(loaded)
    if arguments == ["--help"]:
        assert "numpy" not in loaded


def repository(where: Path) -> None:
    where.mkdir()
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    (where / "pay.py").write_text("def capture(order):\n    return order\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-qm", "1"],
        ["commit", "-qm", "2", "--allow-empty"],
    ):
        subprocess.run(["git", *identity, *command], cwd=where, check=True, capture_output=True)
