"""Names that files pass on, in circles and in long rows."""

from __future__ import annotations

from panlect.code.analysis import Reference
from panlect.index.memory import MemoryRepository
from panlect.search.resolution.answers import Resolution
from panlect.search.resolve import Resolver
from tests.unit.search.small_repositories import (
    PYTHON,
    places,
    resolved,
)


def test_what_a_module_does_not_define_is_not_sought_elsewhere() -> None:
    assert resolved({**PYTHON, "else.py": "def missing(): pass\n"}, "app.py", "missing") == Resolution()


def test_re_exports_in_a_circle_end() -> None:
    files = {
        "p/__init__.py": "from .a import thing\n",
        "p/a.py": "from .b import thing\nfrom .b import *\n",
        "p/b.py": "from . import thing\nfrom .a import *\n",
        "use.py": "from p import thing\nthing()\n",
        "x.ts": "export * from './y'\nexport {q as r} from './y'\n",
        "y.ts": "export * from './x'\nimport {r as q} from './x'\nexport {q as q2}\n",
        "z.ts": "import {r, w} from './x'\nr(); w()\n",
        "k.ts": "import {q} from './l'\nexport {q as r}\n",
        "l.ts": "import {r} from './k'\nexport {r as q}\n",
        "m.ts": "import {r} from './k'\nr()\n",
    }
    assert resolved(files, "m.ts", "r") == Resolution()
    assert resolved(files, "use.py", "thing") == Resolution()
    assert resolved(files, "z.ts", "r") == Resolution()
    assert resolved(files, "z.ts", "w") == Resolution()


def test_re_exports_are_followed_five_files_deep_and_no_further() -> None:
    files = {f"m{n}.py": f"from m{n + 1} import thing\n" for n in range(12)}
    files |= {"m12.py": "def thing(): pass\n"}
    near = {**files, "use.py": "from m7 import thing\nthing()\n"}
    far = {**files, "use.py": "from m0 import thing\nthing()\n"}
    assert places(resolved(near, "use.py", "thing")) == [("m12.py", "thing", 0.95)]
    assert resolved(far, "use.py", "thing") == Resolution()


def test_a_hundred_thousand_stars_are_not_all_followed() -> None:
    stars = "".join(f"from m{n} import *\n" for n in range(300)) * 300
    files = {f"m{n}.py": stars[:6000] for n in range(300)}
    files |= {"use.py": stars + "nothing()\n"}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    assert resolver.resolve("use.py", Reference("nothing", "call", 90_001)) == Resolution()
    assert len(resolver._sources._files) <= len(files)
