"""What is sent beside the body: the headers that the door reads, and the keys that open it."""

from typing import Final

from relay.http.cors import IDEMPOTENCY_KEY
from relay.http.inflating import CODINGS
from relay.http.openapi.pieces import PRINTABLE, Json
from relay.rules.idempotency import MAX_CHARACTERS


def _header(name: str, description: str, of: Json, example: str) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": of, "example": example}


_TEXT: Final[Json] = {"type": "string", "pattern": PRINTABLE}

PARAMETERS: Final[Json] = {
    each["name"]: each
    for each in (
        _header(
            "User-Agent",
            "The visitor's own, byte for byte: with the address and the site it is who the visitor is. Believed from "
            "everybody, as there is no other.",
            _TEXT,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
        ),
        _header(
            "X-Forwarded-For",
            "The visitor's address. Believed from a source that may speak for its visitors, which has to send it, and "
            "from trusted proxies; from everybody else the connection's own address counts. From these "
            "`X-Plausible-IP`, `B-Forwarded-For`, `Forwarded` and `CF-Connecting-IP` are read as well.",
            _TEXT,
            "203.0.113.9",
        ),
        _header(
            IDEMPOTENCY_KEY,
            "The same key is one event, for a day unless the operator says otherwise, of the same source and site. "
            "Repeat an event with the very same bytes. In quotes it is another key than without. That of a batch, with "
            "its place, is the key of each item without an `id`.",
            _TEXT | {"maxLength": MAX_CHARACTERS},
            "3f0c8f0e-6d5b-4a38-9d3e-0f3a4c1f2b7d",
        ),
        _header(
            "X-Debug-Request",
            "`true`: tell the address that would count, and keep nothing.",
            {"type": "string", "enum": ["true", "false"]},
            "true",
        ),
        _header(
            "Content-Encoding",
            "How the batch is compressed; nothing if it is not. Single events can't be, as Plausible does not inflate.",
            {"type": "string", "enum": [*CODINGS.split(", "), "identity"]},
            "gzip",
        ),
        _header("Origin", "The page that asks.", _TEXT, "https://example.com"),
        _header("Access-Control-Request-Method", "What it would use.", {"type": "string", "enum": ["POST"]}, "POST"),
        _header(
            "Access-Control-Request-Headers",
            f"What the page would send; `{IDEMPOTENCY_KEY}` and `Content-Encoding` are allowed to who asks for them.",
            _TEXT,
            "content-type,idempotency-key",
        ),
    )
}

SECURITY_SCHEMES: Final[Json] = {
    "source": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key of a source (`relay source add`), `prk_…`. A relay without sources takes events from "
        "anybody and does not look at it; one with a web source takes single events of its sites without a key.",
    },
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "RELAY_ADMIN_KEY, or as the password of Basic. None is needed on loopback.",
    },
}
