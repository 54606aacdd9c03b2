"""What the tests of the rules share: a fast, repeatable Hypothesis profile, and short ways to parse an event.

No test here touches a network, a file beside the corpus, or a clock.
"""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings

from relay.rules.event import Event, Refused, Validation, parse_event

settings.register_profile(
    "rules",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("rules")

LEGAL: dict[str, Any] = {"name": "pageview", "url": "https://example.com/", "domain": "example.com"}


def _body(fields: dict[str, Any]) -> bytes:
    wanted = {key: value for key, value in {**LEGAL, **fields}.items() if value is not ...}
    return orjson.dumps(wanted)


@pytest.fixture
def strict() -> Callable[..., Event | Refused]:
    """Parse a legal event with some fields changed (`...` leaves one out), in strict mode."""
    return lambda **fields: parse_event(_body(fields), Validation.STRICT)


@pytest.fixture
def plausible() -> Callable[..., Event | Refused]:
    """Parse a legal event with some fields changed (`...` leaves one out), as Plausible does."""
    return lambda **fields: parse_event(_body(fields), Validation.PLAUSIBLE)
