"""What the operator's commands share: the data set they talk to, and its failures put into one clean line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.cli.target import redis_url_of
from relay.queue.connection import AWAY, connect, describe, kept_partitions
from relay.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataSet:
    """A reached Redis and the number of partitions that its data set was begun with."""

    redis: Redis
    partitions: int


def operate(settings: Settings, action: Callable[[DataSet], Awaitable[T]]) -> T:
    """Run `action` on the data set; a Redis that can't be asked ends the command with exit code 1."""
    url = redis_url_of(settings)

    async def reach() -> T:
        redis = connect(url, connections=4)
        try:
            partitions = await kept_partitions(redis) or settings.partitions
            return await action(DataSet(redis, partitions))
        finally:
            await redis.aclose()

    try:
        return asyncio.run(reach())
    except (*AWAY, RedisError) as error:
        raise click.ClickException(f"the queue can't be asked: {describe(error)} (see `relay check`)") from error


def when(unix_ms: int) -> str:
    """A time as people and machines read it: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(unix_ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def several(number: int, thing: str, things: str = "") -> str:
    """So many things in words: `1 event`, `2,000 events`; `things` if the plural has no plain s."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"
