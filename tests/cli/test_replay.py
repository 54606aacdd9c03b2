"""`relay replay` as a shell runs it: what is queued, what it says, its exit codes."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import StoredEvent, unpack
from tests.cli.shell import relay
from tests.replay.lines import AGENT, clf

HOUR_S = 3_600


async def queued(redis: Redis) -> list[StoredEvent]:
    """All events in the queue."""
    entries = [entry for partition in range(8) for entry in await redis.xrange(keys.events(partition))]
    return [unpack(fields[b"e"]) for _, fields in entries]


async def test_each_line_is_queued_once(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Pages become pageviews; run again, nothing more comes; what the log has grown by comes then."""
    log = tmp_path / "access.log"
    log.write_text(clf("/a?x=1") + clf("/style.css") + clf("/b", visitor=2) + clf("/c", status=404))
    run = ("replay", "access.log", "--site", "example.com", "--redis-url", redis_url, "--json")
    first = relay(*run, cwd=tmp_path)
    assert json.loads(first.stdout) == {
        "lines": 4, "events": 2, "queued": 2, "duplicates": 0, "left_out": {"static": 1, "status": 1}, "refused": 0,
        "refused_because": {},
    }  # fmt: skip
    assert (first.returncode, relay(*run, cwd=tmp_path).returncode) == (0, 0)
    with log.open("a") as more:
        more.write(clf("/d"))
    assert json.loads(relay(*run, "--resume", cwd=tmp_path).stdout)["queued"] == 1
    events = await queued(redis)
    bodies = sorted(json.loads(event.body)["url"] for event in events)
    assert bodies == ["https://example.com/a?x=1", "https://example.com/b", "https://example.com/d"]
    assert {event.user_agent for event in events} == {AGENT.encode()}


async def test_an_old_line_is_refused(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Plausible would book it today; whoever wants that says so, and begins anew as nothing was queued."""
    (tmp_path / "access.log").write_text("".join(clf(f"/{n}", at_s=1_700_000_000) for n in range(3)))
    run = ("replay", "access.log", "--site", "example.com", "--redis-url", redis_url, "--json")
    refused = relay(*run, cwd=tmp_path)
    assert (refused.returncode, json.loads(refused.stdout)["refused_because"]) == (1, {"too_old": 3})
    assert not await queued(redis)
    taken = relay(*run, "--as-now", cwd=tmp_path)
    assert (taken.returncode, json.loads(taken.stdout)["queued"]) == (0, 3)


def test_what_cannot_be_done_is_said(redis_url: str, tmp_path: Path) -> None:
    """Exit code 2 and one clear line: no file, no known format, nothing to resume."""
    (tmp_path / "novel.txt").write_text("It was a bright cold day in April.\n")
    (tmp_path / "new.log").write_text(clf())
    for arguments, said in (
        (("nowhere.log",), "nowhere.log cannot be read: No such file or directory"),
        (("novel.txt",), "novel.txt has none of the known formats"),
        (("new.log", "--resume"), "new.log was not replayed before"),
        (("new.log", "--resume", "--restart"), "--resume and --restart exclude each other"),
    ):
        done = relay("replay", *arguments, "--redis-url", redis_url, cwd=tmp_path)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


RULES = """
[[rule]]
name = "sales"
path = "/thanks"
query = { amount = "*" }
event = "Purchase"
revenue = { amount = "{query.amount}", currency = "EUR" }
"""


def test_a_rehearsal_leaves_no_trace(tmp_path: Path) -> None:
    """--dry-run needs no Redis and says what would be; refused lines are in the report; --explain names the rule."""
    lines = [clf("/a"), clf("/thanks?amount=9.90"), clf("/thanks?amount=9,90"), clf("/x.css"), "garbage\n"]
    (tmp_path / "access.log").write_text("".join(lines))
    (tmp_path / "rules.toml").write_text(RULES)
    how = ("access.log", "--site", "example.com", "--rules", "rules.toml")
    told = relay("replay", *how, "--dry-run", "--json", "--report", "refused.ndjson", cwd=tmp_path)
    assert told.returncode == 1
    assert json.loads(told.stdout).items() >= {
        "lines": 5, "events": 2, "queued": 0, "left_out": {"static": 1}, "refused": 2, "sites": {"example.com": 2},
        "pages": {"example.com /a": 1, "example.com Purchase": 1},
    }.items()  # fmt: skip
    report = [json.loads(line) for line in (tmp_path / "refused.ndjson").read_text().splitlines()]
    assert [(row["line"], row["reason"]) for row in report] == [(3, "invalid"), (5, "malformed")]
    assert "send 9.90" in report[0]["detail"]
    explained = relay("replay", *how, "--explain", "2", "--json", cwd=tmp_path)
    said = json.loads(explained.stdout)
    assert (said["decided_by"], said["outcome"]) == ("sales", "event Purchase for example.com")
    assert json.loads(said["body"])["revenue"] == {"amount": "9.90", "currency": "EUR"}
    beyond = relay("replay", *how, "--explain", "6", cwd=tmp_path)
    assert (beyond.returncode, "has 5 lines, so none of number 6" in beyond.stderr) == (2, True)


def test_a_pipe_is_read_through() -> None:
    """Standard input may be compressed, too; if it breaks off, what came before is told, and that it did."""
    whole = gzip.compress("".join(clf(f"/{n}", visitor=n) for n in range(3_000)).encode())
    command = (sys.executable, "-m", "relay", "replay", "-", "--site", "example.com", "--dry-run", "--json")
    done = subprocess.run(command, input=whole[:-500], capture_output=True, cwd=Path(__file__).parents[2], check=False)
    assert b"standard input cannot be read further" in done.stderr, done.stderr
    assert (done.returncode, 0 < json.loads(done.stdout)["events"] < 3_000) == (1, True)
