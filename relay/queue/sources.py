"""Sources as they are kept: read by the doors, changed by `relay source`.

One hash, name → JSON, and a count of changes. A key is kept as its SHA-256 only: it has 256 random bits, so there is
nothing to guess that a slow hash would have to slow down. The key itself is known to whoever made it, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from relay.queue import keys
from relay.rules.admission import EVERY_SITE, parse_sites
from relay.rules.source import Key, Kind, Rate, Source, digest_of

VERSION: Final = 1
PREFIX: Final = "prk_"  # by which scanners of secrets find a key that leaked: prk_[A-Za-z0-9_-]{43}
KEY_BYTES: Final = 32
LAST: Final = -1  # an answer of CHANGE_SOURCE


class SourceError(Exception):
    """A source cannot be changed so; the text says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A source and what is known of it. `digests`: of each key that opens, until when (Unix ms, None: no end)."""

    source: Source
    digests: Mapping[str, int | None]
    created_ms: int
    rotated_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All that is kept at one moment. `damaged`: sources that this version cannot read; nobody can post as them."""

    changes: int
    kept: tuple[Kept, ...]
    damaged: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no source at all."""
        return not self.kept and not self.damaged

    @property
    def by_key(self) -> dict[str, Key]:
        """Each key's digest, and whose key it is."""
        return {digest: Key(kept.source, until) for kept in self.kept for digest, until in kept.digests.items()}


def new_key() -> str:
    """A key that nobody has."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


async def load(redis: Redis) -> Found:
    """Every source, and how often any was changed, at one moment. Raises what redis-py raises."""
    pipe = redis.pipeline(transaction=True)
    pipe.get(keys.SOURCE_CHANGES)
    pipe.hgetall(keys.SOURCES)
    changes, forms = await pipe.execute()
    read = {name.decode("utf-8", "replace"): _unpack(name, form) for name, form in sorted(forms.items())}
    damaged = tuple(name for name, kept in read.items() if kept is None)
    return Found(int(changes or 0), tuple(kept for kept in read.values() if kept is not None), damaged)


async def add(redis: Redis, source: Source) -> str:
    """Keep a new source; returns its key. Raises SourceError if there is one of that name."""
    key = new_key()
    kept = Kept(source, {digest_of(key.encode()): None}, await _now_ms(redis))
    if await _change(redis, source.name, b"", _pack(kept)) != 1:
        raise SourceError(
            f"there is a source {source.name} already: `relay source change`, `rotate` or `remove` it, "
            "or take another name"
        )
    return key


async def rotate(redis: Redis, name: str, grace_s: float = 0.0) -> str:
    """Give a source a new key; returns it. The newest of the old ones opens for `grace_s` more. Raises SourceError."""
    key, (form, kept) = new_key(), await _named(redis, name)
    now_ms = await _now_ms(redis)
    old = [digest for digest, until_ms in kept.digests.items() if until_ms is None] if grace_s else []
    digests: dict[str, int | None] = {digest: now_ms + int(grace_s * 1_000) for digest in old}
    digests[digest_of(key.encode())] = None
    await _replace(redis, form, replace(kept, digests=digests, rotated_ms=now_ms))
    return key


async def change(redis: Redis, name: str, **changed: Any) -> Source:
    """Change what a source may: fields of `Source`; returns it. Its keys stay. Raises SourceError."""
    form, kept = await _named(redis, name)
    source = replace(kept.source, **changed)
    await _replace(redis, form, replace(kept, source=source))
    return source


async def remove(redis: Redis, name: str, *, may_open: bool = False) -> None:
    """Forget a source; the last one only if the relay may be open then. Raises SourceError."""
    form = await redis.hget(keys.SOURCES, name)  # type: ignore[misc] # redis-py types both worlds
    if form is None:
        raise _unknown(name)
    done = await _change(redis, name, form, b"", may_open=may_open)
    if done == LAST:
        raise SourceError(
            f"{name} is the last source: without it whoever reaches the relay may post for RELAY_SITES; "
            "say --open if that is meant"
        )
    if done != 1:
        raise _changed_meanwhile(name)


async def _named(redis: Redis, name: str) -> tuple[bytes, Kept]:
    form = await redis.hget(keys.SOURCES, name)  # type: ignore[misc] # redis-py types both worlds
    if form is None:
        raise _unknown(name)
    kept = _unpack(name.encode(), form)
    if kept is None:
        raise SourceError(f"what is kept of source {name} cannot be read by this version: use the one that wrote it")
    return form, kept


async def _replace(redis: Redis, before: bytes, after: Kept) -> None:
    if await _change(redis, after.source.name, before, _pack(after)) != 1:
        raise _changed_meanwhile(after.source.name)


async def _change(redis: Redis, name: str, before: bytes, after: bytes, *, may_open: bool = False) -> int:
    touched = (keys.SOURCES, keys.SOURCE_CHANGES)
    words = (name, before, after, int(may_open))
    done: int = await redis.eval(keys.CHANGE_SOURCE, len(touched), *touched, *words)  # type: ignore[misc, arg-type]
    return done


async def _now_ms(redis: Redis) -> int:
    seconds, micros = await redis.time()
    return int(seconds * 1_000 + micros // 1_000)


def _unknown(name: str) -> SourceError:
    return SourceError(f"there is no source {name}: `relay source list` names them")


def _changed_meanwhile(name: str) -> SourceError:
    return SourceError(f"somebody else has changed source {name} meanwhile: look at `relay source list`, and try again")


def _pack(kept: Kept) -> bytes:
    source = kept.source
    return orjson.dumps(
        {
            "v": VERSION,
            "kind": source.kind,
            "sites": [EVERY_SITE] if source.sites.every else sorted(source.sites.names),
            "speaks": source.speaks,
            "rate": source.rate and [source.rate.per_s, source.rate.burst],
            "address_rate": source.address_rate and [source.address_rate.per_s, source.address_rate.burst],
            "keys": kept.digests,
            "created_ms": kept.created_ms,
            "rotated_ms": kept.rotated_ms,
        }
    )


def _unpack(name: bytes, form: bytes) -> Kept | None:
    """What is kept, or None if it is damaged or of a later version: nobody is let in on a guess."""
    try:
        told = orjson.loads(form)
        if told["v"] != VERSION:
            return None
        sites = parse_sites(told["sites"])
        rates = _rate(told["rate"]), _rate(told["address_rate"])
        source = Source(name.decode(), Kind(told["kind"]), sites, told["speaks"] is True, *rates)
        digests = {str(digest): None if until is None else int(until) for digest, until in told["keys"].items()}
        return Kept(source, digests, int(told["created_ms"]), told["rotated_ms"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _rate(value: Any) -> Rate | None:
    if value is None:
        return None
    per_s, burst = value
    return Rate(float(per_s), int(burst))
