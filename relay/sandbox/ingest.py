"""How Plausible reads a request: the body by its content type, the client's address, and who is dropped.

The rules of the body are `relay.rules.event`; here stands what is Plausible's own and not the relay's, above all its
naive choice of the address, which validates nothing (contract section 2). No I/O; the clock is an argument.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

import orjson

from relay.rules.bots import looks_like_bot
from relay.rules.document import MAX_BODY_BYTES
from relay.rules.event import Event, Refused, Validation, parse_event
from relay.sandbox.record import Arrival, RawHeaders

SESSION_GAP_S: Final = 30 * 60
"""How long a visitor may pause within one session (contract section 5)."""

_SESSIONS_KEPT: Final = 100_000
_PORT: Final = re.compile(r"(?:\.\d+|\])(:\d+)$")
_FORWARDED_FOR: Final = re.compile(r"for=([^;,]+)")
_IP_HEADERS: Final = ("x-plausible-ip", "cf-connecting-ip", "b-forwarded-for", "x-forwarded-for", "forwarded")


class Drop(StrEnum):
    """Why an event is dropped. All but the last are Plausible's own reasons (contract section 3)."""

    NOT_FOUND = "not_found"
    DC_IP = "dc_ip"
    THREAT_IP = "threat_ip"
    BOT = "bot"
    NO_SESSION = "no_session_for_engagement"
    INJECTED = "injected"


@dataclass(frozen=True, slots=True)
class Bare:
    """A refusal from before Plausible's own code: a status and no errors."""

    status: int


def header(headers: RawHeaders, name: str) -> bytes | None:
    """Return the value of the first header of that name (lower case), or None."""
    wanted = name.encode("ascii")
    return next((value for key, value in headers if key.lower() == wanted), None)


def address_of(peer: str, headers: RawHeaders) -> str:
    """Return the client IP as Plausible chooses it: first header that is not empty, leftmost member, not validated."""
    for name in _IP_HEADERS:
        value = (header(headers, name) or b"").decode("latin-1").strip()
        if not value:
            continue
        match name:
            case "x-plausible-ip" | "cf-connecting-ip":
                return _without_port(value)
            case "forwarded":
                found = _FORWARDED_FOR.search(value)
                if found:
                    return _without_port(found[1].strip().strip('"'))
            case _:
                return _without_port(value.partition(",")[0].strip())
    return peer


def _without_port(address: str) -> str:
    """Remove `:55` behind an IPv4 address or a bracket, then the brackets; a bare IPv6 address stays whole."""
    port = _PORT.search(address)
    bare = address[: port.start(1)] if port else address
    return bare.lstrip("[").rstrip("]")


def read_event(content_type: str, body: bytes) -> Event | Refused | Bare:
    """Read a body as Plausible does for its content type: what Plug parses itself is refused without a word."""
    kind = content_type.partition(";")[0].strip().lower()
    too_large = len(body) > MAX_BODY_BYTES
    if kind.startswith("application/") and (kind == "application/json" or kind.endswith("+json")):
        return Bare(413) if too_large else _read_parsed_json(body)
    if kind == "application/x-www-form-urlencoded" or kind.startswith("multipart/"):
        return Bare(413) if too_large else _read_form(kind, body)
    if too_large:
        return Refused(400, {"request": ["Unable to parse request body as json"]})
    return parse_event(body, Validation.PLAUSIBLE)


def _read_parsed_json(body: bytes) -> Event | Refused | Bare:
    """Plug parses this type ahead of the event code: a list or scalar leaves no field, and so does an empty body."""
    if not body:
        return parse_event(b"{}", Validation.PLAUSIBLE)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Bare(400)
    return parse_event(body if isinstance(given, dict) else b"{}", Validation.PLAUSIBLE)


def _read_form(kind: str, body: bytes) -> Event | Refused:
    """Read a form's flat fields, the last of a name counts. What `curl -d` sends has none of an event's fields."""
    fields: dict[str, str] = {}
    if kind == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return parse_event(orjson.dumps(fields), Validation.PLAUSIBLE)


def accepts_json(headers: RawHeaders) -> bool:
    """Whether the Accept header lets Plausible answer at all; without one it does (contract section 2)."""
    value = header(headers, "accept")
    if value is None:
        return True
    kinds = {part.partition(";")[0].strip().lower() for part in value.decode("latin-1").split(",")}
    return not kinds.isdisjoint({"*/*", "application/json"})


class Sessions:
    """Who was here within the last half hour: (User-Agent, IP, site) and when."""

    __slots__ = ("_last_s",)

    def __init__(self) -> None:
        self._last_s: OrderedDict[tuple[bytes | None, str, str], float] = OrderedDict()

    def is_live(self, arrival: Arrival, site: str) -> bool:
        """Whether the visitor has a session on the site."""
        last_s = self._last_s.get((arrival.user_agent, arrival.ip, site))
        return last_s is not None and arrival.at_s - last_s <= SESSION_GAP_S

    def touch(self, arrival: Arrival, site: str) -> None:
        """Begin or prolong the visitor's session on the site."""
        key = (arrival.user_agent, arrival.ip, site)
        self._last_s[key] = arrival.at_s
        self._last_s.move_to_end(key)
        if len(self._last_s) > _SESSIONS_KEPT:
            self._last_s.popitem(last=False)

    def clear(self) -> None:
        """End all sessions."""
        self._last_s.clear()


def admit(event: Event, arrival: Arrival, known_sites: frozenset[str] | None, sessions: Sessions) -> Mapping[str, Drop]:
    """Return the sites that drop the event and why, in Plausible's order of checks; sessions live on at the rest."""
    by_request = _dropped_by_request(arrival)
    dropped: dict[str, Drop] = {}
    for site in event.sites:
        if not site or (known_sites is not None and site not in known_sites):  # an empty part of a list is no site
            dropped[site] = Drop.NOT_FOUND
        elif by_request is not None:
            dropped[site] = by_request
        elif event.name == "engagement" and not sessions.is_live(arrival, site):
            dropped[site] = Drop.NO_SESSION
        else:
            sessions.touch(arrival, site)
    return dropped


def _dropped_by_request(arrival: Arrival) -> Drop | None:
    match header(arrival.headers, "x-plausible-ip-type"):
        case b"dc_ip":
            return Drop.DC_IP
        case b"threat_ip":
            return Drop.THREAT_IP
        case _:
            return Drop.BOT if looks_like_bot(arrival.user_agent) else None
