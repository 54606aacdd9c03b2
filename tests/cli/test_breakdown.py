"""`relay status --by site|hour` on a real data set: what an operator reads, and how far back."""

import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.connection import settle_form
from relay.queue.stored import unpack
from relay.queue.tallies import hour_text
from tests.cli.shell import relay
from tests.queue.samples import event_of, put

P = 2
HOUR_MS = 3_600_000
NOW_MS = event_of().accepted_ms


@pytest.fixture
async def filled(redis: Redis, redis_url: str) -> str:
    """Give the address of a server with events of two sites, accepted now and 30 hours ago; the old are delivered."""
    await settle_form(redis, P)
    old = [event_of("x", n, accepted_ms=NOW_MS - 30 * HOUR_MS) for n in range(4)]
    await put(redis, P, *old)
    for partition in range(P):
        entries = await redis.xrange(keys.events(partition))
        lines = [Outcome("delivered", entry_id, b"", unpack(fields[b"e"]).tally) for entry_id, fields in entries]
        await settle(redis, {partition: lines}, again=False)
    young = [event_of("x", n, site="other.example" if n else "a\nb.example", accepted_ms=NOW_MS) for n in range(6)]
    await put(redis, P, *young)
    return redis_url


def lines_of(redis_url: str, cwd: Path, *options: str) -> list[list[str]]:
    """The words of each line of the table."""
    done = relay("status", *options, "--redis-url", redis_url, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split() for line in done.stdout.splitlines()]


HEAD = ["accepted", "delivered", "dropped", "dead", "pending"]


def test_the_account_by_site(filled: str, tmp_path: Path) -> None:
    """A row a site, the busiest first and no name able to forge a line, and their sum; of the last day by default."""
    began_hour = event_of().accepted_ms // HOUR_MS
    head, *rows, note = lines_of(filled, tmp_path, "--by", "site")
    day_ago = {hour_text(hour - 24) for hour in (began_hour, event_of().accepted_ms // HOUR_MS)}  # it may strike
    assert head == ["site", *HEAD]
    assert rows == [
        ["other.example", "5", "0", "0", "0", "5"],
        [r"a\nb.example", "1", "0", "0", "0", "1"],
        ["together", "6", "0", "0", "0", "6"],
    ]
    assert note[:2] == ["accepted", "since"]
    assert note[2].removesuffix(",") in day_ago
    assert lines_of(filled, tmp_path, "--by", "site", "--since", "2d")[1:4] == [
        ["other.example", "5", "0", "0", "0", "5"],
        ["example.com", "4", "4", "0", "0", "0"],
        [r"a\nb.example", "1", "0", "0", "0", "1"],
    ]


def test_the_account_by_hour(filled: str, tmp_path: Path) -> None:
    """A row an hour, in their order; the hour is that of acceptance, whenever the outcome was."""
    assert lines_of(filled, tmp_path, "--by", "hour", "--since", "31h")[1:4] == [
        [hour_text(NOW_MS // HOUR_MS - 30), "4", "4", "0", "0", "0"],
        [hour_text(NOW_MS // HOUR_MS), "6", "0", "0", "0", "6"],
        ["together", "10", "4", "0", "0", "6"],
    ]


def test_json_only_adds(filled: str, tmp_path: Path) -> None:
    """With --by the object is that of `relay status --json`, and the rows beside it."""
    plain, more = (
        json.loads(relay("status", "--json", *options, "--redis-url", filled, cwd=tmp_path).stdout)
        for options in ((), ("--by", "site", "--since", "3d"))
    )
    assert set(more) - set(plain) == {"since", "sites"}
    assert {key: more[key] for key in plain if key != "lag_s"} == {k: v for k, v in plain.items() if k != "lag_s"}
    assert more["sites"]["example.com"] == {"accepted": 4, "delivered": 4, "dropped": 0, "dead": 0, "pending": 0}


@pytest.mark.parametrize("wrong", [["--since", "2h"], ["--by", "country"], ["--by", "site", "--since", "yesterday"]])
def test_a_question_that_means_nothing_is_wrong_usage(wrong: list[str], tmp_path: Path) -> None:
    """The account itself is of all time, and knows no other groups."""
    assert relay("status", *wrong, cwd=tmp_path).returncode == 2


def test_nothing_yet_is_a_table_without_rows(redis_url: str, tmp_path: Path) -> None:
    """A fresh data set has sums of 0 and no failure."""
    assert lines_of(redis_url, tmp_path, "--by", "site")[1] == ["together", "0", "0", "0", "0", "0"]
