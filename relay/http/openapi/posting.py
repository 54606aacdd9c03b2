"""The endpoints that take events, and the preflights of the browsers that post to them."""

from typing import Any, Final

from relay.http.batch import NDJSON
from relay.http.cors import IDEMPOTENCY_KEY, PREFLIGHT, REPLAYED, WARNING
from relay.http.events import BODY_LIMIT_BYTES
from relay.http.openapi.event import EVENT
from relay.http.openapi.item import ITEM
from relay.http.openapi.pieces import JSON, TEXT, Json, answer, named, parameter, response, schema
from relay.rules.batch import MAX_BATCH_BYTES, MAX_ITEMS

_KEYED: Final[list[Json]] = [{}, {"source": []}]
_EVENTS: Final = {"backend or app": EVENT["examples"][0], "browser": EVENT["examples"][1]}
_ITEM: Final[Json] = ITEM["examples"][0]
_LINES: Final[Json] = {"schema": schema("Batch") | {"minItems": 1}, "examples": named({"one a line": [_ITEM]})}


def _wrong(**errors: str) -> dict[str, Any]:
    return {"errors": {field: [message] for field, message in errors.items()}}


_POST_EVENT: Final[Json] = {
    "operationId": "postEvent",
    "tags": ["events"],
    "summary": "One event, as Plausible takes it",
    "description": "A 202 is given when the event is on disk. Send it again after 408, 429 and 503, with the same "
    f"`{IDEMPOTENCY_KEY}`; all other refusals stay what they are until something is changed.\n\n"
    "The body is JSON whatever its content type says.",
    "security": _KEYED,
    "parameters": [parameter(name) for name in ("User-Agent", "X-Forwarded-For", IDEMPOTENCY_KEY, "X-Debug-Request")],
    "requestBody": {
        "required": True,
        "description": f"At most {BODY_LIMIT_BYTES:,} bytes, not compressed.",
        "content": {kind: {"schema": schema("Event"), "examples": named(_EVENTS)} for kind in (JSON, TEXT)},
    },
    "responses": {
        "200": answer(
            "With `X-Debug-Request: true`: the address that would count. Nothing was kept.",
            {"type": "string"},
            kind=TEXT,
            examples={"address": "203.0.113.9"},
        ),
        "202": answer(
            "Kept, on disk.",
            {"type": "string", "const": "ok"},
            kind=TEXT,
            headers=("x-plausible-dropped", REPLAYED, WARNING),
        ),
        "400": answer(
            "The event is wrong: every wrong field is named. It will be refused again.",
            schema("Errors"),
            examples={"fields": _wrong(event_name="can't be blank: …", url="is required: …")},
        ),
        "401": response("NoKey"),
        "403": answer(
            "The source may not post for this site. Mend it before sending again.",
            schema("Errors"),
            examples={"site": _wrong(source='source "shop" may not post for "other.example": …')},
        ),
        "408": response("Incomplete"),
        "409": answer(
            f"This `{IDEMPOTENCY_KEY}` came with another body before. It will be refused again.",
            schema("Errors"),
            examples={"key": _wrong(idempotency_key="was sent with another body before: …")},
        ),
        "413": response("TooLarge"),
        "429": response("TooMany"),
        "503": response("Unavailable"),
    },
}

_POST_EVENTS: Final[Json] = {
    "operationId": "postEvents",
    "tags": ["events"],
    "summary": "Up to a thousand events at once",
    "description": f"At most {MAX_ITEMS:,} events and {MAX_BATCH_BYTES:,} bytes, inflated. Each has a verdict of its "
    "own, and what is fit is kept, whatever the others are. Once a relay has sources, nobody posts batches without a "
    "key.\n\n"
    "Keep the items whose verdict has `retry_after_s`, and all after 408, 429 and 503; send them again with the same "
    "`id`.",
    "security": _KEYED,
    "parameters": [parameter(name) for name in ("User-Agent", "X-Forwarded-For", "Content-Encoding", IDEMPOTENCY_KEY)],
    "requestBody": {
        "required": True,
        "description": "An array, or one event a line. What is not called NDJSON is read by its first character.",
        "content": {JSON: {"schema": schema("Batch"), "examples": named({"one event": [_ITEM]})}}
        | dict.fromkeys(sorted(NDJSON), _LINES),
    },
    "responses": {
        "202": answer(
            "A verdict for each item.",
            schema("Verdicts"),
            examples={
                "one of each": {
                    "accepted": 1,
                    "duplicates": 0,
                    "refused": 1,
                    "events": [
                        {"index": 0, "status": "accepted", "errors": {}, "warnings": []},
                        {"index": 1, "status": "refused", "errors": {"url": ["is required: …"]}, "warnings": []},
                    ],
                }
            },
        ),
        "400": response("Unreadable"),
        "401": response("NoKey"),
        "408": response("Incomplete"),
        "413": response("TooLarge"),
        "415": response("UnknownCoding"),
        "429": response("TooMany"),
        "503": response("Unavailable"),
    },
}


def _preflight(name: str) -> Json:
    asked = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
    beyond = [header for header in PREFLIGHT if header != "Access-Control-Allow-Origin"]
    return {
        "operationId": name,
        "tags": ["events"],
        "summary": "The preflight of a browser",
        "parameters": [parameter(header) for header in asked],
        "responses": {"204": answer("As Plausible's.", None, headers=beyond)},
    }


POSTING: Final[Json] = {
    "/api/event": {"post": _POST_EVENT, "options": _preflight("preflightEvent")},
    "/api/events": {"post": _POST_EVENTS, "options": _preflight("preflightEvents")},
}
