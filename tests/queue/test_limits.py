"""Token buckets: by the server's clock, all or none, and no address in clear."""

import asyncio

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.connection import connect
from relay.queue.limits import Limits
from relay.queue.waiting import UnavailableError
from relay.rules.admission import parse_sites
from relay.rules.source import Kind, Rate, Source
from tests.server import TestServer

HOUR = 3_600.0
EVERY = parse_sites(["*"])


def limited(rate: Rate | None = None, address_rate: Rate | None = None, name: str = "shop") -> Source:
    """A source with these limits."""
    return Source(name, Kind.APP, EVERY, rate=rate, address_rate=address_rate)


async def passed(limits: Limits, source: Source, *addresses: str, cost: int = 1) -> list[bool]:
    """Whether each of them passes, one after the other."""
    return [await limits.take(source, address, cost) is None for address in addresses]


async def test_a_burst_passes_and_then_the_rate(redis: Redis) -> None:
    """As many as the burst at once, then as many as the rate, and Retry-After says when."""
    limits, source = Limits(redis), limited(Rate(1 / HOUR, 3))
    assert await passed(limits, source, *[""] * 5) == [True, True, True, False, False]
    over = await limits.take(source)
    assert over is not None
    assert over.retry_after_s is not None
    assert 3_590 < over.retry_after_s <= 3_600
    quick = limited(Rate(50, 1), name="quick")
    over = None
    while over is None:
        over = await limits.take(quick)
    await asyncio.sleep(0.03)  # what it waits for: at 50 a second one comes each 20 ms
    assert await limits.take(quick) is None


async def test_doors_share_the_buckets(redis: Redis, redis_url: str) -> None:
    """Of many at two doors at once as many pass as one door would let."""
    source = limited(Rate(1 / HOUR, 20))
    async with connect(redis_url) as other:
        doors = (Limits(redis), Limits(other))
        done = await asyncio.gather(*(doors[n % 2].take(source) for n in range(60)))
    assert done.count(None) == 20


async def test_each_address_has_its_own(redis: Redis) -> None:
    """One address uses up its own share only; of IPv6 a subscriber's network is one, and sources are apart."""
    limits, source = Limits(redis), limited(address_rate=Rate(1 / HOUR, 1))
    assert await passed(limits, source, "192.0.2.1", "192.0.2.1", "192.0.2.2") == [True, False, True]
    assert await passed(limits, source, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1") == [True, False, True]
    assert await passed(limits, limited(address_rate=Rate(1 / HOUR, 1), name="other"), "192.0.2.1") == [True]
    assert await passed(limits, source, "") == [True], "without an address the source's limit alone counts"


async def test_what_is_refused_costs_nothing(redis: Redis) -> None:
    """Both buckets are asked, and if one has too little neither is touched."""
    limits, source = Limits(redis), limited(Rate(1 / HOUR, 2), Rate(1 / HOUR, 1))
    assert await passed(limits, source, "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3") == [
        True,
        False,
        True,
        False,
    ]


async def test_a_batch_costs_its_events(redis: Redis) -> None:
    """A batch takes as many as it has; one beyond the burst passes a full bucket and is paid for afterwards."""
    limits, source = Limits(redis), limited(Rate(1.0, 10))
    assert await limits.take(source, cost=6) is None
    over = await limits.take(source, cost=6)
    assert over is not None
    assert over.retry_after_s == 2
    assert await limits.take(source, cost=4) is None
    big = limited(Rate(1.0, 10), name="big")
    assert await limits.take(big, cost=1_000) is None
    over = await limits.take(big)
    assert over is not None
    assert over.retry_after_s is not None
    assert 985 < over.retry_after_s <= 991
    assert await limits.take(source, cost=0) is None


async def test_high_rates_are_kept_exactly(redis: Redis) -> None:
    """At 100,000 a second a bucket still empties: its moment is kept to a fraction of a millisecond."""
    limits, source = Limits(redis), limited(Rate(100_000, 1_000_000))
    assert await limits.take(source, cost=1_000_000) is None
    full_ms = float(await redis.get(keys.limit("shop")))
    for _ in range(5):
        await limits.take(source, cost=1)
    assert float(await redis.get(keys.limit("shop"))) - full_ms < 0.06


async def test_no_address_stands_in_redis_and_buckets_go(redis: Redis) -> None:
    """Names of buckets are hashes with a salt that lives for a day, and go when the bucket is full again."""
    limits = Limits(redis)
    await limits.take(limited(Rate(0.1, 100), Rate(0.1, 100)), "192.0.2.1")
    names = {name async for name in redis.scan_iter()}
    assert len(names) == 3
    assert all(b"192.0.2" not in name for name in names)
    assert 86_000 < await redis.ttl(keys.LIMIT_SALT) <= 86_400
    others = names - {keys.LIMIT_SALT.encode()}
    lives_ms = [await redis.pttl(name) for name in others]
    assert all(9_000 < life_ms <= 10_001 for life_ms in lives_ms), lives_ms


async def test_without_a_limit_nobody_asks_redis(own_server: TestServer) -> None:
    """No limit, no round trip: a server that is away is not noticed here."""
    own_server.kill()
    async with connect(own_server.url) as away:
        assert await Limits(away).take(limited(), "192.0.2.1") is None
        with pytest.raises(UnavailableError, match="no connection"):
            await Limits(away).take(limited(Rate(1, 1)), "192.0.2.1")
