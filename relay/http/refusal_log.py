"""Refused senders in the log: source, site and reason of each, but so many lines only that a flood does not fill it.

What a line says is bounded and printable, and nothing of a person: no address, no key, and a site only if it could be
one, as its name comes from the sender.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from relay.queue.stored import SITE_CHARACTERS
from relay.rules.source import Denial, Denied

log = logging.getLogger(__name__)

WINDOW_S: Final = 10.0
LINES: Final = 5  # of one source and reason in that time; the rest are one line at its end
_SITE: Final = re.compile(r"[\w.-]+(/[\w./-]*)?")


@dataclass(slots=True)
class RefusalLog:
    """Counts what it leaves out, so that no refusal is silent."""

    _said: Counter[tuple[str, Denial]] = field(default_factory=Counter)
    _until_s: float = -1e9

    def say(self, denied: Denied, now_s: float) -> None:
        """Log one refusal, or count it; by a clock that never goes back."""
        self.sum_up(now_s)
        each = (denied.source, denied.reason)
        self._said[each] += 1
        if self._said[each] <= LINES:
            log.warning("refused a sender: %s", denied.reason, extra=_extras(*each, denied.site))

    def sum_up(self, now_s: float) -> None:
        """At the end of a window say how many it left out, and begin another."""
        if now_s < self._until_s:
            return
        for each, n in self._said.items():
            if n > LINES:
                extras = _extras(*each)
                log.warning(
                    "refused senders, and logged only the first: %s", each[1], extra=extras | {"more": n - LINES}
                )
        self._said.clear()
        self._until_s = now_s + WINDOW_S


def _extras(source: str, reason: Denial, site: str = "") -> dict[str, str | int]:
    """What a line says beside its words."""
    told = {"source": source, "reason": str(reason)}
    if site:
        told["site"] = site if len(site) <= SITE_CHARACTERS and _SITE.fullmatch(site) else "(no name of a site)"
    return dict(told)
