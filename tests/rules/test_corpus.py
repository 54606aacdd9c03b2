"""The corpus: one request of each real client, and of each mistake seen, with what has to become of it.

Shapes after contract section 8. A bug found becomes a file here; the tests of the door send the same files.
"""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from relay.rules.event import Event, Refused, Validation, parse_event
from relay.rules.split import bodies_by_site
from relay.rules.visitor import visitor_of

FILES = sorted((Path(__file__).parent.parent / "corpus").glob("*.json"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One file of the corpus."""
    loaded: dict[str, Any] = json.loads(request.param.read_bytes())
    return loaded


def test_the_corpus_is_there() -> None:
    """The corpus has not been lost on the way."""
    assert len(FILES) >= 30


@pytest.mark.parametrize("validation", Validation)
def test_a_recorded_request_gets_its_answer(recorded: dict[str, Any], validation: Validation) -> None:
    """Each recorded request is accepted or refused as its file says, and read as its file says."""
    expect = recorded["expect"]
    body = recorded["body"].encode()
    event = parse_event(body, validation)
    if expect[validation] == 400:
        assert isinstance(event, Refused)
        assert sorted(event.errors) == expect["errors"]
        return
    assert isinstance(event, Event)
    revenue = event.revenue and [event.revenue.amount, event.revenue.currency]
    found = {"name": event.name, "sites": list(event.sites), "props": len(event.props), "revenue": revenue}
    assert found == {key: expect[key] for key in found}
    assert [site for site, _ in bodies_by_site(event)] == expect["sites"]


def test_a_recorded_request_has_its_visitor(recorded: dict[str, Any]) -> None:
    """Each recorded request comes from the address that its file says, with its own User-Agent."""
    headers = [(name.encode(), value.encode()) for name, value in recorded["headers"]]
    visitor = visitor_of(recorded["peer"], headers, [ip_network(network) for network in recorded["trusted"]])
    agents = [value for name, value in headers if name.lower() == b"user-agent"]
    assert (visitor.ip, visitor.user_agent) == (recorded["expect"]["ip"], agents[0])
