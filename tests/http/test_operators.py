"""What the door tells operators only, and how it refuses it to others."""

import pytest

from tests.http.conftest import OpenDoor
from tests.http.door import Door, until_ready

KEY = "a-key-of-the-operator"
FROM_ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}  # as a reverse proxy on this machine adds it


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    """Give a door with a key."""
    opened = await open_door(admin_key=KEY)
    await until_ready(opened)
    return opened


async def test_metrics_are_for_operators(door: Door) -> None:
    """On loopback without a key, from elsewhere with it; else 401, which says what would be right."""
    assert (await door.client.get("/metrics")).status == 200
    opened = FROM_ELSEWHERE | {"Authorization": f"Bearer {KEY}"}
    assert (await door.client.get("/metrics", headers=opened)).status == 200
    refused = await door.client.get("/metrics", headers=FROM_ELSEWHERE)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="relay"')
    told = await refused.text()
    assert "Authorization: Bearer" in told
    assert KEY not in told


async def test_others_learn_yes_or_no(door: Door) -> None:
    """A load balancer gets the status, without a reason, a count, or an address of what lies behind."""
    told = await (await door.client.get("/health/ready")).json()
    assert "durability" in told
    for headers in (FROM_ELSEWHERE, {"Host": "relay.example"}, {"Origin": "https://evil.example"}):
        answer = await door.client.get("/health/ready", headers=headers)
        assert (answer.status, await answer.json()) == (200, {"status": "ready"})


async def test_the_key_is_no_ones_event(door: Door) -> None:
    """An event needs no key, and one with another's Authorization is taken as ever."""
    assert (await door.post(headers=FROM_ELSEWHERE | {"Authorization": "Bearer of-something-else"})).status == 202


async def test_a_door_without_a_key_says_how_to_set_one(open_door: OpenDoor) -> None:
    """From elsewhere nothing opens it."""
    opened = await open_door()
    for key in ("", KEY, "None"):
        refused = await opened.client.get("/metrics", headers=FROM_ELSEWHERE | {"Authorization": f"Bearer {key}"})
        assert refused.status == 401
        assert "RELAY_ADMIN_KEY" in await refused.text()
