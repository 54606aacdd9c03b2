"""The corpus through the door: each recorded request, byte by byte over a socket, and what is kept of it."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.rules.event import Validation
from tests.http.conftest import OpenDoor
from tests.http.door import Door, chunks, request

FILES = sorted((Path(__file__).parent.parent / "corpus").glob("*.json"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One file of the corpus."""
    loaded: dict[str, Any] = json.loads(request.param.read_bytes())
    return loaded


def as_sent(recorded: dict[str, Any]) -> bytes:
    """Return the recorded request as the client wrote it."""
    content = recorded["body"].encode()
    headers = [f"{name}: {value}".encode() for name, value in recorded["headers"] if name.lower() != "host"]
    if any(name.lower() == "transfer-encoding" for name, _ in recorded["headers"]):
        content = chunks(content)
    return request(content, *headers, line=f"{recorded['method']} {recorded['path']} HTTP/1.1".encode())


def behind(recorded: dict[str, Any]) -> str:
    """Return the networks to trust where the recorded peer is on loopback: those of the file, and a trusted peer."""
    peer = ipaddress.ip_address(recorded["peer"])
    trusted = [network for network in recorded["trusted"] if ":" not in network]
    if any(peer in ipaddress.ip_network(network) for network in trusted):
        trusted.append("127.0.0.1")
    return ",".join(trusted)


@pytest.mark.parametrize("validation", Validation)
async def test_a_recorded_request_is_kept_or_refused(
    recorded: dict[str, Any], validation: Validation, open_door: OpenDoor
) -> None:
    """Each recorded request gets its status and fields, and an accepted one is kept with its visitor and its bytes."""
    trusted = behind(recorded)
    door = await open_door(validation=validation.value, **({"trusted_proxies": trusted} if trusted else {}))
    expect = recorded["expect"]
    answer = await door.converse(as_sent(recorded))
    assert (answer.status, answer.has_cors) == (expect[validation], True)
    if answer.status == 400:
        assert sorted(orjson.loads(answer.content)["errors"]) == expect["errors"]
        assert await door.kept() == []
        return
    assert (answer.content, answer.headers["content-type"]) == (b"ok", "text/plain; charset=utf-8")
    await matches(recorded, door)


async def matches(recorded: dict[str, Any], door: Door) -> None:
    """Compare what the door kept with what the file says."""
    expect = recorded["expect"]
    agent = next(value.encode() for name, value in recorded["headers"] if name.lower() == "user-agent")
    ip = "127.0.0.1" if expect["ip"] == recorded["peer"] else expect["ip"]  # the peer of the test
    kept = await door.kept()
    assert sorted(event.site for event in kept) == sorted(expect["sites"])
    for event in kept:
        assert (event.ip, event.user_agent) == (ip, agent)
        assert event.revenue is (expect["revenue"] is not None)
        assert event.engagement is (expect["name"] == "engagement")
    if len(kept) == 1:
        assert kept[0].body == recorded["body"].encode()
