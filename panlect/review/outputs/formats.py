"""The formats by the name of their option: `panlect review --sarif FILE` and the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from panlect.finding import Verdict
from panlect.review import render
from panlect.review.outputs.code_quality import code_quality
from panlect.review.outputs.page import Lines, page
from panlect.review.outputs.rdjson import rdjson
from panlect.review.outputs.sarif import sarif

Writer = Callable[[Verdict, Lines], str]


def _json(shape: Callable[[Verdict], Any]) -> Writer:
    return lambda verdict, _: json.dumps(shape(verdict), indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Writer] = {
    "sarif": _json(sarif),
    "rdjson": _json(rdjson),
    "code-quality": _json(code_quality),
    "html": page,
    "markdown": lambda verdict, _: render.page(verdict),
}
