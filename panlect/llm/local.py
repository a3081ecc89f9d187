"""Models asked from this process: the terminal's gateway over the models file, and how models are called at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from panlect.egress import Egress
from panlect.errors import ConfigurationError
from panlect.llm.budget import MemoryLedger
from panlect.llm.gateway import Gateway
from panlect.llm.store import FileTables, KeySource, file_table
from panlect.llm.table import Choice, ModelTable
from panlect.settings import Settings

if TYPE_CHECKING:
    from panlect.llm.upstreams import Upstream
    from panlect.llm.upstreams.select import Upstreams


def local_models(settings: Settings) -> Gateway:
    """Models for the terminal: the models file alone, budgets over this process, nothing recorded.

    Raises ConfigurationError when the file is not valid.
    """
    file = file_table(settings.models_file)
    wires = _Wires(model_egress(settings, file))
    tables = FileTables(file, KeySource(settings.provider_keys_dir))
    return Gateway(tables, MemoryLedger(), wires.of, wires.aclose)


def model_egress(settings: Settings, file: ModelTable) -> Egress:
    """How models are called: hosts that the operator's own file names may be private."""
    named = tuple(host for one in file.providers.values() if one.url and (host := urlsplit(one.url).netloc))
    proxy = settings.reveal("egress_proxy") or ""
    plain = Egress(settings.egress_allow, proxy, settings.egress_no_proxy, settings.egress_ca_file)
    return replace(plain, allow=(*plain.allow, *named))


class _Wires:
    """The wires, loaded with the first question: a terminal without models needs none of their packages."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._made: Upstreams | None = None

    def of(self, choice: Choice) -> Upstream:
        """The wire of a provider. Raises ConfigurationError where its package is not installed."""
        try:
            if self._made is None:
                from panlect.llm.upstreams.select import Upstreams

                self._made = Upstreams(self._egress)
            return self._made.upstream_for(choice.provider.kind)
        except ImportError as error:
            raise ConfigurationError(
                "Models need packages that are not installed.",
                why=str(error),
                fix="pip install 'panlect[models]'",
            ) from None

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._made is not None:
            await self._made.aclose()
