"""The probable cause of a drop: each cause, and which is named when several would do."""

import pytest

from relay.rules.drops import ADVICE, PASSING, DropCause, probable_cause

PHONE = b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"


@pytest.mark.parametrize(
    ("user_agent", "ip", "engagement", "site_seen", "cause"),
    [
        (b"Googlebot/2.1", "9.9.9.9", False, True, DropCause.BOT),
        (b"Googlebot/2.1", "10.0.0.1", True, False, DropCause.BOT),
        (PHONE, "10.0.0.1", True, False, DropCause.PRIVATE_ADDRESS),
        (PHONE, "127.0.0.1", False, True, DropCause.PRIVATE_ADDRESS),
        (PHONE, "100.64.0.1", False, True, DropCause.PRIVATE_ADDRESS),
        (PHONE, "203.0.113.9", False, True, DropCause.PRIVATE_ADDRESS),
        (PHONE, "fd00::1", False, True, DropCause.PRIVATE_ADDRESS),
        (PHONE, "9.9.9.9", True, False, DropCause.NO_SESSION),
        (PHONE, "2620:fe::fe", False, False, DropCause.SITE_UNKNOWN),
        (PHONE, "9.9.9.9", False, True, DropCause.SHIELD_OR_THROTTLE),
        (None, "9.9.9.9", False, True, DropCause.SHIELD_OR_THROTTLE),
    ],
)
def test_the_likeliest_cause_is_named(
    user_agent: bytes | None, ip: str, *, engagement: bool, site_seen: bool, cause: DropCause
) -> None:
    """What the relay knows of an event names the likeliest cause, the surest first."""
    assert probable_cause(user_agent=user_agent, ip=ip, engagement=engagement, site_seen=site_seen) is cause


def test_each_cause_has_advice() -> None:
    """For every cause the user is told what he can do."""
    assert set(ADVICE) == set(DropCause)
    assert set(DropCause) >= set(PASSING)
