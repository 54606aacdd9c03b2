"""Caddy's access log: JSON with the request inside. What else Caddy logs is no request."""

from __future__ import annotations

from typing import Final

from relay.replay.formats.objects import Fields, fields_of
from relay.replay.formats.parsing import Format, Unread, time_ms, unread
from relay.replay.hit import Hit


def _parse(line: bytes) -> Hit | Unread:
    fields = fields_of(line)
    if fields is None:
        return unread(line)
    request = fields.inner("request")
    path = request.text("uri")
    if not path or not request.text("method"):
        return Unread.NO_REQUEST if fields.text("level") and fields.text("msg") else Unread.MALFORMED
    agent, referrer = (_header(request, name) for name in ("User-Agent", "Referer"))
    return Hit(
        time_ms(fields.value("ts")),
        request.text("host"),
        "https" if request.members.get("tls") else "",
        path,
        request.text("method"),
        fields.number("status"),
        request.text("client_ip", "remote_ip", "remote_addr"),
        agent.raw("0"),
        referrer.text("0") or None,
    )


def _header(request: Fields, name: str) -> Fields:
    """The header's first line, as the member "0"."""
    value = request.inner("headers").value(name)
    return Fields({"0": value[0]} if isinstance(value, list) and value else {})


CADDY: Final = Format("caddy", '{"ts": …, "request": {"client_ip": …, "uri": …}, "status": 200}', lambda: _parse)
