"""The reference pages say what the code says; every link of the documentation leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs.generate import MIGRATIONS, REFERENCE, ROOT, generated
from docs.json_shapes import SCHEMAS
from panlect.faults import POINTS
from panlect.settings import Settings, variable

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", sorted(generated()))
def test_a_reference_page_is_what_the_code_makes_of_it(name: str) -> None:
    assert (REFERENCE / name).read_text() == generated()[name], "run `make docs`"


def test_nothing_else_lies_in_the_reference() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(generated())


def test_every_setting_is_described() -> None:
    page = generated()["settings.md"]
    for field, info in Settings.model_fields.items():
        assert f"`{variable(field)}`" in page
        assert info.description, field


def test_every_table_of_the_migrations_has_its_columns() -> None:
    page = generated()["tables.md"]
    sql = "".join(path.read_text() for path in MIGRATIONS.glob("*.sql"))
    tables = re.findall(r"^create table (?:if not exists )?([\w.]+)", sql, re.MULTILINE)
    assert len(tables) >= 18
    for table in tables:
        section = page.partition(f"### `{table}`\n")[2].partition("###")[0]
        assert "| `organisation_id` |" in section or table in ("organisation", "token_bucket"), table


def test_every_command_and_route_says_what_it_does() -> None:
    pages = generated()
    assert re.findall(r"^## `panlect ([a-z ]+)", pages["commands.md"], re.MULTILINE)
    for row in _rows(pages["routes.md"]):
        assert row[-1].strip(), row
    for row in _rows(pages["commands.md"]):
        assert row[-1].strip(), row


def _rows(page: str) -> Iterator[list[str]]:
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield line.strip("|").split("|")


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema_and_every_field_has_a_meaning(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert all(row[-1].strip() for row in _rows(generated()["json.md"]))


# Killed where a Ray cluster is up: tests/e2e/test_bulk_index.py.
IN_BULK = {"index.after_analysed", "index.after_embedded"}


def test_the_kill_table_has_a_row_for_every_point() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    table = page.partition("<!-- kill table -->")[2].partition("<!-- end of kill table -->")[0]
    assert set(re.findall(r"^\| `([a-z._]+)` \|", table, re.MULTILINE)) == set(POINTS) - IN_BULK
    assert all(row[2:4] == [" 1 ", " 1 "] for row in _rows(table) if row[0].startswith(" `"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target
