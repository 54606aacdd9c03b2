"""Traefik's access log as JSON. Headers are in it only if they are kept (accessLog.fields.headers)."""

from __future__ import annotations

from typing import Final

from relay.replay.formats.objects import fields_of
from relay.replay.formats.parsing import Format, Unread, time_ms, unread
from relay.replay.hit import Hit


def _parse(line: bytes) -> Hit | Unread:
    fields = fields_of(line)
    if fields is None:
        return unread(line)
    path, ip = fields.text("RequestPath"), fields.text("ClientHost", "ClientAddr")
    if not path or not ip:
        return Unread.MALFORMED
    return Hit(
        time_ms(fields.value("StartUTC", "StartLocal", "time")),
        fields.text("RequestHost", "RequestAddr"),
        fields.text("RequestScheme"),
        path,
        fields.text("RequestMethod"),
        fields.number("DownstreamStatus", "OriginStatus"),
        ip,
        fields.raw("request_User-Agent"),
        fields.text("request_Referer") or None,
    )


TRAEFIK_JSON: Final = Format("traefik_json", '{"ClientHost": …, "RequestPath": …, "StartUTC": …}', lambda: _parse)
