"""What the import reads out of User-Agents and hosts with the real libraries, in Plausible's words."""

import pytest

from relay.imports.agents import UNKNOWN, Agent, describer
from relay.imports.identity import Identity, root_finder

_WEBKIT = b"AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = {
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) %b Chrome/131.0.0.0 Safari/537.36" % _WEBKIT: Agent(
        "Desktop", "Chrome", "131.0", "Windows", "10"
    ),
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    b"Version/18.1 Mobile/15E148 Safari/604.1": Agent("Mobile", "Safari", "18.1", "iOS", "18.1"),
    b"Mozilla/5.0 (Linux; Android 14; SM-S918B) %b Chrome/130.0.0.0 Mobile Safari/537.36" % _WEBKIT: Agent(
        "Mobile", "Chrome", "130.0", "Android", "14"
    ),
    b"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0": Agent(
        "Desktop", "Firefox", "132.0", "GNU/Linux", ""
    ),
    b"curl/8.4.0": Agent("", "curl", "8.4", "", ""),
    b"\xff\x00": UNKNOWN,
    b"": UNKNOWN,
    None: UNKNOWN,
}
BOTS = [
    b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    b"Mozilla/5.0 (X11; Linux x86_64) %b HeadlessChrome/131.0.0.0 Safari/537.36" % _WEBKIT,
]


def test_agents_have_plausibles_names() -> None:
    """Names and versions as on Plausible's dashboard; bots are none."""
    describe = describer()
    assert {agent: describe(agent) for agent in AGENTS} == AGENTS
    assert [describe(agent) for agent in BOTS] == [None, None]


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("me.github.io", "me.github.io"),
        ("co.uk", "co.uk"),
        ("203.0.113.1", "203.0.113.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("localhost", "localhost"),
        ("(none)", "(none)"),
        ("..", ".."),
    ],
)
def test_the_registrable_domain(host: str, root: str) -> None:
    """By the Public Suffix List; a host without one stands for itself."""
    assert root_finder()(host) == root


def test_a_visitor_is_one_on_all_hosts_of_a_domain() -> None:
    """Agent, address, site and registrable domain make a visitor, and a day's salt its number."""
    identity = Identity(lambda count: b"x" * count, root_finder())

    def number(agent: bytes | None, ip: str, site: str, host: str) -> int:
        return identity.visitor(identity.person(agent, ip, site, host), 1)

    one = number(b"a", "203.0.113.1", "example.com", "example.com")
    assert number(b"a", "203.0.113.1", "example.com", "shop.example.com") == one
    others = [
        number(b"A", "203.0.113.1", "example.com", "example.com"),
        number(b"a", "203.0.113.2", "example.com", "example.com"),
        number(b"a", "203.0.113.1", "example.org", "example.com"),
        number(b"a", "203.0.113.1", "example.com", "example.org"),
        number(None, "203.0.113.1", "example.com", "example.com"),
    ]
    assert len({one, *others}) == 6


def test_a_salt_is_random_and_gone_after_its_day() -> None:
    """The same person has another number on another day, and in another run."""
    salts = iter([b"a" * 16, b"b" * 16, b"c" * 16])
    identity = Identity(lambda _: next(salts), lambda host: host)
    first, second = identity.visitor(b"who", 1), identity.visitor(b"who", 2)
    assert first == identity.visitor(b"who", 1)
    identity.forget(before_day=2)
    assert identity.visitor(b"who", 2) == second
    assert len({first, second, identity.visitor(b"who", 1)}) == 3
