"""nginx's log as JSON, under whatever names: those of its own variables, and the usual shorter ones."""

from __future__ import annotations

from typing import Final

from relay.replay.formats.objects import Fields, fields_of
from relay.replay.formats.parsing import NO_TIME, Format, Unread, clf_ms, request_of, time_ms, unread
from relay.replay.hit import Hit

_TIMES: Final = ("time_iso8601", "msec", "@timestamp", "timestamp", "time", "ts", "date")


def _parse(line: bytes) -> Hit | Unread:
    fields = fields_of(line)
    if fields is None:
        return unread(line)
    method, path = _request(fields)
    ip = fields.text("remote_addr", "client_ip", "remote_ip", "clientip", "ip", "client")
    if not path or not ip:
        return Unread.MALFORMED
    return Hit(
        _time(fields),
        fields.text("host", "http_host", "vhost", "server_name"),
        fields.text("scheme"),
        path,
        method,
        fields.number("status", "response", "status_code"),
        ip,
        fields.raw("http_user_agent", "user_agent", "agent"),
        fields.text("http_referer", "http_referrer", "referer", "referrer") or None,
    )


def _request(fields: Fields) -> tuple[str, str]:
    method, path = request_of(fields.text("request").encode())
    target = fields.text("request_uri", "uri", "path") or path
    query = fields.text("args", "query_string")
    if query and "?" not in target and not fields.text("request_uri"):
        target = f"{target}?{query}"
    return fields.text("request_method", "method", "verb") or method, target


def _time(fields: Fields) -> int:
    at_ms = time_ms(fields.value(*_TIMES))
    return at_ms if at_ms != NO_TIME else clf_ms(fields.text("time_local", "timestamp", "time").encode())


NGINX_JSON: Final = Format("nginx_json", '{"time_iso8601": …, "remote_addr": …, "request": …}', lambda: _parse)
