"""Which hit becomes which event: the user's rules in their order, then what is usual. Pure, like relay.rules.

The first rule that fits decides. What is usual: GET and HEAD, answered 2xx or 304, of something that looks like a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from relay.replay.defaults import METHODS, bot_or_not, page_or_not
from relay.replay.hit import Hit
from relay.replay.outcomes import LeftOut
from relay.replay.page import PAGEVIEW


def statuses(*written: str) -> frozenset[int]:
    """All of `2xx`, `304` and the like."""
    found = set[int]()
    for one in written:
        hundred = int(one[0]) * 100
        found |= set(range(hundred, hundred + 100)) if one.endswith("xx") else {int(one)}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Made:
    """The event that a rule asks for. Values of props are texts; one that is empty is not sent."""

    name: str = PAGEVIEW
    props: Mapping[str, str] = field(default_factory=dict)
    revenue: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the user's. What is None is not looked at, nor a status that the log does not tell.

    `leave_out`: it makes no event. `bots`: those of bots, too. `props` and `revenue` are templates: `{path}`, `{host}`,
    `{query.x}`, `{1}` and `{name}` of the path's expression.
    """

    name: str
    path: re.Pattern[str] | None = None
    query: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    methods: frozenset[str] | None = None
    status: frozenset[int] | None = None
    agent: re.Pattern[bytes] | None = None
    leave_out: bool = False
    event: str = PAGEVIEW
    props: Mapping[str, str] = field(default_factory=dict)
    revenue: Mapping[str, str] | None = None
    bots: bool = False

    def fits(self, hit: Hit) -> re.Match[str] | bool:
        """What the path's expression found, or whether all that is asked for is so."""
        path, _, query = hit.path.partition("?")
        if self.methods is not None and hit.method not in self.methods:
            return False
        if self.status is not None and hit.status is not None and hit.status not in self.status:
            return False
        found = None if self.path is None else self.path.fullmatch(path)
        if self.path is not None and found is None:
            return False
        if self.agent is not None and self.agent.search(hit.user_agent or b"") is None:
            return False
        if self.query:
            values = dict(parse_qsl(query, keep_blank_values=True))
            if not all(key in values and wanted.fullmatch(values[key]) for key, wanted in self.query.items()):
                return False
        return found or True

    def make(self, hit: Hit, found: re.Match[str] | bool) -> Made:  # noqa: FBT001 - what `fits` gave
        """The event, with the templates filled in."""
        fill = _filler(hit, found)
        props = {key: value for key, template in self.props.items() if (value := fill(template))}
        revenue = None if self.revenue is None else {key: fill(template) for key, template in self.revenue.items()}
        return Made(fill(self.event), props, revenue)


@dataclass(frozen=True, slots=True)
class Rules:
    """All of them. `usual`: which of the usual reasons to leave a line out are in force."""

    own: tuple[Rule, ...] = ()
    usual: frozenset[LeftOut] = frozenset({LeftOut.STATIC, LeftOut.HEALTH_CHECK, LeftOut.API, LeftOut.BOT})
    methods: frozenset[str] = METHODS
    status: frozenset[int] = statuses("2xx", "304")
    rates: Mapping[str, float] = field(default_factory=dict)
    """Events a second of a site."""

    def decide(self, hit: Hit) -> tuple[Made | str, str]:
        """The event or the reason why there is none, and the name of the rule that says so."""
        for rule in self.own:
            if found := rule.fits(hit):
                if rule.leave_out:
                    return f"rule:{rule.name}", rule.name
                if not rule.bots and LeftOut.BOT in self.usual and (reason := bot_or_not(hit.user_agent)):
                    return reason, "usual"
                return rule.make(hit, found), rule.name
        reason = self._usual(hit)
        return (_PAGEVIEW if reason is None else reason), "usual"

    def _usual(self, hit: Hit) -> LeftOut | None:
        if hit.method not in self.methods:
            return LeftOut.METHOD
        if hit.status is not None and hit.status not in self.status:
            return LeftOut.STATUS
        reason = page_or_not(hit.path.partition("?")[0])
        if reason is not None and reason in self.usual:
            return reason
        reason = bot_or_not(hit.user_agent)
        return reason if reason in self.usual else None


_PAGEVIEW: Final = Made()


_FIELD = re.compile(r"\{([A-Za-z_0-9.\-\[\]]+)\}")


def _filler(hit: Hit, found: re.Match[str] | bool) -> Callable[[str], str]:  # noqa: FBT001 - as above
    path, _, query = hit.path.partition("?")
    values = {"path": path, "host": hit.site, "method": hit.method, "status": str(hit.status or ""), "query": query}
    values |= {f"query.{key}": value for key, value in parse_qsl(query)}
    if isinstance(found, re.Match):
        values |= {str(number): text or "" for number, text in enumerate(found.groups(), 1)}
        values |= {name: text or "" for name, text in found.groupdict().items()}
    return lambda template: _FIELD.sub(lambda name: values.get(name[1], ""), template)
