"""The formats of logs, one small file each, and how a log's own is found. No I/O, no rules.

parsing.py       what a format is, and what several of them share: times, escapes, request lines
clf.py           Apache and nginx: common, combined, with virtual host; Traefik's own kind of it
objects.py       a line that is a JSON object
nginx_json.py    nginx as JSON
caddy.py         Caddy
traefik_json.py  Traefik as JSON
alb.py           AWS Application Load Balancer
w3c.py           IIS and others, CloudFront
ndjson.py        Plausible's bodies, one a line
csv_events.py    a table of events
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relay.replay.formats.alb import ALB
from relay.replay.formats.caddy import CADDY
from relay.replay.formats.clf import COMBINED, COMMON, TRAEFIK, VHOST_COMBINED
from relay.replay.formats.csv_events import CSV
from relay.replay.formats.ndjson import NDJSON
from relay.replay.formats.nginx_json import NGINX_JSON
from relay.replay.formats.parsing import Format, Unread
from relay.replay.formats.traefik_json import TRAEFIK_JSON
from relay.replay.formats.w3c import CLOUDFRONT, W3C

_IN_ORDER: Final = (
    TRAEFIK,
    VHOST_COMBINED,
    COMBINED,
    COMMON,
    CADDY,
    TRAEFIK_JSON,
    NGINX_JSON,
    ALB,
    CLOUDFRONT,
    W3C,
    NDJSON,
    CSV,
)
FORMATS: Final[dict[str, Format]] = {format_.name: format_ for format_ in _IN_ORDER}
"""By name. Where as many lines fit several, the first of them is meant."""
_A_HIT: Final = 100  # weighs more than any number of headers among the first lines


def detect(lines: Sequence[bytes]) -> Format | None:
    """The format that fits most of a log's first lines, which are not blank; None if none fits any."""
    best, most = None, 0
    for format_ in FORMATS.values():
        parse = format_.parser()
        fits = sum(_weight(parse(line)) for line in lines)
        if fits > most:
            best, most = format_, fits
    return best


def _weight(read: object) -> int:
    if not isinstance(read, Unread):
        return _A_HIT
    return 1 if read is Unread.NO_REQUEST else 0
