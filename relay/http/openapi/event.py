"""What an event may say, as JSON Schema: Plausible's long keys and the tracker's short ones, with their limits.

It describes what is right. Much else is taken, too, as Plausible takes it, and told in a warning: a referrer that is
no text, a prop that is a list. The rules themselves are in `relay/rules`; numbers are theirs.
"""

from typing import Final

from relay.http.openapi.pieces import Json, schema
from relay.rules.currencies import CURRENCIES
from relay.rules.domain import MAX_SITES
from relay.rules.engagement import TOO_LONG_MS
from relay.rules.fields import MAX_NAME_CHARACTERS
from relay.rules.props import MAX_KEY_BYTES, MAX_PROPS, MAX_VALUE_BYTES
from relay.rules.url import MAX_URL_BYTES
from relay.rules.warnings import MAX_REFERRER_CHARACTERS

NOT_BLANK: Final = r"\S"
SITE: Final = r"(www\.)?[A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z0-9](/[A-Za-z0-9._/-]*)?"
TOO_MUCH: Final = 10**15  # of an amount, which Plausible keeps as a Decimal64 with three places

# The long key, then the short ones; of two that are there the first short one counts, of revenue the long one.
KEYS: Final = {
    "Name": ("name", "n"),
    "Url": ("url", "u"),
    "Domain": ("domain", "d"),
    "Referrer": ("referrer", "r"),
    "Props": ("props", "p", "m", "meta"),
    "Revenue": ("revenue", "$"),
    "Interactive": ("interactive", "i"),
    "HashMode": ("hashMode", "h"),
    "TrackerVersion": ("v",),
    "ScrollDepth": ("sd",),
    "EngagementTime": ("e",),
}
PROPERTIES: Final = {key: schema(name) for name, keys in KEYS.items() for key in keys}
REQUIRED: Final = [{"required": ["name", "url", "domain"]}, {"required": ["n", "u", "d"]}]
ENGAGEMENT: Final = [
    {
        "if": {"properties": {key: {"const": "engagement"}}, "required": [key]},
        "then": {"anyOf": [{"required": ["sd"]}, {"required": ["e"]}]},
    }
    for key in KEYS["Name"]
]

EVENT: Final[Json] = {
    "type": "object",
    "description": "One event, by Plausible's long keys or by the short ones of its tracker; a body may mix them, and "
    "then the short one counts, of revenue the long one. Other keys are not read and go to Plausible as they came. "
    "Null is the same as no key. No key may stand there twice.",
    "properties": PROPERTIES,
    "anyOf": REQUIRED,
    "allOf": ENGAGEMENT,
    "examples": [
        {
            "name": "Signup",
            "url": "app://shop/welcome",
            "domain": "example.com",
            "props": {"plan": "trial"},
        },
        {"n": "pageview", "u": "https://example.com/", "d": "example.com", "r": "https://news.example/", "v": 33},
        {"n": "engagement", "u": "https://example.com/", "d": "example.com", "sd": 80, "e": 12_500, "v": 33},
    ],
}

FIELDS: Final[Json] = {
    "Name": {
        "type": ["string", "integer"],
        "pattern": NOT_BLANK,
        "maxLength": MAX_NAME_CHARACTERS,
        "description": "`pageview`, `engagement`, or the name of a goal in Plausible. Not blank. An integer becomes "
        "text. `engagement` needs `sd` or `e`.",
        "examples": ["pageview", "Signup"],
    },
    "Url": {
        "type": "string",
        "maxLength": MAX_URL_BYTES,
        "not": {"pattern": "^[dD][aA][tT][aA]:"},
        "description": f"The page. At most {MAX_URL_BYTES:,} bytes in UTF-8. Apps have their own: `app://shop/welcome`.",
        "examples": ["https://example.com/pricing?utm_source=news", "app://shop/welcome"],
    },
    "Domain": {
        "type": "string",
        "pattern": f"^{SITE}( ?, ?{SITE}){{0,{MAX_SITES - 1}}}$",
        "description": f"The site as Plausible lists it, letter for letter; a leading `www.` is taken off. A comma "
        f"list of at most {MAX_SITES} is an event for each. Without this key the host of the URL is taken.",
        "examples": ["example.com", "example.com,all.example.com"],
    },
    "Referrer": {
        "type": "string",
        "description": f"Where the visitor came from. Plausible cuts it to {MAX_REFERRER_CHARACTERS:,} characters.",
        "examples": ["https://news.example/item"],
    },
    "Props": {
        "anyOf": [
            {
                "type": "object",
                "maxProperties": MAX_PROPS,
                "propertyNames": {"maxLength": MAX_KEY_BYTES, "pattern": NOT_BLANK},
                "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": MAX_VALUE_BYTES},
            },
            {"type": "string", "contentMediaType": "application/json"},
        ],
        "description": f"Custom properties: an object, or JSON text of one. At most {MAX_PROPS}, names of at most "
        f"{MAX_KEY_BYTES} bytes, values of at most {MAX_VALUE_BYTES:,}. Numbers, true and false become text; what is "
        "blank, null, a list or an object is dropped, with a warning.",
        "examples": [{"plan": "trial", "seats": 3}],
    },
    "Revenue": {
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {
            "amount": {
                "anyOf": [
                    {"type": "number", "exclusiveMinimum": -TOO_MUCH, "exclusiveMaximum": TOO_MUCH},
                    {"type": "string", "pattern": r"^[+-]?[0-9]{1,15}(\.[0-9]{1,3})?$"},
                ],
                "description": "A number, or plain decimal text. Negative for a refund.",
            },
            "currency": {"enum": sorted(CURRENCIES), "description": "ISO 4217, in upper case."},
        },
        "description": "What a sale was worth: this object, or JSON text of it. Plausible books it if the site has a "
        "goal of the event's name with a currency.",
        "examples": [{"amount": 19.90, "currency": "EUR"}],
    },
    "Interactive": {
        "type": "boolean",
        "description": "False for what should not end a bounce. True if not said.",
    },
    "HashMode": {
        "type": "integer",
        "description": "1: the URL's fragment belongs to its path.",
        "examples": [1],
    },
    "TrackerVersion": {"type": "integer", "description": "The tracker's version.", "examples": [33]},
    "ScrollDepth": {
        "type": "integer",
        "minimum": 0,
        "description": "How far the visitor scrolled, in percent; more than 100 counts as 100. Of `engagement` only. "
        "Written without a point, as are all integers: to Plausible 80.0 is none.",
        "examples": [80],
    },
    "EngagementTime": {
        "type": "integer",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": TOO_LONG_MS,
        "description": "How long the page was looked at, in milliseconds, under 30 days. Of `engagement` only.",
        "examples": [12_500],
    },
}
