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
from relay.queue.committing import COMMIT_TIMEOUT_S, UnavailableError
from relay.queue.connection import AWAY, describe
from relay.rules.source import Denied, Source, too_many

SALT_MS: Final = 86_400_000
SUBSCRIBER_BITS: Final = 64  # of an IPv6 address: who has one has all that begin like it (RFC 6177)


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
                    keys.TAKE_TOKENS, len(touched), *touched, new_salt, str(SALT_MS), str(cost), *words
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
