"""Each format's sample gives the right events, is found by its content, and each of its lines has an outcome.

The samples are lines as the servers write them; `samples/expected.json` says what is in them.
"""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.replay.admitting import Admission, Terms
from relay.replay.batch import judge
from relay.replay.formats import FORMATS, detect
from relay.replay.keeping import Place
from relay.replay.opening import Plan, open_with
from relay.replay.rules import Rules
from relay.rules.admission import Sites
from relay.rules.event import Validation
from tests.replay.lines import AGENT

SAMPLES = Path(__file__).parent / "samples"
EXPECTED: dict[str, Any] = json.loads((SAMPLES / "expected.json").read_text())
EVERY = Admission(Terms(Sites(frozenset(), every=True), Validation.STRICT, max_age_ms=10**14))
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
SHORT = {CHROME: "Chrome", AGENT: "Firefox"}
NOW_MS = 1_760_200_000_000


def outcome(path: Path) -> dict[str, Any]:
    """What becomes of a whole log, told briefly."""
    site = "site.example" if path.stem in {"combined", "common", "traefik"} else ""
    opened = open_with(str(path), Plan(Rules(), Place(site), EVERY))
    assert opened.format is not None
    events, refused, left_out = [], [], Counter[str]()
    while lines := opened.log.take():
        batch = judge(lines, opened.keeper, opened.admission, NOW_MS)
        left_out.update(batch.left_out)
        refused += [[one.number, one.refusal.reason] for one in batch.refused]
        assert batch.lines == len(batch.kept) + batch.left_out.total() + len(batch.refused)
        for _, event, _ in batch.events:
            body = json.loads(event.body)
            agent = None if event.user_agent is None else event.user_agent.decode("utf-8", "backslashreplace")
            at = datetime.fromtimestamp((event.occurred_ms or 0) / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            more = {name: body[name] for name in ("referrer", "props", "p", "revenue") if name in body}
            url = body.get("url", body.get("u"))
            events.append([at, event.site, url, event.ip, SHORT.get(agent or "", agent), more])
    opened.log.close()
    return {"format": opened.format.name, "events": events, "left_out": dict(left_out), "refused": refused}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_gives_the_right_events(name: str) -> None:
    """Times in UTC, the visitor's own address and User-Agent, URLs with query; escapes and bad bytes come through."""
    assert outcome(SAMPLES / name) == EXPECTED[name]


def test_each_format_has_a_sample() -> None:
    """No format without one."""
    assert {expected["format"] for expected in EXPECTED.values()} == FORMATS.keys()


def test_text_has_no_format() -> None:
    """What is no log is taken for none; JSON of something else neither."""
    assert detect([b"Dear diary,", b"today I read a log."]) is None
    assert detect([b'{"color":"green"}', b"[1,2]", b"12"]) is None
