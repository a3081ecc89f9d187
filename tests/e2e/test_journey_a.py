"""A signed webhook becomes a posted review: once, on the right lines, whatever is killed in between."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

SHOP = {
    "shop/__init__.py": "",
    "shop/capture.py": "def capture(order):\n    return order.total\n",
    "jobs/__init__.py": "",
    "jobs/retry.py": "from shop.capture import capture\n\n\ndef retry(order):\n    return capture(order)\n",
    "README.md": "# Shop\n",
}
BROKEN = "def capture(order, idempotency_key):\n    return order.total, idempotency_key\n"


@pytest.fixture
def shop(plant: Any) -> str:
    """A repository whose branch `break` adds a required parameter and leaves a caller as it was."""
    files = plant("acme/shop")
    files.commit("main", SHOP)
    files.commit("break", {"shop/capture.py": BROKEN}, parent="main")
    files.commit("clean", {"README.md": "# Shop\n\nSells things.\n"}, parent="main")
    return "acme/shop"


async def test_a_broken_caller_gets_one_review_with_one_comment_and_one_check(
    shop: str, forge: Any, panlect: Any
) -> None:
    await panlect.connect(forge, shop)
    async with panlect.worker():
        number = forge.open(shop, "break")
        review = await panlect.review_of(shop, number)
    assert review["verdict"] == "REVIEWED"
    assert [finding["check"] for finding in review["findings"]] == ["call-mismatch"]
    assert len(forge.reviews(shop, number)) == 1
    comments = forge.comments(shop, number)
    assert [(c["path"], c["line"], c["side"]) for c in comments] == [("shop/capture.py", 1, "RIGHT")]
    assert "jobs/retry.py:5" in str(comments[0]["body"])
    assert [check["conclusion"] for check in forge.checks(shop, number)] == ["neutral"]


async def test_what_the_settings_of_the_base_leave_out_is_skipped_with_the_reason(
    plant: Any, forge: Any, panlect: Any
) -> None:
    files = plant("acme/shop")
    files.commit("main", SHOP | {"panlect.toml": '[filters]\nbranches = ["release/*"]\n'})
    files.commit("break", {"shop/capture.py": BROKEN, "panlect.toml": ""}, parent="main")
    await panlect.connect(forge, "acme/shop")
    async with panlect.worker():
        review = await panlect.review_of("acme/shop", forge.open("acme/shop", "break"))
    assert review["verdict"] == "SKIPPED"
    assert "panlect.toml: left out by its branch" in review["reason"]
    assert not review["findings"]
    assert not forge.reviews("acme/shop", 1)


async def test_a_clean_change_gets_a_check_and_no_comment(shop: str, forge: Any, panlect: Any) -> None:
    await panlect.connect(forge, shop)
    async with panlect.worker():
        number = forge.open(shop, "clean")
        review = await panlect.review_of(shop, number)
    assert (review["verdict"], review["findings"]) == ("REVIEWED", [])
    assert forge.reviews(shop, number) == []
    assert [check["conclusion"] for check in forge.checks(shop, number)] == ["success"]


async def test_the_review_page_shows_the_verdict_and_the_quoted_lines(
    shop: str, forge: Any, panlect: Any
) -> None:
    await panlect.connect(forge, shop)
    async with panlect.worker():
        review = await panlect.review_of(shop, forge.open(shop, "break"))
    page = await panlect.client.get(f"/reviews/{review['id']}", headers={"accept": "text/html"})
    assert page.status_code == 200
    for said in (
        "REVIEWED 1/1 hunks",
        "call-mismatch",
        "return capture(order)",
        "review / checks",
        "publish / post",
    ):
        assert said in page.text, said


async def test_the_api_page_lists_every_route_and_loads_nothing_from_elsewhere(panlect: Any) -> None:
    page = await panlect.client.get("/api/docs", headers={"accept": "text/html"})
    described = (await panlect.client.get("/api/openapi.json")).json()
    assert page.status_code == 200
    assert [path for path in described["paths"] if path not in page.text] == []
    assert "//cdn" not in page.text
    assert "<script" not in page.text
