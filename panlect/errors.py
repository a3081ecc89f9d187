"""Every error a person meets: what happened, why, and how to fix it; leaves say whose fault it was."""

from __future__ import annotations


class PanlectError(Exception):
    """Something went wrong that a person can act on: `what` in one line, `why`, and a `fix`."""

    exit_code = 3

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)


class BadInputError(PanlectError):
    """The caller asked for something that cannot be: a flag, a path, a revision."""

    exit_code = 2


class NotARepositoryError(BadInputError):
    """The path is no git repository, or an empty one."""


class UnknownRevisionError(BadInputError):
    """The revision is not in the repository."""


class NoMergeBaseError(BadInputError):
    """Base and head share no history (or the clone is too shallow to show it)."""


class ConfigurationError(PanlectError):
    """A setting is missing, unknown or contradicts another."""

    exit_code = 2


class GitError(PanlectError):
    """git failed, ran too long or printed too much."""


class GitTooSlowError(GitError):
    """git was killed because it ran over its time."""


class ChildError(PanlectError):
    """A killable child crashed, ran out of time or memory, or printed too much."""


class DatabaseError(PanlectError):
    """Postgres cannot be reached, started or migrated."""


class MigrationError(DatabaseError):
    """A migration was edited after it ran, or the schema is newer than this program."""


class BadSignatureError(PanlectError):
    """A webhook whose signature is missing or wrong: the sender's fault."""


class BadPayloadError(PanlectError):
    """A signed webhook whose body is not what its header says."""


class ForgeError(PanlectError):
    """The code host refused a request (4xx): our request was wrong or not allowed."""

    def __init__(self, what: str, *, status: int = 0, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.status = status


class ForgeUnavailableError(ForgeError):
    """The code host did not answer, or answered 5xx or 429: try again later."""

    def __init__(self, what: str, *, status: int = 0, retry_after_s: float = 0.0, why: str = "") -> None:
        super().__init__(what, status=status, why=why, fix="It will be tried again.")
        self.retry_after_s = retry_after_s


class StaleHeadError(PanlectError):
    """The pull request's head moved: nothing is posted for the old one."""


class EgressRefusedError(PanlectError):
    """An outgoing address is private, or resolves to one, and no administrator allowed it."""


class NameUnresolvedError(EgressRefusedError):
    """A host's name does not resolve now: it may later."""


class SecretKeyError(PanlectError):
    """A ciphertext does not open with the keys at hand, or belongs to another organisation or purpose."""


class EmbeddingError(PanlectError):
    """An embedding model or its server gave no usable vectors."""


class NotAuthorisedError(PanlectError):
    """No principal, or one without the right to do this."""


class ModelError(PanlectError):
    """A model was asked and no answer came of it."""


class NoModelError(ModelError):
    """Nothing is configured for this role: whoever asks goes on without a model and says so."""


class BudgetExhaustedError(ModelError):
    """What may be spent is spent: no call was made. `scope` is whose budget it is."""

    def __init__(self, what: str, *, scope: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.scope = scope


class ModelUnavailableError(ModelError):
    """Every provider of the chain failed, or is at its limit: try again later."""

    def __init__(self, what: str, *, retry_after_s: float = 0.0, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.retry_after_s = retry_after_s


class ProviderError(ModelError):
    """One provider gave no answer that can be used. `outcome` is what the record says of it.

    rate_limited, unavailable, timeout, garbage, cut (a stream without its end), auth, rejected (our request is
    wrong for this model), too_long (more than its window). `billed` says that tokens may have been spent.
    """

    def __init__(
        self,
        what: str,
        *,
        outcome: str = "unavailable",
        retry_after_s: float = 0.0,
        billed: bool = False,
        why: str = "",
    ) -> None:
        super().__init__(what, why=why)
        self.outcome = outcome
        self.retry_after_s = retry_after_s
        self.billed = billed
