"""Leave a provider alone that fails, or that said when it may be asked again; ask it once to see whether it recovered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_WINDOW, _FAILURES = 20, 5  # open when so many of the last so many calls failed
_OPEN_S = 30.0
_LONGEST_WAIT_S = 300.0  # a provider cannot close itself for longer than this


@dataclass(slots=True)
class Breaker:
    """The state of one provider as one replica saw it."""

    now: Callable[[], float] = time.monotonic
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _not_before: float = 0.0
    _open: bool = False
    _probing: bool = False

    def wait_s(self) -> float:
        """Seconds until this provider may be asked; 0.0 now. Half-open: one caller asks, the others wait for it."""
        left = self._not_before - self.now()
        if left > 0:
            return left
        return 1.0 if self._open and self._probing else 0.0

    def ask(self) -> bool:
        """A call begins; whether it is the probe of an open breaker."""
        self._probing = self._probing or self._open
        return self._open

    def succeeded(self) -> None:
        """The provider answered: all is forgiven."""
        if self._open:
            self._last.clear()
        self._open = self._probing = False
        self._last.append(True)

    def failed(self, retry_after_s: float = 0.0) -> None:
        """The provider did not answer. What it asks for is obeyed, up to a bound."""
        self._last.append(False)
        if self._probing or self._last.count(False) >= _FAILURES:
            self._open, self._probing = True, False
            retry_after_s = max(retry_after_s, _OPEN_S)
        if retry_after_s:
            self._not_before = max(self._not_before, self.now() + min(retry_after_s, _LONGEST_WAIT_S))

    def left(self, *, probe: bool) -> None:
        """A call ended without telling anything of the provider (it was cancelled): if it was the probe, another may be."""
        if probe:
            self._probing = False
