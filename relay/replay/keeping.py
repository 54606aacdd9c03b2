"""One line becomes the event that counts, or the reason why it does not: format, rules, then site, scheme and visitor.

Pure. Its results know no age limit: those of `relay replay` are in `admitting`, and history for an import has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relay.replay.formats.parsing import Parse, Unread
from relay.replay.hit import Hit
from relay.replay.outcomes import LeftOut, Reason, Refusal
from relay.replay.page import Kept
from relay.replay.ready import kept_of
from relay.replay.rules import Made, Rules
from relay.replay.who import bare, nobody
from relay.rules.domain import site_in

_NO_URL = re.compile(r"[^\x21-\x7e]+")
_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_PORT = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Place:
    """What `--site` and `--scheme` say. The site of an event is `site` if given; its URL's host is the log's own."""

    site: str = ""
    scheme: str = "https"


@dataclass(frozen=True, slots=True)
class Keeper:
    """Reads lines of one log."""

    parse: Parse
    rules: Rules
    place: Place

    def keep(self, line: bytes) -> Kept | str | Refusal:
        """The event, the reason why the line is left out (LeftOut or `rule:<name>`), or why it is refused."""
        hit = self.parse(line)
        if isinstance(hit, Refusal):
            return hit
        if not isinstance(hit, Hit):
            return LeftOut.NO_REQUEST if hit is Unread.NO_REQUEST else _MALFORMED
        if hit.body is not None:
            return kept_of(hit, self.place.site)
        made, _ = self.rules.decide(hit)
        return self.place_of(hit, made) if isinstance(made, Made) else made

    def place_of(self, hit: Hit, made: Made) -> Kept | Refusal:
        """The event of this visitor on this site."""
        scheme, host, path = _parts(hit)
        site = self.place.site or site_in(host)
        if not site:
            return _NO_SITE
        ip = bare(hit.ip)
        if refusal := nobody(ip, hit.user_agent):
            return refusal
        url = f"{scheme or self.place.scheme}://{host or site}{path}"
        return Kept(hit.at_ms, site, ip, hit.user_agent, made.name, url, hit.referrer, made.props, made.revenue)


def _parts(hit: Hit) -> tuple[str, str, str]:
    """Scheme, host in lower case and without port, path; a proxy's request line has them all in one."""
    scheme, host, path = hit.scheme, hit.site, hit.path
    if not path.startswith("/") and (absolute := _ABSOLUTE.match(path)):
        scheme, host, path = absolute[1].lower(), absolute[2], path[absolute.end() :] or "/"
    if _NO_URL.search(path):
        path = _NO_URL.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), path)
    return scheme, (_PORT.sub("", host) if ":" in host else host).lower(), path


_MALFORMED: Final = Refusal(Reason.MALFORMED, "no line of this log's format")
_NO_SITE: Final = Refusal(Reason.NO_SITE, "the line names no host: give the site with --site")
