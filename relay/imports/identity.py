"""Who is one visitor: a keyed hash of User-Agent, address, site and the registrable domain of the page's host.

Plausible's own rule (contract section 5): the key is random, of one day in UTC, and is thrown away with the day
after. Nothing here is written anywhere: a visitor leaves the program as a number in a sum.
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from relay.imports.agents import Missing, missing
from relay.imports.page import NO_HOST

DAY_S = 86_400
SALT_BYTES = 16
_ID_BYTES = 8  # as SipHash upstream


class Identity:
    """Numbers visitors. `chance` gives that many random bytes; `root_of` the registrable domain of a host."""

    def __init__(self, chance: Callable[[int], bytes], root_of: Callable[[str], str]) -> None:
        self._chance = chance
        self._root_of = root_of
        self._salts: dict[int, bytes] = {}

    def person(self, user_agent: bytes | None, ip: str, site: str, hostname: str) -> bytes:
        """Who it is, before any salt: never kept longer than one event."""
        apart = (ip, site, self._root_of(hostname))
        return b"\0".join((user_agent or b"", *(part.encode("utf-8", "surrogatepass") for part in apart)))

    def visitor(self, person: bytes, day: int) -> int:
        """The person's number on this day since 1970, in UTC."""
        salt = self._salts.get(day) or self._new_salt(day)
        return int.from_bytes(blake2b(person, digest_size=_ID_BYTES, key=salt).digest())

    def forget(self, before_day: int) -> None:
        """Throw away the salts of all days before this one."""
        self._salts = {day: salt for day, salt in self._salts.items() if day >= before_day}

    def _new_salt(self, day: int) -> bytes:
        salt = self._salts[day] = self._chance(SALT_BYTES)
        return salt


def root_finder() -> Callable[[str], str]:
    """The function from a host to its registrable domain, or to itself if it has none. Raises `Missing`."""
    try:
        from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - an extra
    except ImportError:
        raise Missing(missing("publicsuffixlist")) from None
    known = PublicSuffixList()

    @lru_cache(maxsize=16_384)
    def root_of(hostname: str) -> str:
        if hostname == NO_HOST or _is_address(hostname):
            return hostname
        return known.privatesuffix(hostname) or hostname

    return root_of


def _is_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True
