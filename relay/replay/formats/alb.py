"""AWS Application Load Balancer's access log. It has the whole URL, and no referrer.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from __future__ import annotations

import re
from typing import Final

from relay.replay.formats.clf import QUOTED
from relay.replay.formats.parsing import Format, Unread, given, iso_ms, request_of, text_of, unescaped, unread
from relay.replay.hit import Hit

# type, time, balancer, client:port, target:port, three times, two statuses, two sizes, request, agent
_LINE = re.compile(
    rb"(?:https?|h2|grpcs|wss?) (\S++) \S++ (\S+):\d++ \S++ [\d.-]++ [\d.-]++ [\d.-]++ (\d{3}|-) \S++ \d++ \d++ "
    + QUOTED
    + rb" "
    + QUOTED
)
_URL = re.compile(r"(\w+)://([^/?#]*)(.*)", re.DOTALL)


def _parse(line: bytes) -> Hit | Unread:
    found = _LINE.match(line)
    if found is None:
        return unread(line)
    at, ip, status, request, user_agent = found.groups()
    method, target = request_of(unescaped(request))
    url = _URL.fullmatch(target)
    scheme, host, path = ("", "", target) if url is None else url.groups()
    agent = given(user_agent)
    return Hit(
        iso_ms(at.decode("ascii", "replace")),
        host,
        scheme if scheme in {"http", "https"} else "",
        path or "/",
        method,
        None if status == b"-" else int(status),
        text_of(ip).strip("[]"),
        None if agent is None else unescaped(agent),
        None,
    )


ALB: Final = Format("alb", 'https 2025-10-10T13:55:36.1Z app/… 203.0.113.9:2817 … "GET https://…"', lambda: _parse)
