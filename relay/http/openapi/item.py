"""What an event may say in a batch beside what it says alone, as JSON Schema. The rules are in relay/rules/item.py."""

from typing import Final

from relay.http.openapi.event import ENGAGEMENT, PROPERTIES, REQUIRED
from relay.http.openapi.pieces import PRINTABLE, Json, schema
from relay.rules.batch import MAX_ITEMS
from relay.rules.device import MAX_CHARACTERS as MAX_DEVICE_CHARACTERS
from relay.rules.idempotency import MAX_CHARACTERS as MAX_KEY_CHARACTERS
from relay.rules.item import MAX_AGENT_BYTES

PHONES: Final = ("iOS", "iPadOS", "Android", "watchOS")
COMPUTERS: Final = ("macOS", "Windows", "Linux", "ChromeOS")
SCREENS: Final = ("Android TV", "tvOS", "Tizen", "webOS")

BATCH: Final[Json] = {
    "type": "array",
    "maxItems": MAX_ITEMS,
    "items": schema("Item"),
    "description": "Events in their order.",
}

ITEM: Final[Json] = {
    "type": "object",
    "description": "An event as alone, and the relay's own keys, which do not go to Plausible.",
    "properties": PROPERTIES
    | {
        "id": {
            "type": "string",
            "pattern": PRINTABLE,
            "maxLength": MAX_KEY_CHARACTERS,
            "description": "As `Idempotency-Key` for a single event: the same id and the same bytes are one event.",
            "examples": ["3f0c8f0e-6d5b-4a38-9d3e-0f3a4c1f2b7d"],
        },
        "ip": {
            "anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}],
            "description": "The visitor's address; counts from a source that may speak for its visitors.",
            "examples": ["203.0.113.9"],
        },
        "user_agent": {
            "type": "string",
            "pattern": PRINTABLE,
            "maxLength": MAX_AGENT_BYTES,
            "description": "The visitor's User-Agent; counts from a source that may speak for its visitors.",
            "examples": ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"],
        },
        "device": schema("Device"),
        "occurred_at": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened (RFC 3339): since 2018, and at most five minutes ahead of the relay's "
            "clock. For the relay's own age rules: Plausible books an event when it arrives.",
            "examples": ["2026-11-25T21:04:05.678Z"],
        },
    },
    "anyOf": REQUIRED,
    "allOf": ENGAGEMENT,
    "examples": [
        {
            "id": "3f0c8f0e-6d5b-4a38-9d3e-0f3a4c1f2b7d",
            "name": "Signup",
            "url": "app://shop/welcome",
            "domain": "example.com",
            "occurred_at": "2025-11-25T21:04:05.678Z",
            "device": {"os": "iOS", "os_version": "18.1", "model": "iPhone17,1", "app": "Shop", "app_version": "3.2"},
        }
    ],
}

_TEXT: Final[Json] = {"type": "string", "maxLength": MAX_DEVICE_CHARACTERS}

DEVICE: Final[Json] = {
    "type": "object",
    "required": ["os"],
    "properties": {
        "os": {"enum": [*PHONES, *COMPUTERS, *SCREENS], "description": "Capitals and spaces do not matter."},
        "os_version": {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,6}){0,3}$", "examples": ["18.1"]},
        "model": _TEXT | {"examples": ["iPhone17,1"]},
        "app": _TEXT | {"examples": ["Shop"]},
        "app_version": _TEXT | {"examples": ["3.2"]},
        "locale": _TEXT | {"examples": ["de-DE"]},
    },
    "description": "What an app runs on. It becomes the User-Agent, from which Plausible reads the system, the kind of "
    "device and `Mobile App`.",
}
