"""`relay source` as a shell sees it: keys that are shown once, and faults that say what would be right.

One call is a process of its own, as each of them costs half a second; the others are the same command in this one.
"""

import asyncio
import json
import re
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.queue import sources
from relay.queue.connection import connect
from relay.queue.sources import Found
from relay.rules.source import digest_of
from tests.cli.shell import relay

KEY = re.compile(r"prk_[A-Za-z0-9_-]{43}")


def invoke(url: str, *words: str) -> Result:
    """Run `relay source …`."""
    return CliRunner().invoke(main, ["source", *words, "--redis-url", url])


def kept(url: str) -> Found:
    """What is in force."""

    async def load() -> Found:
        async with connect(url) as redis:
            return await sources.load(redis)

    return asyncio.run(load())


def _run(url: str, *words: str) -> str:
    done = invoke(url, *words)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_the_life_of_a_source(redis_url: str, tmp_path: Path) -> None:
    """Add, list, change, rotate, remove: what is printed is what is in force, and a key is printed once."""
    run = partial(_run, redis_url)
    added = relay(
        *("source", "add", "shop", "--kind", "backend", "--site", "a.com,www.b.com", "--site", "c.com", "--json"),
        *("--redis-url", redis_url),
        cwd=tmp_path,
    )
    assert (added.returncode, added.stderr.startswith("This is the first source")) == (0, True)
    shop = json.loads(added.stdout)
    assert list(shop) == ["name", "key"]
    assert KEY.fullmatch(shop["key"])
    told = run("add", "ios", "--kind", "app", "--site", "*", "--rate", "5", "--address-rate", "0.5", "--burst", "9")
    assert "app, may post for *; at most 5 a second and 9 at once; at most 0.5 a second and 5 at once for each" in told
    (ios,) = set(KEY.findall(told))
    assert set(kept(redis_url).by_key) == {digest_of(key.encode()) for key in (shop["key"], ios)}

    run("change", "ios", "--site", "d.com", "--speaks", "--burst", "7")
    listed = run("list", "--json")
    assert KEY.search(listed) is None
    first, second = json.loads(listed)
    changed = {"name": "ios", "sites": ["d.com"], "speaks": True, "rate": 5, "burst": 7}
    assert first == first | changed
    assert (second["name"], second["kind"], second["sites"], second["speaks"]) == (
        "shop", "backend", ["a.com", "b.com", "c.com"], True,
    )  # fmt: skip

    new = json.loads(run("rotate", "shop", "--grace", "1h", "--json"))
    assert new["name"] == "shop"
    found = kept(redis_url).by_key
    assert found[digest_of(new["key"].encode())].until_ms is None
    assert found[digest_of(shop["key"].encode())].until_ms is not None

    assert run("remove", "ios") == "source ios removed\n"
    assert run("list").endswith("\n1 source\n")
    assert run("remove", "shop", "--open").startswith("source shop removed; there is no source: whoever reaches")


def test_what_cannot_be_done_says_why(redis_url: str) -> None:
    """A name that is taken or unknown, and the last source, end with exit code 1 and leave all as it was."""
    assert invoke(redis_url, "add", "a", "--kind", "app", "--site", "*").exit_code == 0
    for words, why in (
        (("add", "a", "--kind", "web", "--site", "b.com"), "there is a source a already"),
        (("rotate", "b"), "there is no source b: `relay source list` names them"),
        (("change", "b", "--speaks"), "there is no source b"),
        (("remove", "b"), "there is no source b"),
        (("remove", "a"), "say --open if that is meant"),
    ):
        done = invoke(redis_url, *words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert why in done.stderr
    assert kept(redis_url).changes == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "Shop", "--kind", "app", "--site", "a.com"), "is no name"),
        (("add", "a" * 64, "--kind", "app", "--site", "a.com"), "is no name"),
        (("add", "shop", "--kind", "robot", "--site", "a.com"), "'app', 'backend', 'web'"),
        (("add", "shop", "--kind", "app"), "Missing option '--site'"),
        (("add", "shop", "--site", "a.com"), "Missing option '--kind'"),
        (("add", "shop", "--kind", "app", "--site", "https://a.com"), "is not a site's domain; right would be"),
        (("add", "shop", "--kind", "app", "--site", " "), "it names no site"),
        (("add", "shop", "--kind", "app", "--site", "a.com", "--burst", "5"), "--burst goes with --rate"),
        (("add", "shop", "--kind", "app", "--site", "a.com", "--rate", "0"), "--rate"),
        (("change", "shop"), "say what to change"),
        (("rotate", "shop", "--grace", "soon"), "is no duration"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(words: tuple[str, ...], why: str) -> None:
    """Exit code 2, and what would be right."""
    done = invoke("redis://127.0.0.1:9/0", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.split())
