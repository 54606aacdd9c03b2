"""Which line becomes which event: the user's rules in their order, then what is usual."""

from pathlib import Path

import pytest

from relay.replay.hit import Hit
from relay.replay.rules import Made, Rules
from relay.replay.rules_file import RulesError, read_rules, rules_of
from tests.replay.lines import AGENT

BOT = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def hit(path: str, method: str = "GET", status: int | None = 200, agent: bytes | None = AGENT.encode()) -> Hit:
    """A request."""
    return Hit(1_760_104_536_000, "example.com", "", path, method, status, "203.0.113.9", agent, None)


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (hit("/"), Made()),
        (hit("/blog/v1.2-is-out"), Made()),
        (hit("/index.php?page=3"), Made()),
        (hit("/restaurants"), Made()),
        (hit("/status-of-things"), Made()),
        (hit("/", method="HEAD", status=304), Made()),
        (hit("/", status=None, agent=None), Made()),
        (hit("/", method="POST"), "method"),
        (hit("/", status=301), "status"),
        (hit("/", status=500), "status"),
        (hit("/App.CSS?v=3"), "static"),
        (hit("/robots.txt"), "static"),
        (hit("/_next/data/x"), "static"),
        (hit("/healthz"), "health_check"),
        (hit("/health/live"), "health_check"),
        (hit("/", agent=b"kube-probe/1.33"), "health_check"),
        (hit("/api/event"), "api"),
        (hit("/graphql?query=x"), "api"),
        (hit("/wp-login.php"), "api"),
        (hit("/", agent=BOT), "bot"),
    ],
    ids=lambda value: value.path if isinstance(value, Hit) else "",
)
def test_what_is_usual(one: Hit, outcome: Made | str) -> None:
    """Pages are pageviews; everything else is left out by a name."""
    assert Rules().decide(one) == (outcome, "usual")


RULES = rules_of("""
[[rule]]
name = "internal"
path = "/intern/**"
do = "leave_out"

[[rule]]
name = "downloads"
path = "/files/*.pdf"
event = "Download"
props = { file = "{1}", campaign = "{query.utm_campaign}", host = "{host}" }

[[rule]]
name = "orders"
path_regex = "/thanks/(?P<plan>[a-z]+)"
query = { amount = "*" }
event = "Purchase"
props = { plan = "{plan}" }
revenue = { amount = "{query.amount}", currency = "EUR" }

[[rule]]
name = "signups"
path = "/signup"
methods = ["POST"]
status = ["302"]
event = "Signup"

[[rule]]
name = "our monitor"
agent_regex = "^AcmeWatch"
do = "leave_out"

[[rule]]
name = "feeds"
path = "/feed.xml"
do = "pageview"
bots = true

[usual]
leave_out = ["static", "bot"]

[sites."example.com"]
rate = 50
""")
DOWNLOAD = Made("Download", {"file": "report", "campaign": "x", "host": "example.com"})
PURCHASE = Made("Purchase", {"plan": "pro"}, {"amount": "19.90", "currency": "EUR"})


@pytest.mark.parametrize(
    ("one", "outcome", "by"),
    [
        (hit("/intern/a/b", status=500), "rule:internal", "internal"),
        (hit("/files/report.pdf?utm_campaign=x"), DOWNLOAD, "downloads"),
        (hit("/files/a/b.pdf"), "static", "usual"),
        (hit("/files/report.pdf", status=404), "status", "usual"),
        (hit("/files/report.pdf", agent=BOT), "bot", "usual"),
        (hit("/thanks/pro?amount=19.90"), PURCHASE, "orders"),
        (hit("/thanks/pro"), Made(), "usual"),
        (hit("/signup", method="POST", status=302), Made("Signup"), "signups"),
        (hit("/signup"), Made(), "usual"),
        (hit("/", agent=b"AcmeWatch/2"), "rule:our monitor", "our monitor"),
        (hit("/feed.xml", agent=BOT), Made(), "feeds"),
        (hit("/api/x"), Made(), "usual"),
    ],
)  # fmt: skip
def test_own_rules_go_first(one: Hit, outcome: Made | str, by: str) -> None:
    """The first that fits decides; one that makes events keeps the usual methods, statuses and bots out."""
    assert RULES.decide(one) == (outcome, by)
    assert RULES.rates == {"example.com": 50}


def test_all_faults_are_told(tmp_path: Path) -> None:
    """Where, what, what would be right; each fault of the file at once."""
    wrong = tmp_path / "rules.toml"
    wrong.write_text("""
[[rule]]
name = "a"
path_regex = "("
do = "pageview"
[[rule]]
name = "b"
do = "leave_out"
event = "X"
[[rule]]
name = "c"
status = ["20x"]
paht = "/x"
do = "pageview"
[usual]
leave_out = ["robots"]
""")
    with pytest.raises(RulesError) as caught:
        read_rules(wrong)
    told = [fault.removeprefix(f"{wrong}: ") for fault in caught.value.faults]
    assert told == [
        "usual.leave_out.1: input should be 'static', 'health_check', 'api' or 'bot'",
        "rule.1.path_regex: is no expression: missing ), unterminated subpattern at position 0",
        'rule.2: say either do = "leave_out", do = "pageview" or event = "Name"',
        "rule.3.status.1: is no status: write 200, 2xx or 304",
        "rule.3.paht: is not known here: check the spelling",
    ]
    for text, said in (("x = ", "is no TOML: Invalid value"), (None, "cannot be read: No such file")):
        bad = tmp_path / "bad.toml"
        bad.unlink(missing_ok=True)
        if text is not None:
            bad.write_text(text)
        with pytest.raises(RulesError, match=said):
            read_rules(bad)
