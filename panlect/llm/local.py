"""Models asked from this process: the terminal's gateway over the models file, and how models are called at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from panlect.egress import Egress, spelt
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
    wires = Wires(settings, file)
    tables = FileTables(file, KeySource(settings.provider_keys_dir))
    return Gateway(tables, MemoryLedger(), wires.of, wires.aclose)


class Wires:
    """The providers' wires, loaded with the first question: a terminal without models needs none of their packages.

    What the operator's file names may be private, host and port, for the operator's providers alone: an organisation's
    own provider must not reach what only the operator may let through.
    """

    def __init__(self, settings: Settings, file: ModelTable) -> None:
        proxy = settings.reveal("egress_proxy") or ""
        plain = Egress(settings.egress_allow, proxy, settings.egress_no_proxy, settings.egress_ca_file)
        addresses = (spelt(one.url) for one in file.providers.values() if one.url)
        named = (f"{host}:{port}" for _, host, port in addresses)
        self._egress = {False: plain, True: replace(plain, allow=(*plain.allow, *named))}
        self._made: dict[bool, Upstreams] = {}

    def of(self, choice: Choice) -> Upstream:
        """The wire of a provider. Raises ConfigurationError where its package is not installed."""
        shared = choice.provider.shared
        try:
            if shared not in self._made:
                from panlect.llm.upstreams.select import Upstreams

                self._made[shared] = Upstreams(self._egress[shared])
            return self._made[shared].upstream_for(choice.provider.kind)
        except ImportError as error:
            raise ConfigurationError(
                "Models need packages that are not installed.",
                why=str(error),
                fix="pip install 'panlect[models]'",
            ) from None

    async def aclose(self) -> None:
        """Close what was opened."""
        for made in self._made.values():
            await made.aclose()
