"""Made-up events as Plausible's known clients send them: the tracker's short keys, libraries' long ones, apps, servers.

Sites have their own pages, props and campaigns, and of each site come many events, as in life.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from typing import Any, Final

from load.dictionary.agents import agent
from load.dictionary.words import AUTOMATIC, LISTS, Words, words
from relay.queue.stored import StoredEvent

EVENTS_OF_A_SITE: Final = 12
BEGAN_MS: Final = 1_790_000_000_000
CURRENCIES: Final = ("USD", "USD", "EUR", "EUR", "GBP", "CHF", "CAD", "AUD", "SEK", "JPY")


def traffic(half: int, count: int, seed: int) -> Iterator[StoredEvent]:
    """So many events of that half of the words (see there); the same for the same seed."""
    chance = random.Random(f"{half} {seed}")
    newest = 138 + 8 * half
    site = Site(chance, words(half))
    for n in range(count):
        if n % EVENTS_OF_A_SITE == 0:
            site = Site(chance, words(half))
        yield site.event(chance, newest, BEGAN_MS + 137 * n)


class Site:
    """A site with habits."""

    def __init__(self, chance: random.Random, of: Words) -> None:
        self.words = of
        name = "".join(chance.sample(of.topics, 2)) if chance.random() < 0.7 else chance.choice(of.topics)  # noqa: PLR2004
        if chance.random() < 0.2:  # noqa: PLR2004
            name = "-".join(chance.sample(of.topics, 2))
        self.domain = f"{name}.{chance.choice(of.endings)}"
        self.host = ("www." if chance.random() < 0.3 else "") + self.domain  # noqa: PLR2004
        self.slash = chance.choice(("", "/"))
        self.props = chance.sample(of.props, 4)
        self.goals = chance.sample(of.events, min(4, len(of.events)))
        self.kind = chance.choices((self._tracker, self._library, self._app, self._server), (72, 12, 8, 8))[0]

    def event(self, chance: random.Random, newest: int, now_ms: int) -> StoredEvent:
        """One event of it."""
        told, tight = self.kind(chance)
        separators = (",", ":") if tight else (", ", ": ")
        body = json.dumps(told, separators=separators, ensure_ascii=False).encode()
        flags = "$" in told or "revenue" in told, told.get("n") == "engagement"
        return StoredEvent(self.domain, _address(chance), agent(chance, newest).encode(), body, now_ms, *flags)

    def _slug(self, chance: random.Random) -> str:
        return "-".join(chance.choices(self.words.slug, k=chance.randrange(2, 7)))

    def _path(self, chance: random.Random) -> str:
        section = chance.choice(self.words.sections)
        pages = [f"{section}/{self._slug(chance)}" for _ in range(2)]
        page = chance.choice(("", "", section, section, *pages))
        if chance.random() < 0.15:  # noqa: PLR2004
            page = f"{section}/{chance.randrange(10 ** chance.randrange(2, 8))}"
        return "/" + page + (self.slash if page else "")

    def _url(self, chance: random.Random) -> str:
        query, draw = "", chance.random()
        if draw < 0.15:  # noqa: PLR2004
            source, medium, campaign = chance.sample(self.words.campaigns, 3)
            query = f"?utm_source={source}"
            if chance.random() < 0.7:  # noqa: PLR2004
                query += f"&utm_medium={medium}&utm_campaign={campaign}"
        elif draw < 0.22:  # noqa: PLR2004
            query = "?" + chance.choice(("ref=", "q=", "page=", "id=", "gclid=", "fbclid=", "lang=", "s=", "v="))
            query += chance.choice((chance.choice(self.words.values), str(chance.randrange(1_000)), _token(chance)))
        return f"https://{self.host}{self._path(chance)}{query}"

    def _referrer(self, chance: random.Random) -> str | None:
        draw = chance.random()
        if draw < 0.35:  # noqa: PLR2004
            return None
        if draw < 0.65:  # noqa: PLR2004
            return chance.choice(LISTS["referrers"])
        if draw < 0.9:  # noqa: PLR2004
            return f"https://{self.host}{self._path(chance)}"
        host = f"{chance.choice(self.words.topics)}{chance.choice(self.words.topics)}"
        return f"https://{host}.{chance.choice(self.words.endings)}/"

    def _some_props(self, chance: random.Random, *, text: bool) -> dict[str, Any]:
        values: list[Any] = [
            chance.choice(self.words.values),
            chance.choice(self.words.values),
            self._slug(chance).replace("-", " "),
            str(chance.randrange(100)) if text else chance.randrange(100),
            str(chance.random() < 0.5).lower() if text else chance.random() < 0.5,  # noqa: PLR2004
        ]
        return {prop: chance.choice(values) for prop in self.props[: chance.randrange(1, 5)]}

    def _tracker(self, chance: random.Random) -> tuple[dict[str, Any], bool]:
        """Plausible's script and its npm package."""
        told: dict[str, Any] = {"n": "pageview"}
        draw = chance.random()
        if draw < 0.3:  # noqa: PLR2004
            told = {"n": "engagement", "sd": chance.randrange(101)}
        elif draw < 0.45:  # noqa: PLR2004
            told = {"n": chance.choice((*self.goals, *AUTOMATIC))}
        if chance.random() < 0.8:  # noqa: PLR2004
            told["v"] = chance.choice((1, 10, 16, 24, 31, 36))
        told |= {"u": self._url(chance), "d": self.domain}
        if told["n"] == "engagement":
            props = {"p": self._some_props(chance, text=True)} if chance.random() < 0.3 else {}  # noqa: PLR2004
            return told | props | {"e": chance.randrange(200, 90_000)}, True
        told["r"] = self._referrer(chance)
        self._more(chance, told)
        return told, True

    def _more(self, chance: random.Random, told: dict[str, Any]) -> None:
        """What the tracker's events have beside."""
        if told["n"] in AUTOMATIC[:2]:
            host = f"{chance.choice(self.words.topics)}.{chance.choice(self.words.endings)}"
            told["p"] = {"url": f"https://{host}{self._path(chance)}"}
        elif told["n"] == "404":
            told["p"] = {"path": self._path(chance)}
        elif chance.random() < (0.25 if told["n"] == "pageview" else 0.7):
            told["p"] = self._some_props(chance, text=chance.random() < 0.8)  # noqa: PLR2004
        if told["n"] != "pageview" and chance.random() < 0.15:  # noqa: PLR2004
            told["$"] = _revenue(chance)
        if chance.random() < 0.1:  # noqa: PLR2004
            told["h"] = 1
        if told["n"] != "pageview" and chance.random() < 0.1:  # noqa: PLR2004
            told["i"] = False

    def _library(self, chance: random.Random) -> tuple[dict[str, Any], bool]:
        """A library on a server that passes visits on."""
        named = {"name": chance.choice(("pageview", "pageview", *self.goals)), "domain": self.domain}
        told: dict[str, Any] = named | {"url": self._url(chance), "referrer": self._referrer(chance) or ""}
        if chance.random() < 0.4:  # noqa: PLR2004
            told["props"] = self._some_props(chance, text=False)
        if chance.random() < 0.2:  # noqa: PLR2004
            told["screen_width"] = chance.choice((0, 360, 390, 411, 768, 1_280, 1_440, 1_920))
        return told, self.slash == ""

    def _app(self, chance: random.Random) -> tuple[dict[str, Any], bool]:
        """An app, whose pages are its screens."""
        screens = (f"app://localhost/{chance.choice(self.words.sections)}", f"app://{self.domain}{self._path(chance)}")
        url = chance.choice(screens)
        told: dict[str, Any] = {"domain": self.domain, "name": chance.choice(("pageview", *self.goals)), "url": url}
        if chance.random() < 0.5:  # noqa: PLR2004
            told |= {
                "referrer": chance.choice(("", "app://localhost/")),
                "screen_width": chance.choice((390, 393, 411, 430)),
            }
        told["props"] = self._some_props(chance, text=True) if chance.random() < 0.7 else {}  # noqa: PLR2004
        return told, True

    def _server(self, chance: random.Random) -> tuple[dict[str, Any], bool]:
        """A shop's or a service's own code."""
        named = {"name": chance.choice(self.goals), "url": self._url(chance), "domain": self.domain}
        told: dict[str, Any] = named | {"props": self._some_props(chance, text=False)}
        if chance.random() < 0.5:  # noqa: PLR2004
            told["revenue"] = _revenue(chance)
        return told, self.slash != ""


def _token(chance: random.Random) -> str:
    length = chance.randrange(8, 60)
    return "".join(chance.choices(string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_", k=length))


def _revenue(chance: random.Random) -> dict[str, Any]:
    price = f"{chance.randrange(300)}.{chance.choice(('00', '90', '95', '99', '50'))}"
    amount = chance.choice((price, chance.randrange(1, 500)))
    pair = [("amount", amount), ("currency", chance.choice(CURRENCIES))]
    return dict(pair if chance.random() < 0.5 else reversed(pair))  # noqa: PLR2004


def _address(chance: random.Random) -> str:
    if chance.random() < 0.25:  # noqa: PLR2004
        words_ = [0x2A00 + chance.randrange(0x0B00), *(chance.randrange(1, 0x10000) for _ in range(7))]
        return ":".join(f"{word:x}" for word in words_)
    return f"{chance.randrange(11, 223)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
