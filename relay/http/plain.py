"""The plain items of a batch: usual events of one site each, which their sender may post without asking for a limit.

Of such an item nothing is to be decided, and nothing to be said: the event that is kept is all that is made of it.
Whatever else there is in a batch is for `judging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from relay.http.intake import Sender
from relay.queue.stored import StoredEvent
from relay.rules.source import Denied, Source, responsible
from relay.rules.usual_items import read_usual_items
from relay.rules.warnings import of_visitor


def has_plain_items(sender: Sender) -> bool:
    """Whether an item that names no visitor may be one of the sender's: of his own he is told nothing."""
    return not (sender.forgot or of_visitor(sender.visitor))


def plain_events(items: Sequence[bytes], sender: Sender, now_ms: int) -> list[StoredEvent] | None:
    """What is kept of the items, in their order; None if one of them is not plain. Of a sender who has such."""
    read = read_usual_items(items)
    if read is None or not all(may_come(sender.source, site) for site in set(read.sites)):
        return None
    ip, agent = sender.visitor.ip, sender.visitor.user_agent
    told = zip(read.sites, repeat(ip), repeat(agent), items, repeat(now_ms), read.sales, read.engagements, repeat(None))
    return list(map(tuple.__new__, repeat(StoredEvent), told))  # in a third of the time that calls of the class take


def may_come(source: Source, site: str) -> bool:
    """Whether the source may post for the one site now; to ask for a limit is to wait."""
    answers = source if source.kind is None else responsible(source, (site,))
    if isinstance(answers, Denied) or answers.rate is not None or answers.address_rate is not None:
        return False
    return site in answers.sites
