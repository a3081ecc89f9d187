"""What leaves for a model: without secrets, without characters that nobody sees, and from no file of secrets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from typing import Any

from panlect.hidden import without_hidden
from panlect.llm.chat import ChatRequest, Message
from panlect.redact import withhold

# A call, an element or an attribute of something well known, a variable of a shell or a template, a type: code
# that fetches a secret, which a review must be able to read.
_CODE = re.compile(
    r"""(?:await\s+)?(?:new\s+)?[A-Za-z_][\w.]*[(\[]
    | (?:self|this|cls|settings|config|cfg|conf|env|os|process|request|req|args|opts|options|ctx|context|form
        |params|props|data|body|user|credentials|secrets|vars|var|local|module)\.[A-Za-z_][\w.?!]*\Z
    | \$[{(A-Za-z_] | \{\{ | <[A-Za-z] | (?:Optional|Secret|String|Bytes|Buffer|Password)[A-Za-z]*\b\Z
    | (?:undefined|required|string|boolean)\b""",
    re.X,
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
# Lower case, with `fnmatch` wildcards, matched on a file's name.
_SECRET_NAMES = (
    ".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "*.ppk", "*.asc", "*.gpg", "*.pgp", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".npmrc", ".pypirc",
    ".netrc", "_netrc", ".pgpass", ".my.cnf", ".htpasswd", ".git-credentials", ".dockercfg", ".boto", ".s3cfg",
    ".vault-token", "credentials", "credentials.json", "credentials.y*ml", "kubeconfig", "*.kubeconfig", "*.tfstate",
    "*.tfstate.*", "*.tfvars", "*.tfvars.json", "secret.y*ml", "secrets.y*ml", "secrets.json", "secrets.toml",
    "*.secret", "*.secrets", "*-secrets.y*ml", "*.secrets.y*ml", "master.key", "service-account*.json",
    "*service_account*.json", "auth.json", "htpasswd", "wallet.dat",
)  # fmt: skip
# Every file of every tree is asked: the patterns are parted so that most names take four looks and no regex.
_EXACT = frozenset(name for name in _SECRET_NAMES if "*" not in name)
_ENDS = tuple(name[1:] for name in _SECRET_NAMES if name.startswith("*") and "*" not in name[1:])
_BEGINS = tuple(name[:-1] for name in _SECRET_NAMES if name.endswith("*") and "*" not in name[:-1])
_INSIDE = [
    n
    for n in _SECRET_NAMES
    if ("*" in n and not n.startswith("*") and not n.endswith("*")) or n.count("*") > 1
]
_OTHER = re.compile("|".join(map(translate, _INSIDE)))
_TOLD_BY = ("secret", "service", "credential", "tfstate", "tfvars")  # one of these is in each of the others
_SAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults")
_SECRET_FOLDERS = frozenset((".ssh", ".gnupg", ".aws", ".kube", ".docker", ".azure"))


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text that may leave, and what was taken out of it, counted by kind."""

    text: str
    withheld: Mapping[str, int] = field(default_factory=dict)


def clean(text: str) -> Cleaned:
    """`text` with secrets replaced by `[SECRET:kind]` and hidden characters taken out.

    Hidden ones go first: none of them can break a secret in two and so save it.
    """
    seen, hidden = without_hidden(text)
    kept, secrets = withhold(seen, _is_code)
    return Cleaned(kept, {**hidden, **secrets})


def cleaned_request(request: ChatRequest) -> tuple[ChatRequest, Mapping[str, int]]:
    """The request as it may leave, and what was taken out, by kind: of every text in it but the names of tools.

    It reads all of it, so one of megabytes is for a thread.
    """
    counts: Counter[str] = Counter()

    def kept(text: str) -> str:
        cleaned = clean(text)
        counts.update(cleaned.withheld)
        return cleaned.text

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return kept(value)
        if isinstance(value, Mapping):
            return {inside(name): inside(one) for name, one in value.items()}
        return [inside(one) for one in value] if isinstance(value, list | tuple) else value

    def message(one: Message) -> Message:
        calls = tuple(replace(call, arguments=kept(call.arguments)) for call in one.tool_calls)
        return replace(one, content=kept(one.content), tool_calls=calls)

    messages = tuple(message(one) for one in request.messages)
    tools = tuple(
        replace(tool, description=kept(tool.description), parameters=inside(tool.parameters))
        for tool in request.tools
    )
    schema = request.schema and replace(request.schema, schema=inside(request.schema.schema))
    extra = inside(request.extra)
    if not counts:
        return request, {}
    return replace(request, messages=messages, tools=tools, schema=schema, extra=extra), dict(counts)


def cleaned_texts(texts: Sequence[str]) -> tuple[list[str], Mapping[str, int]]:
    """Texts to be embedded as they may leave, in their order, and what was taken out of all of them, by kind."""
    cleaned = [clean(text) for text in texts]
    counts: Counter[str] = Counter()
    for one in cleaned:
        counts.update(one.withheld)
    return [one.text for one in cleaned], dict(counts)


def cleaned_lines(lines: Sequence[str]) -> list[str]:
    """The lines of a whole file as they may leave; as many as there were, so that their numbers hold."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = inside or _KEY_BEGINS.search(line) is not None
        kept.append("[SECRET:private-key]" if inside else clean(line).text)
        inside = inside and _KEY_ENDS.search(line) is None
    return kept


def may_leave(path: str) -> bool:
    """Whether a file's content may be shown to a model: false for what is named as a file of secrets is."""
    folders, _, name = path.lower().rpartition("/")
    if folders and "." in folders and not _SECRET_FOLDERS.isdisjoint(folders.split("/")):
        return False
    if name in _EXACT or name.endswith(_ENDS) or name.startswith(_BEGINS):
        return name in _SAMPLES
    return not (any(word in name for word in _TOLD_BY) and _OTHER.match(name))


def _is_code(assigned: str) -> bool:
    """Whether what is assigned fetches a secret; a value in quotes never does, but for a template's."""
    if assigned[:1] in ("'", '"'):
        return assigned[1:].startswith(("${", "{{", "$(")) and assigned[1:].find("://") < 0
    return _CODE.match(assigned) is not None
