"""How much a source, and one address of it, may send: token buckets in Redis, shared by all doors.

By the server's clock, as hosts' clocks differ. One round trip, and none where there is no limit. An address is kept
only as a hash whose salt lives for a day, so that nobody can tell afterwards whose it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue import keys
from relay.queue.committing import COMMIT_TIMEOUT_S
from relay.queue.connection import AWAY, describe
from relay.queue.waiting import UnavailableError
from relay.rules.source import Denied, Source, too_many

SALT_MS: Final = 86_400_000
SUBSCRIBER_BITS: Final = 64  # of an IPv6 address: who has one has all that begin like it (RFC 6177)

# Token buckets, all or none of them. KEYS salt, then a bucket each. ARGV new salt, its life in ms, cost, then for each
# bucket events a second, burst, and the address that completes its name ('' if it is complete). What is kept of one is
# the moment at which it is full again. More than the burst passes if the bucket is full, and is paid for afterwards.
# → 0, 0 or which bucket has too little, and in how many ms it has enough.
TAKE_TOKENS: Final = """#!lua
local time = redis.call('TIME')
local now, cost = time[1] * 1000 + time[2] / 1000, tonumber(ARGV[3])
local names, full, which, longest = {}, {}, 0, 0
for i = 2, #KEYS do
  local at = 3 * i - 2
  local each_ms, burst, address = 1000 / ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  names[i] = KEYS[i]
  if address ~= '' then
    redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
    names[i] = KEYS[i] .. redis.sha1hex(redis.call('GET', KEYS[1]) .. address)
  end
  full[i] = math.max(now, tonumber(redis.call('GET', names[i]) or now))
  local wait = full[i] - now - (burst - math.min(cost, burst)) * each_ms
  if wait > longest then which, longest = i - 1, wait end
  full[i] = full[i] + cost * each_ms
end
if which > 0 then return {which, math.ceil(longest)} end
for i = 2, #KEYS do
  redis.call('SET', names[i], string.format('%.4f', full[i]), 'PX', math.max(1, math.ceil(full[i] - now)))
end
return {0, 0}
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The buckets of every sender."""

    redis: Redis

    async def take(self, source: Source, address: str = "", cost: int = 1) -> Denied | None:
        """Take `cost` events out of the buckets of the source and of this address of it, or none and say why not.

        `address` is the visitor's, "" to leave it out. Raises UnavailableError: a limit that can't be asked does not
        stand in the place of the 503 that the event would get.
        """
        buckets = []
        if source.rate is not None:
            buckets.append((keys.limit(source.name), source.rate, ""))
        if source.address_rate is not None and address:
            buckets.append((keys.limit(source.name), source.address_rate, _unclear(address)))
        if not buckets or cost < 1:
            return None
        touched = (keys.LIMIT_SALT, *(name for name, _, _ in buckets))
        words = [word for _, rate, salted in buckets for word in (str(rate.per_s), str(rate.burst), salted)]
        new_salt = secrets.token_hex(16)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                which, wait_ms = await self.redis.eval(  # type: ignore[misc]
                    TAKE_TOKENS, len(touched), *touched, new_salt, str(SALT_MS), str(cost), *words
                )
        except (*AWAY, RedisError) as error:
            raise UnavailableError(f"the queue is not available: {describe(error)}") from error
        return too_many(source, wait_ms, of_address=bool(buckets[which - 1][2])) if which else None


def _unclear(address: str) -> str:
    """A hash of the address, so that it stands nowhere in clear; the server salts it. Of IPv6 the subscriber's part."""
    known = ip_address(address)
    if isinstance(known, IPv6Address):
        known = IPv6Address(int(known) >> (128 - SUBSCRIBER_BITS) << (128 - SUBSCRIBER_BITS))
    return hashlib.sha256(known.packed).hexdigest()
