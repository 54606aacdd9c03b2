"""A dead letter as it is told: brief, with nothing of a person, or whole, so that nothing of the event is missing."""

from base64 import b64encode
from typing import Any

import orjson

from relay.cli.operating import when
from relay.queue.dead import DeadLetter


def brief(letter: DeadLetter) -> dict[str, Any]:
    """What may be shown without care: nothing of a person."""
    fields = _fields(letter)
    return {
        "name": letter.name,
        "died": when(letter.died_ms),
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "site": None if letter.event is None else letter.event.site,
        "event": fields.get("n") or fields.get("name"),
    }


def whole(letter: DeadLetter) -> dict[str, Any]:
    """Everything that is kept of it. What is no UTF-8 stands in base64, under its name with `_base64`."""
    told = brief(letter) | {"first_failed": letter.first_failed_ms and when(letter.first_failed_ms)}
    event = letter.event
    if event is None:
        return told | {"stored_base64": b64encode(letter.form).decode()}
    told |= {"accepted": when(event.accepted_ms), "ip": event.ip}
    if event.occurred_ms is not None:
        told |= {"occurred": when(event.occurred_ms)}
    told |= {"user_agent": None} if event.user_agent is None else _lossless("user_agent", event.user_agent)
    return told | _lossless("body", event.body) | {"revenue": event.revenue, "engagement": event.engagement}


def _lossless(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(data).decode()}


def _fields(letter: DeadLetter) -> dict[str, Any]:
    try:
        return dict(orjson.loads(letter.event.body)) if letter.event else {}
    except (ValueError, TypeError):
        return {}
