"""A replay that is killed again and again, while its log is rotated and grows, queues each line exactly once."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import unpack
from tests.replay.lines import clf
from tests.system.rig import until

P = 8
PAGES = 1_500  # and as many lines that do not count
KILLS = 3


async def pending(redis: Redis) -> int:
    """How many events are in the queue."""
    return sum([await redis.xlen(keys.events(partition)) for partition in range(P)])


async def urls(redis: Redis) -> Counter[str]:
    """How often each URL is in the queue."""
    entries = [entry for partition in range(P) for entry in await redis.xrange(keys.events(partition))]
    return Counter(json.loads(unpack(fields[b"e"]).body)["url"] for _, fields in entries)


def start(folder: Path, redis_url: str, *more: str) -> subprocess.Popen[bytes]:
    """Begin a replay or go on with it, slowly enough to be killed."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    paced = ("--max-pending", "100000", "--rate", "1500", "--site", "example.com", "--json")
    return subprocess.Popen(
        (sys.executable, "-m", "relay", "replay", *more, *paced),
        env=environ | {"RELAY_REDIS_URL": redis_url, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def test_each_line_once_whatever_kills_it(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """SIGKILL at any moment; meanwhile the log is compressed, as a rotation does, and goes on under its old name."""
    log = tmp_path / "access.log"
    lines = [clf(f"/{n}", visitor=n % 97) + clf(f"/{n}.css", visitor=n % 97) for n in range(PAGES)]
    log.write_text("".join(lines))
    for kill in range(KILLS):
        before = await pending(redis)
        with start(tmp_path, redis_url, log.name) as process:

            async def grown(before: int = before) -> bool:
                return await pending(redis) > before

            await until("events are queued", grown)
            time.sleep(0.013 * kill)  # noqa: ASYNC251 - another moment of its step each time
            process.send_signal(signal.SIGKILL)
        assert 0 < await pending(redis) < PAGES
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("".join(clf(f"/new-{n}", visitor=n) for n in range(30)))
    with start(tmp_path, redis_url, "access.log.1.gz", "access.log") as process:
        told, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    summary = json.loads(told)
    assert 0 < summary["queued"] < PAGES + 30
    expected = [f"https://example.com/{n}" for n in range(PAGES)] + [f"https://example.com/new-{n}" for n in range(30)]
    assert await urls(redis) == Counter(expected)


async def test_a_stop_is_clean(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """SIGTERM ends it after its step, with a summary that is true and a word how to go on."""
    (tmp_path / "access.log").write_text("".join(clf(f"/{n}", visitor=n % 97) for n in range(PAGES)))
    with start(tmp_path, redis_url, "access.log", "--rate", "300") as process:

        async def begun() -> int:
            return await pending(redis)

        await until("events are queued", begun)
        process.send_signal(signal.SIGTERM)
        told, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(told)["queued"] == await pending(redis) < PAGES
    assert b"run the same command again, and it goes on where it was" in said


async def test_a_log_is_followed_through_its_rotation(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Renamed and made anew, copied and truncated, killed and started again meanwhile: no line is lost or doubled."""
    log = tmp_path / "access.log"
    log.write_text(clf("/0"))
    expected: list[str] = []

    async def come(*paths: str) -> None:
        expected.extend(f"https://example.com{path}" for path in paths)

        async def all_there() -> bool:
            return await urls(redis) == Counter(expected)

        await until(f"{paths} are queued", all_there)

    with start(tmp_path, redis_url, log.name, "--follow") as process:
        await come("/0")
        with log.open("a") as writer:
            two = clf("/2")
            writer.write(clf("/1") + two[:40])
            writer.flush()
            await come("/1")
            log.rename(tmp_path / "access.log.1")
            log.write_text(clf("/3"))
            writer.write(two[40:])  # a server goes on with the old file for a while
        await come("/2", "/3")
        with log.open("a") as writer:
            writer.write("".join(clf(f"/4-{n}") for n in range(60)))
        await come(*(f"/4-{n}" for n in range(60)))
        process.send_signal(signal.SIGKILL)
    with log.open("a") as writer:
        writer.write(clf("/5"))
    (tmp_path / "access.log.2").write_bytes(log.read_bytes())
    log.write_text(clf("/6", at_s=time.time() - 5))
    with start(tmp_path, redis_url, log.name, "--follow") as process:
        await come("/5", "/6")
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=60)
    assert (process.returncode, json.loads(told)["queued"]) == (0, 2), said
