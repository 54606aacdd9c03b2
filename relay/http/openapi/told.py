"""What is answered: headers, bodies, and the refusals that both endpoints for events share."""

from typing import Final

from relay.http.connections import SERVER
from relay.http.cors import ANY_ANSWER, PREFLIGHT, REPLAYED, WARNING
from relay.http.intake import BODY_WITHIN_S
from relay.http.openapi.pieces import PRINTABLE, Json, answer, schema
from relay.http.scripts import PASSED_ON
from relay.http.verdicts import Status


def _header(description: str, of: Json, *, always: bool = True) -> Json:
    return {"description": description, "required": always, "schema": of}


def _one(value: str) -> Json:
    return {"type": "string", "const": value}


HEADERS: Final[Json] = {
    **{
        name: _header("Plausible's CORS.", _one(value))
        for name, value in (ANY_ANSWER | PREFLIGHT).items()
        if name not in {"Access-Control-Expose-Headers", "Access-Control-Allow-Headers"}
    },
    "Access-Control-Expose-Headers": _header(
        "The relay's own headers of this answer, for pages to read.",
        {"type": "string", "enum": ["", REPLAYED, WARNING, f"{REPLAYED},{WARNING}"]},
    ),
    "Access-Control-Allow-Headers": _header(
        "Plausible's list, and what of the relay's was asked for.", {"type": "string"}
    ),
    "Server": _header("Whose answer it is.", _one(SERVER)),
    "Retry-After": _header("In how many seconds to send it again.", {"type": "integer", "minimum": 1}),
    **{name: _header("Plausible's own.", _one(value)) for name, value in PASSED_ON.items()},
    "Cache-Control": _header("For how long it may be kept.", {"type": "string"}),
    "ETag": _header("Names this very script.", {"type": "string"}),
    "WWW-Authenticate": _header("Which key is wanted.", {"type": "string"}),
    "Accept-Encoding": _header("What is inflated here.", {"type": "string"}),
    "x-plausible-dropped": _header(
        "For how many of its sites the event was not kept; with `validation = plausible` only.",
        {"type": "integer", "minimum": 1},
        always=False,
    ),
    REPLAYED: _header("This event was kept before, and was not again.", _one("true"), always=False),
    WARNING: _header(
        "What Plausible will ignore, cut or drop without a word. Several times if there are several.",
        {"type": "string", "pattern": PRINTABLE},
        always=False,
    ),
}

_MESSAGES: Final[Json] = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}

SCHEMAS: Final[Json] = {
    "Errors": {
        "type": "object",
        "required": ["errors"],
        "properties": {"errors": {"type": "object", "minProperties": 1, "additionalProperties": _MESSAGES}},
        "description": "What is wrong, by field, all of it at once. Plausible's fields `event_name`, `url`, `domain`, "
        "`props`, `hash_mode`, `request`, and the relay's `revenue`, `idempotency_key`, `source`, `ip`; in a batch "
        "`id`, `user_agent`, `device`, `occurred_at` as well.",
    },
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    "Verdicts": {
        "type": "object",
        "required": ["accepted", "duplicates", "refused", "events"],
        "properties": {
            "accepted": _COUNT,
            "duplicates": _COUNT,
            "refused": _COUNT,
            "events": {"type": "array", "items": schema("Verdict")},
        },
        "description": "How many items became what, and a verdict for each, in their order.",
    },
    "Verdict": {
        "type": "object",
        "required": ["index", "status", "errors", "warnings"],
        "properties": {
            "index": _COUNT,
            "status": {
                "enum": [str(status) for status in Status],
                "description": "`accepted`: it is on disk. `duplicate`: it was before. `refused`: it was not kept.",
            },
            "errors": {
                "type": "object",
                "additionalProperties": _MESSAGES,
                "description": "Why it was refused, as for a single event; empty if it was not.",
            },
            "warnings": {"type": "array", "items": {"type": "string"}},
            "retry_after_s": {
                "type": "integer",
                "minimum": 1,
                "description": "Refused for the moment only: send it again, unchanged, in so many seconds. Without it "
                "a refused item will be refused again.",
            },
        },
    },
}


def _refusal(description: str, field: str, message: str, *headers: str) -> Json:
    return answer(description, schema("Errors"), headers=headers, examples={field: {"errors": {field: [message]}}})


RESPONSES: Final[Json] = {
    "NoKey": _refusal(
        "No key, or none of this relay. Mend it before sending again.",
        "source",
        "the key is none of this relay, or no longer: send the key of a source as Authorization: Bearer prk_…",
        "WWW-Authenticate",
    ),
    "Incomplete": _refusal(
        "The body did not arrive in time; the connection ends. Send it again.",
        "request",
        f"the body did not arrive whole within {BODY_WITHIN_S:g} s",
    ),
    "TooLarge": _refusal("Too large; the connection ends. It will be again.", "request", "too large: …"),
    "TooMany": _refusal(
        "More than the source or the address may send; nothing was kept. Send it again after `Retry-After`.",
        "request",
        'too many events of source "shop", at most 50 a second and 500 at once: send it again in 3 s',
        "Retry-After",
    ),
    "Unavailable": _refusal(
        "The relay can't keep it now, or does not know whether it did. Send it again after `Retry-After`, unchanged "
        "and with the same key, which makes it safe.",
        "request",
        "not kept, please send it again: queue: no connection",
        "Retry-After",
    ),
    "Unreadable": _refusal(
        "The batch can't be read; nothing of it was kept, and it will not be.",
        "request",
        "the body is empty: send an array of events, or one event a line (NDJSON)",
    ),
    "UnknownCoding": _refusal(
        "A `Content-Encoding` that is not inflated here; the connection ends.",
        "request",
        "the Content-Encoding 'br' is unknown here: send gzip, deflate, zstd, one of them, or none",
        "Accept-Encoding",
    ),
}
