"""Nothing leaves that should not: secrets, what nobody sees, files of secrets. Code stays as it is."""

from __future__ import annotations

import pytest

from panlect.llm.chat import ChatRequest, Message, Schema, Tool, ToolCall
from panlect.llm.outgoing import clean, cleaned_request, cleaned_texts, may_leave

# Put together here, so that no scanner takes it for the real thing.
_KEY = "ghp_" + "a1B2" * 9


def test_secrets_are_replaced_and_counted_by_kind() -> None:
    cleaned = clean(f"token {_KEY} and {_KEY}\npassword = 'hunter22'\n")
    assert (
        cleaned.text
        == "token [SECRET:github-token] and [SECRET:github-token]\npassword = '[SECRET:assignment]'\n"
    )
    assert cleaned.withheld == {"github-token": 2, "assignment": 1}


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        ("\0", "nul"),
        ("\u202e", "direction-mark"),
        ("\u2066", "direction-mark"),
        ("\U000e0041", "tag-character"),
        ("\u200b", "zero-width"),
        ("\ufeff", "zero-width"),
        ("\u3164", "zero-width"),
        ("\u200d", "zero-width"),
        ("\U000e0101", "variation-selector"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_nobody_sees_is_taken_out_and_counted(hidden: str, kind: str) -> None:
    cleaned = clean(f"pass{hidden}word is a word")
    assert cleaned.text == "password is a word"
    assert cleaned.withheld == {kind: 1}


def test_no_hidden_character_saves_a_secret_by_breaking_it_in_two() -> None:
    cleaned = clean(_KEY[:12] + "\u200b" + _KEY[12:])
    assert cleaned.text == "[SECRET:github-token]"


def test_letters_and_emoji_that_need_joiners_keep_them() -> None:
    text = "می\u200cخواهم 👩\u200d💻 ❤\ufe0f"
    assert clean(text).text == text


def test_text_spelt_in_variation_selectors_is_cut_to_one() -> None:
    cleaned = clean("❤" + "\ufe00\ufe01\ufe0f\ufe02")
    assert (cleaned.text, cleaned.withheld) == ("❤\ufe00", {"variation-selector": 3})


@pytest.mark.parametrize(
    "code",
    [
        "password = get_password(user)",
        'password = os.environ["DB_PASSWORD"]',
        "api_key=settings.api_key,",
        "secret: self.secret",
        "password: SecretStr",
        "access_token: ${{ secrets.TOKEN }}",
        'api_key: "${API_KEY}"',
        "const secret = await fetchSecret(name)",
        "password: string;",
    ],
)
def test_code_that_fetches_a_secret_can_be_read(code: str) -> None:
    assert clean(code).text == code


@pytest.mark.parametrize("value", ["password: hunter22", 'api_key = "abc(def)"', "secret='os.environ'"])
def test_what_is_written_out_is_withheld(value: str) -> None:
    assert clean(value).withheld == {"assignment": 1}


def test_cleaning_twice_counts_once() -> None:
    once = clean("https://user:hunter22@example.org password=hunter22")
    again = clean(once.text)
    assert (again.text, again.withheld) == (once.text, {})


def test_every_part_of_a_request_is_cleaned() -> None:
    request = ChatRequest(
        "review",
        (
            Message("system", f"a {_KEY}"),
            Message("assistant", "", (ToolCall("1", "read", f'{{"q": "{_KEY}"}}'),)),
            Message("tool", "b\u202e", tool_call_id="1"),
        ),
        (Tool("read", f"c {_KEY}", {}),),
        tag="T",
    )
    sent, withheld = cleaned_request(request)
    assert withheld == {"github-token": 3, "direction-mark": 1}
    assert _KEY not in repr(sent)
    assert sent.messages[2] == Message("tool", "b", tool_call_id="1")
    assert sent.tag == "T"


def test_shapes_and_further_settings_are_cleaned_but_no_names() -> None:
    shape = {
        "type": "object",
        "properties": {"a": {"type": "string", "description": _KEY, "enum": [_KEY, "b"], "default": None}},
        "required": ["a"],
    }
    request = ChatRequest(
        "review",
        (Message("user", "x"),),
        (Tool("read", "", {**shape, "maxProperties": 3}),),
        schema=Schema("s", shape),
        extra={"stop": ["END", f"b \u202e{_KEY}"], "top_p": 0.5, "response_format": {"type": _KEY}},
    )
    sent, withheld = cleaned_request(request)
    assert withheld == {"github-token": 6, "direction-mark": 1}
    assert _KEY not in repr(sent)
    assert sent.tools[0].name == "read"
    assert sent.tools[0].parameters["maxProperties"] == 3
    assert sent.tools[0].parameters["properties"]["a"]["enum"] == ["[SECRET:github-token]", "b"]
    assert sent.schema is not None
    assert sent.schema.schema["required"] == ["a"]
    assert sent.extra == {
        "stop": ["END", "b [SECRET:github-token]"],
        "top_p": 0.5,
        "response_format": {"type": "[SECRET:github-token]"},
    }


def test_texts_are_cleaned_and_counted_together() -> None:
    texts, withheld = cleaned_texts([_KEY, "plain", f"a\0 {_KEY}"])
    assert texts == ["[SECRET:github-token]", "plain", "a [SECRET:github-token]"]
    assert withheld == {"github-token": 2, "nul": 1}


def test_a_request_with_nothing_to_take_out_is_itself() -> None:
    request = ChatRequest("review", (Message("user", "naïve def f(): return 1"),))
    assert cleaned_request(request) == (request, {})


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.env.production",
        "prod.env",
        "tls/server.key",
        "tls/server.PEM",
        "id_rsa",
        "keys/id_ed25519.bak",
        "store.p12",
        "a/release.keystore",
        ".npmrc",
        ".pypirc",
        ".netrc",
        ".aws/credentials",
        ".ssh/config",
        "kubeconfig",
        "infra/terraform.tfstate",
        "infra/terraform.tfstate.backup",
        "k8s/secrets.yml",
        "config/secrets.yaml",
    ],
)
def test_files_of_secrets_never_leave(path: str) -> None:
    assert not may_leave(path)


@pytest.mark.parametrize(
    "path", ["src/env.py", ".env.example", "keyring.py", "docs/secrets.md", "credentials.py", "src/key.go"]
)
def test_files_that_speak_of_secrets_may(path: str) -> None:
    assert may_leave(path)
