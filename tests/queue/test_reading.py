"""A page of what waits: bounded by entries and bytes, of one site or of all, and none twice or left out."""

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import END, START, following, read_after
from relay.queue.reading import RawEntry, read_on
from tests.queue.samples import PLAIN_ONLY, event_of, put

SITES = ("a.example", "b.example", 'odd".example')


async def pages(redis: Redis, most: tuple[int, int], site: str | None = None) -> list[list[RawEntry]]:
    """All pages of partition 0."""
    found: list[list[RawEntry]] = []
    last = START
    while True:
        at, entries = await read_on(redis, 0, (following(last), END), most, site)
        if at is None:
            return found
        found.append(entries)
        last = at


async def test_pages_hold_everything_in_order(redis: Redis) -> None:
    """Page after page gives the stream as it is, each a little over what was asked for at most."""
    await put(redis, 1, *(event_of(f"e{n}") for n in range(300)))
    whole = await read_after(redis, 0, START, 1_000)
    found = await pages(redis, (100, 1_000_000))
    assert [entry for page in found for entry in page] == whole
    assert all(len(page) < 100 + 16 for page in found)


async def test_pages_end_by_bytes(redis: Redis) -> None:
    """Large events come a few at a time."""
    await put(redis, 1, *(event_of(f"e{n}", body=b"x" * 50_000) for n in range(50)))
    assert [len(page) for page in await pages(redis, (100, 100_000))] == [16, 16, 16, 2]


async def test_a_page_of_one_site_has_no_others(redis: Redis) -> None:
    """The server leaves out the others, and says how far it looked; what is no event is nobody's."""
    events = [event_of(f"e{n}", site=SITES[n % 3], occurred_ms=n if n % 2 else None) for n in range(90)]
    await put(redis, 1, *events[:45], forms=PLAIN_ONLY)
    await put(redis, 1, *events[45:])
    await redis.xadd(keys.events(0), {"x": "y"})
    whole = await read_after(redis, 0, START, 1_000)
    for n, site in enumerate(SITES):
        found = await pages(redis, (100, 1_000_000), site)
        assert [entry for page in found for entry in page] == whole[n:90:3]
    assert await pages(redis, (100, 1_000_000), "c.example") == [[]]
