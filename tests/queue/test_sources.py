"""Sources in Redis: kept without their keys, changed by one at a time, and never opened by accident."""

import asyncio
import re
from dataclasses import replace

import orjson
import pytest
from redis.asyncio import Redis

from relay.queue import keys, sources
from relay.queue.sources import SourceError
from relay.rules.admission import parse_sites
from relay.rules.source import Key, Kind, Rate, Source, digest_of

SHOP = Source("shop", Kind.BACKEND, parse_sites(["a.example", "b.example/x"]), speaks=True, rate=Rate(0.5, 3))
ALL = Source("all", Kind.APP, parse_sites(["*"]), address_rate=Rate(7, 70))


async def test_what_is_kept_is_read_again(redis: Redis) -> None:
    """A source comes back as it was said; each change is counted, so that doors see it."""
    assert (await sources.load(redis)).is_open
    made = {each.name: await sources.add(redis, each) for each in (SHOP, ALL)}
    found = await sources.load(redis)
    assert {kept.source.name: kept.source for kept in found.kept} == {"shop": SHOP, "all": ALL}
    assert found.by_key == {digest_of(made[s.name].encode()): Key(s) for s in (SHOP, ALL)}
    assert found.changes == 2
    assert abs(found.kept[0].created_ms / 1_000 - (await redis.time())[0]) < 5


async def test_a_key_is_nowhere_in_clear(redis: Redis) -> None:
    """Keys have a form that scanners know and 256 bits; Redis has their digest only."""
    made = [await sources.add(redis, SHOP), await sources.rotate(redis, "shop", 60)]
    assert all(re.fullmatch(r"prk_[A-Za-z0-9_-]{43}", key) for key in made)
    kept = await redis.hget(keys.SOURCES, "shop")  # type: ignore[misc] # redis-py types both worlds
    assert [key for key in made if key[4:].encode() in kept] == []


async def test_a_rotation_ends_the_old_key_or_gives_it_time(redis: Redis) -> None:
    """Without grace one key is left; with it the newest old one opens until then, and older ones do not."""
    first = await sources.add(redis, SHOP)
    second = await sources.rotate(redis, "shop")
    assert list((await sources.load(redis)).by_key) == [digest_of(second.encode())]
    third = await sources.rotate(redis, "shop", 60)
    fourth = await sources.rotate(redis, "shop", 60)
    found = (await sources.load(redis)).by_key
    assert set(found) == {digest_of(key.encode()) for key in (third, fourth)}
    until_ms = found[digest_of(third.encode())].until_ms
    assert until_ms is not None
    assert 55 < until_ms / 1_000 - (await redis.time())[0] <= 61
    assert first != second


async def test_a_change_keeps_the_key(redis: Redis) -> None:
    """What a source may can be changed without its senders noticing."""
    key = await sources.add(redis, SHOP)
    await sources.change(redis, "shop", sites=parse_sites(["c.example"]), rate=None)
    changed = replace(SHOP, sites=parse_sites(["c.example"]), rate=None)
    assert (await sources.load(redis)).by_key == {digest_of(key.encode()): Key(changed)}


async def test_names_are_taken_once(redis: Redis) -> None:
    """Of many who add the same name at once one does, and the others are told."""
    done = await asyncio.gather(*(sources.add(redis, SHOP) for _ in range(8)), return_exceptions=True)
    assert [type(each) for each in done].count(str) == 1
    assert [type(each) for each in done].count(SourceError) == 7
    for act in (sources.rotate(redis, "x"), sources.change(redis, "x", speaks=True), sources.remove(redis, "x")):
        with pytest.raises(SourceError, match="there is no source x: `relay source list`"):
            await act


async def test_changes_at_the_same_time_lose_none(redis: Redis) -> None:
    """Two operators at once: one is told to look again, and what the other did stands whole."""
    await sources.add(redis, SHOP)
    done = await asyncio.gather(*(sources.rotate(redis, "shop") for _ in range(8)), return_exceptions=True)
    made = [each for each in done if isinstance(each, str)]
    assert made
    found = await sources.load(redis)
    assert found.changes == 1 + len(made)
    assert [digest_of(key.encode()) in found.by_key for key in made].count(True) == 1


async def test_the_last_source_opens_the_relay_only_on_purpose(redis: Redis) -> None:
    """A relay that was closed is not opened by taking away a key."""
    for each in (SHOP, ALL):
        await sources.add(redis, each)
    await sources.remove(redis, "shop")
    with pytest.raises(SourceError, match="--open"):
        await sources.remove(redis, "all")
    assert not (await sources.load(redis)).is_open
    await sources.remove(redis, "all", may_open=True)
    found = await sources.load(redis)
    assert found.is_open
    assert found.changes == 4


@pytest.mark.parametrize("form", [b"", b"[]", b"{}", b'{"v": 2}', b"\xff", b"null", b'{"v":1,"kind":"robot"}'])
async def test_what_cannot_be_read_opens_nothing(redis: Redis, form: bytes) -> None:
    """Damage, or the form of a later version, is told by name; the relay stays closed, and others go on."""
    await sources.add(redis, SHOP)
    await redis.hset(keys.SOURCES, "odd", form)  # type: ignore[misc, arg-type]
    found = await sources.load(redis)
    assert (found.damaged, [kept.source.name for kept in found.kept], found.is_open) == (("odd",), ["shop"], False)
    with pytest.raises(SourceError, match="cannot be read by this version"):
        await sources.rotate(redis, "odd")
    await sources.remove(redis, "odd")
    await redis.hset(keys.SOURCES, "shop", orjson.dumps({"v": 9}))  # type: ignore[misc, arg-type]
    assert not (await sources.load(redis)).is_open
