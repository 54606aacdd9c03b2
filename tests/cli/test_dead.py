"""`relay dead export` and `retry` as real processes: nothing of a letter is missing, and Ctrl-C loses count of none."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.audit import audit
from relay.queue.claiming import Outcome, settle
from relay.queue.connection import connect, settle_form
from relay.queue.dead import dead_note
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent, unpack
from tests.cli.shell import relay
from tests.queue.samples import event_of, put, until
from tests.server import TestServer

P = 2
NOTE = dead_note("exhausted", "status 500", 7, 1_795_431_639_000)


async def bury(redis: Redis, *events: StoredEvent) -> None:
    """Let these events die."""
    await settle_form(redis, P)
    await put(redis, P, *events)
    for partition in range(P):
        entries = await redis.xrange(keys.events(partition))
        dead = [Outcome("dead", entry_id, NOTE, unpack(fields[b"e"]).tally) for entry_id, fields in entries]
        await settle(redis, {partition: dead}, again=False)


ODD = StoredEvent("a.example", "2001:db8::1", b"K\xe4fer", b'{"n":"\xff"}', 1_795_431_600_000, revenue=True)
PLAIN = StoredEvent("b.example", "9.9.9.9", "Käfer".encode(), '{"n":"ä\\n"}'.encode(), 1_795_431_601_000)
NAMELESS = StoredEvent("b.example", "9.9.9.9", None, b"", 1_795_431_602_000, engagement=True)


async def test_an_export_lacks_nothing(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """One JSON object a line, from which each event can be made again to the byte; what can't be read has its bytes."""
    await bury(redis, ODD, PLAIN, NAMELESS)
    await redis.xadd(keys.dead(1), {"e": b"9\xff", "n": dead_note("unreadable", "unknown form", 0, None)})
    done = relay("dead", "export", "--redis-url", redis_url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "4 dead letters written\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    [unreadable] = [line for line in lines if line["reason"] == "unreadable"]
    assert b64decode(unreadable["stored_base64"]) == b"9\xff"
    others = [line for line in lines if line is not unreadable]
    assert {made_again(line) for line in others} == {ODD, PLAIN, NAMELESS}
    [odd] = [line for line in others if "body_base64" in line]
    assert odd.items() >= {
        "reason": "exhausted", "detail": "status 500", "attempts": 7, "first_failed": "2026-11-23T11:00:39Z"
    }.items()  # fmt: skip
    assert (await look(redis, P)).letters == 4


def made_again(line: dict[str, str]) -> StoredEvent:
    """The event, made of nothing but its line."""
    agent = b64decode(line["user_agent_base64"]) if "user_agent_base64" in line else line["user_agent"]
    body = b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()
    accepted_ms = 1_795_431_600_000 + int(line["accepted"][-3:-1]) * 1_000
    return StoredEvent(
        line["site"],
        line["ip"],
        agent.encode() if isinstance(agent, str) else agent,
        body,
        accepted_ms,
        revenue=bool(line["revenue"]),
        engagement=bool(line["engagement"]),
    )


async def test_an_exported_file_is_whole_and_its_owners(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """The filters of list apply; a file is mode 0600, is never written over, and a failed export leaves none."""
    await bury(redis, ODD, PLAIN, NAMELESS)
    named = ("--redis-url", redis_url, "--site", "b.example", "--output")
    assert relay("dead", "export", *named, "dead.ndjson", cwd=tmp_path).returncode == 0
    written = tmp_path / "dead.ndjson"
    assert {json.loads(line)["site"] for line in written.read_text().splitlines()} == {"b.example"}
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    again = relay("dead", "export", *named, "dead.ndjson", cwd=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    lost = relay("dead", "export", "--redis-url", "redis://127.0.0.1:9", "--output", "lost.ndjson", cwd=tmp_path)
    assert (lost.returncode, "the queue can't be asked" in lost.stderr) == (1, True)
    full = relay("dead", "export", "--redis-url", redis_url, "--output", "no/such/folder", cwd=tmp_path)
    assert (full.returncode, "cannot be written: No such file" in full.stderr) == (1, True)
    assert [written] == [*tmp_path.glob("**/*")]  # noqa: ASYNC240 - an empty folder


def environ(**variables: str) -> dict[str, str]:
    """This process's environment without its own RELAY_ variables."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    return ours | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables


def piped(line: str) -> subprocess.CompletedProcess[str]:
    """Run `relay <line>` in a shell, with what the line says of its output."""
    command = f"{sys.executable} -m relay {line}"
    return subprocess.run(command, shell=True, env=environ(), capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
async def test_an_export_that_nobody_takes_says_so(redis: Redis, redis_url: str) -> None:
    """A full disk is told as such and not as trouble with the queue; a reader that goes away ends it silently."""
    await bury(redis, *(event_of("x", n) for n in range(300)))
    full, head = (piped(f"dead export --redis-url '{redis_url}' {to}") for to in ("> /dev/full", "| head -n 1"))
    assert full.stderr == "Error: standard output cannot be written: No space left on device\n"
    assert (len(head.stdout.splitlines()), head.stderr) == (1, "")


async def test_ctrl_c_says_how_many_were_sent(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Interrupted, a retry exits 1, has moved exactly what it says, and waits for nobody."""
    await bury(redis, *(event_of("x", n) for n in range(60)))
    command = (sys.executable, "-m", "relay", "dead", "retry", "--all", "--rate", "50", "--max-pending", "30")
    with subprocess.Popen(  # noqa: ASYNC220 - started, not waited for
        command,
        env=environ(RELAY_REDIS_URL=redis_url),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        waits = process.stderr.readline()
        assert waits.startswith("30 events pending: the retry waits until fewer than 30 are (--max-pending")
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, failed = process.communicate(timeout=10)
    assert time.monotonic() - began_s < 5.0
    assert process.returncode == 1
    assert said == "30 dead letters sent back to the queue\n"
    assert failed == "Error: stopped before the end: the others are dead letters as before\n"
    seen = await look(redis, P)
    assert (seen.pending, seen.letters, seen.ledger["dead"]) == (30, 30, 30)


async def test_a_retry_whose_queue_goes_away_says_how_far_it_came(own_server: TestServer, tmp_path: Path) -> None:
    """It exits 1 with at least so many, and nothing is lost: each letter is in the queue or still a letter."""
    redis = connect(own_server.url)
    await bury(redis, *(event_of("x", n) for n in range(200)))
    command = (sys.executable, "-m", "relay", "dead", "retry", "--all", "--rate", "50")
    with subprocess.Popen(  # noqa: ASYNC220 - started, not waited for
        command,
        env=environ(RELAY_REDIS_URL=own_server.url),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        await until("some are sent", lambda: moved_in(redis))
        own_server.kill()
        said, failed = process.communicate(timeout=20)
    assert (process.returncode, "the queue can't be asked: no connection" in failed) == (1, True)
    least = int(said.removeprefix("at least ").partition(" ")[0])
    await redis.aclose()
    own_server.start()
    redis = connect(own_server.url)
    assert 0 < least <= await moved_in(redis) < 200
    assert (await look(redis, P)).letters == 200 - await moved_in(redis)
    assert (await audit(redis, P)).differences == []
    await redis.aclose()


async def moved_in(redis: Redis) -> int:
    """How many are in the queue again."""
    return (await look(redis, P)).pending


@pytest.mark.parametrize("wrong", [("--rate", "0"), ("--rate", "-1"), ("--max-pending", "0"), ("--rate", "many")])
def test_a_pace_that_is_none_is_wrong_usage(wrong: tuple[str, str], tmp_path: Path) -> None:
    """A retry that could never move a letter does not begin."""
    done = relay("dead", "retry", "--all", *wrong, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(f"Invalid value for '{wrong[0]}'", done.stderr)
