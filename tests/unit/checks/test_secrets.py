"""A credential in an added line is found and never shown; what only looks like one is left alone."""

from __future__ import annotations

import base64

import pytest

from panlect.change import Change, ChangedFile, ChangedHunk
from panlect.finding import Category
from panlect.redact import masked
from panlect.review.verify import verify

# Put together here, so that no scanner takes these lines for the real thing.
R40 = "q7Zk" + "Wm2Xp9Lc4Tn8" + "Vb3Hs6Jd1Rf5" + "Gy0KuAeIoQzN"
HEX = "9f8c2b7e41" + "d05a6339c87f" + "b1e4d2a06c"
HEADER = "-----BEGIN RSA " + "PRIVATE KEY-----"
JWT = ".".join(
    (base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("="), "eyJ1aWQiOjQyfQ", "x" + R40)
)
REAL = {
    "github": ("a.py", "TOKEN = 'ghp_" + R40[:36] + "'", "github-token"),
    "github in a test": ("tests/test_a.py", "TOKEN = 'ghp_" + R40[:36] + "'", "github-token"),
    "gitlab": ("deploy.sh", "export T=glpat-" + R40[:20], "gitlab-token"),
    "aws": ("a.tf", 'access_key = "AKIA' + "Q7ZKWM2XP9LC4TN8" + '"', "aws-key"),
    "openai": ("a.ts", "const k = 'sk-proj-" + R40 + "'", "openai-key"),
    "stripe": ("a.go", 'var k = "sk_' + "live_" + R40[:24] + '"', "stripe-key"),
    "google": ("a.js", "key: 'AIza" + R40[:35] + "'", "google-key"),
    "named and random": ("a.py", "api_key = '" + R40[:24] + "'", "assignment"),
    "in settings": (".env", "DB_PASSWORD=" + R40[:20], "assignment"),
    "hexadecimal": ("conf.yaml", "secret_key: " + HEX, "assignment"),
    "in an address": ("a.py", "URL = 'postgres://app:" + R40[:20] + "@db/x'", "url-password"),
    "a signed token": ("a.py", "t = '" + JWT + "'", "jwt"),
    "a key on one line": ("a.py", f"k = '{HEADER}\\n{R40}'", "private-key"),
    "a key on many lines": ("deploy/id_rsa", f"{HEADER}\n{R40}{R40[:24]}\n", "private-key"),
}
HARMLESS = {
    "documented by its maker": ("a.py", "k = 'AKIA" + "IOSFODNN7EXAMPLE'"),
    "repeated": ("a.py", "k = 'ghp_" + "a1B2" * 9 + "'"),
    "too short for what is issued": ("a.py", "k = 'sk-" + R40[:20] + "'"),
    "made up for a test": ("tests/test_a.py", "k = 'sk-proj-" + R40 + "'"),
    "words in capitals": ("a.py", "k = 'AKIA" + "OFTHECHAINOFAWSX'"),
    "words": ("a.py", "password = 'correct-horse-battery-staple-1'"),
    "short": ("a.py", "password = 'hunter22'"),
    "read elsewhere": ("a.py", "password = settings.database.password_v2_current"),
    "from the environment": ("a.py", "api_key = os.environ['A1_B2_C3_D4_E5_F6']"),
    "a variable": ("a.yaml", "password: ${" + "DB_PASSWORD_1A2B3C4D}"),
    "an example of settings": (".env.example", "API_KEY=" + R40[:24]),
    "a password of a test": ("tests/test_a.py", "password = '" + R40[:24] + "'"),
    "a key of a test": ("tests/certs.py", f"k = '{HEADER}\\n{R40}'"),
    "prose": ("README.md", "api_key = '" + R40[:24] + "'"),
    "code about keys": ("a.py", f"if text.startswith('{HEADER}'):"),
    "a class name": ("a.css", ".sk-fading-circle-container-large { }"),
    "a digest": ("a.py", "sha = '" + HEX + "'"),
    "a lock file": ("package-lock.json", '"api_key": \'' + R40[:24] + "'"),
    "a local address": ("a.yaml", "url: postgres://postgres:postgres@localhost/x"),
    "copied in": ("vendor/x/a.py", "k = 'ghp_" + R40[:36] + "'"),
    "a name": ("a.py", "panlect_application_database_url_1 = panlect_application_database_url_2"),
}


def only(found):
    """What this check claims: the lines of these tests are no whole programs."""
    return [one for one in found if one.check == "secret"]


@pytest.mark.parametrize(("path", "line", "kind"), REAL.values(), ids=REAL)
def test_a_committed_credential_is_found_and_not_shown(review, path, line, kind):
    (found,) = only(review({}, {path: f"first\n{line}\n"}))
    assert (found.check, found.category, found.start_line) == ("secret", Category.SECURITY, 2)
    assert found.target.startswith(f"{kind}#")
    for secret in (R40[:16], HEX, "Q7ZKWM2XP9LC4TN8", JWT):
        assert secret not in repr(found)


@pytest.mark.parametrize(("path", "line"), HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_one_is_left_alone(review, path, line):
    assert only(review({}, {path: f"{line}\n"})) == []


def test_a_credential_that_only_moved_is_not_this_changes(review):
    line = REAL["github"][1] + "\n"
    assert only(review({"a.py": line, "b.py": "x = 1\n"}, {"a.py": "x = 2\n", "b.py": line})) == []
    assert len(only(review({"a.py": line}, {"a.py": line + line.replace("W", "V")}))) == 1


def test_two_credentials_on_lines_alike_are_two_findings(review):
    one, two = (f"K{n} = 'ghp_{part[:36]}'\n" for n, part in ((1, R40), (1, R40[::-1])))
    first, second = only(review({}, {"a.py": one + two}))
    assert first.target != second.target
    assert first.evidence[0].quote != second.evidence[0].quote


class View:
    """One file, as verification reads it."""

    def __init__(self, line: str) -> None:
        self.line = line

    def exists(self, _path: str) -> bool:
        return True

    def text(self, _path: str) -> bytes:
        return self.line.encode()


def test_a_masked_quote_holds_for_its_own_line_alone(review):
    path, line, _ = REAL["github"]
    (found,) = only(review({}, {path: line}))
    hunk = ChangedHunk(0, 0, 1, 1, (), ((1, 1),))
    file = ChangedFile("added", None, path, None, "b", "", "", "code", (hunk,))
    change = Change("a", "b", (file,))
    for text, holds in ((line, True), (line.replace("q7Zk", "r7Zk"), False), (line + " # x", False)):
        assert bool(verify((found,), change, View(""), View(text)).candidates) is holds


def test_masking_twice_changes_nothing():
    for _, line, _ in REAL.values():
        assert masked(masked(line)) == masked(line) != line
