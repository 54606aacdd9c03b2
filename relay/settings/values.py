"""The kinds of value a setting can have: how each is read, and what would be right.

A kind is an annotated type; its `Shape` carries the words that faults, `--help`, config/relay.toml and the README use.
Readers raise ValueError saying what is wrong. Those of a secret kind never quote the value, not even a piece of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from relay.rules.event import Validation
from relay.rules.visitor import Network
from relay.settings.urls import read_redis_url, read_upstream

TEN_YEARS_S = 315_360_000
WEEK_S = 604_800
LAST_PORT = 65_535
MOST_A_SECOND = 100_000  # a limit beyond what a door can take is none
KEY_LENGTH = 16
QUOTED_LENGTH = 60  # characters of a wrong value that a fault repeats


@dataclass(frozen=True, slots=True)
class Shape:
    """What is said of a kind of value: `right` completes "right would be …"; `absent` is the default called none."""

    right: str
    metavar: str
    unit: str = ""
    absent: str = "none"
    example: str | float = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens. `str()` gives `host:port`, with an IPv6 host in brackets; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def quoted(value: object) -> str:
    """The value as a fault repeats it: with quotes, escaped, and cut to a readable length."""
    text = repr(value)
    return text if len(text) <= QUOTED_LENGTH else f"{text[:QUOTED_LENGTH]}…"


def _read_address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} is not text")  # noqa: TRY004 - pydantic collects ValueErrors only
    host, colon, port = value.strip().rpartition(":")
    if not colon or not host:
        raise ValueError(f"{quoted(value)} needs both a host and a port")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > LAST_PORT:
        raise ValueError(f"{quoted(port)} is not a port from 0 to {LAST_PORT}")
    if host.startswith("[") and host.endswith("]"):
        return Address(host[1:-1], int(port))
    if ":" in host:
        raise ValueError(f"{quoted(value)} has an IPv6 host without brackets")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        raise ValueError(f"{quoted(host)} is not a host")
    return Address(host, int(port))


def _read_prop_name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]{0,58}[A-Za-z0-9]?", value):
        raise ValueError(f"{quoted(value)} is no such name")  # stricter than Plausible: what stands here is sent there
    return value


def _read_path(value: object) -> object:
    if isinstance(value, str):
        if not value.strip() or "\0" in value:
            raise ValueError(f"{quoted(value)} names no folder")
        return Path(value).expanduser()
    return value


def _listed(value: object) -> list[str]:
    members: Iterable[object]
    if isinstance(value, str):
        members = value.split(",")
    elif isinstance(value, list | tuple):
        members = value
    else:
        raise ValueError(f"{quoted(value)} is not a list")  # noqa: TRY004 - pydantic collects ValueErrors only
    texts = [str(member).strip() for member in members]
    return [text for text in texts if text]


def read_sites(value: object) -> tuple[str, ...]:
    """Site names as Plausible compares them: trimmed, without one leading `www.`, case kept (contract section 1)."""
    sites = _listed(value)
    if not sites and value != ():  # empty is the default only
        raise ValueError("it names no site")
    if "*" in sites and len(sites) > 1:
        raise ValueError("* means every site and stands alone")
    for site in sites:
        if site != "*" and not re.fullmatch(r"[^\s*:?#@,/]+(/[^\s*:?#@,]*)?", site):
            raise ValueError(f"{quoted(site)} is not a site's domain")
    return tuple(dict.fromkeys(site.removeprefix("www.") for site in sites))


def _read_networks(value: object) -> tuple[Network, ...]:
    return tuple(_read_network(text) for text in _listed(value))


def _read_network(text: str) -> Network:
    try:
        meant = ip_interface(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is neither a network nor an address") from None
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            f"{quoted(text)} has bits set behind its mask: {meant.network} is the network, {meant.ip} the address"
        ) from None


def _read_key(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("it is not text")  # noqa: TRY004 - pydantic collects ValueErrors only
    key = value.strip()
    if len(key) < KEY_LENGTH or not re.fullmatch(r"[!-~]+", key):
        raise ValueError(f"it is shorter than {KEY_LENGTH} characters, or not all of them are ASCII without spaces")
    return key


def _no_truth(value: object) -> object:
    if isinstance(value, bool):  # pydantic would read `true` as 1
        raise ValueError(f"{str(value).lower()} is not a number")  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


Listen = Annotated[
    Address,
    BeforeValidator(_read_address),
    Shape("host:port or [IPv6]:port, such as 127.0.0.1:8000; port 0 takes a free one", "HOST:PORT"),
]
Upstream = Annotated[
    str,
    BeforeValidator(read_upstream),
    Shape(
        "the base URL of Plausible without user name, ? or #, such as https://plausible.io",
        "URL",
        example="https://plausible.io",
        secret=True,
    ),
]
RedisUrl = Annotated[
    str,
    BeforeValidator(read_redis_url),
    Shape(
        "redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///path/to.sock "
        "or redis+sentinel://sentinel1:26379,sentinel2:26379/name",
        "URL",
        example="redis://127.0.0.1:6379/0",
        secret=True,
    ),
]
AdminKey = Annotated[
    str,
    BeforeValidator(_read_key),
    Shape(
        "a secret of at least 16 characters, such as `openssl rand -hex 16` prints",
        "KEY",
        example="write-your-own-secret-here",
        secret=True,
    ),
]
Folder = Annotated[Path, BeforeValidator(_read_path), Shape("the path of a folder, such as ./.relay", "PATH")]
Sites = Annotated[
    tuple[str, ...],
    BeforeValidator(read_sites),
    Shape(
        "domains as Plausible lists them, such as example.com,shop.example.com, or * alone",
        "DOMAIN,…",
        example="example.com,shop.example.com",
    ),
]
Networks = Annotated[
    tuple[Network, ...],
    BeforeValidator(_read_networks),
    Shape("networks or addresses, such as 10.0.0.0/8,192.0.2.7", "NETWORK,…", example="10.0.0.0/8,192.0.2.7"),
]
Seconds = Annotated[
    float,
    BeforeValidator(_no_truth),
    Field(gt=0, le=TEN_YEARS_S, allow_inf_nan=False),
    Shape(
        "a number of seconds above 0 and at most ten years, such as 2.5",
        "SECONDS",
        unit="seconds",
        example=86_400,
    ),
]
KeySeconds = Annotated[
    float,
    BeforeValidator(_no_truth),
    Field(ge=1, le=WEEK_S, allow_inf_nan=False),
    Shape("a number of seconds from 1 to 604800, which is seven days", "SECONDS", unit="seconds"),
]
PropName = Annotated[
    str,
    BeforeValidator(_read_prop_name),
    Shape("a name of letters, digits, _, - and spaces, at most 60, such as occurred_at", "NAME", example="occurred_at"),
]
Partitions = Annotated[
    int, BeforeValidator(_no_truth), Field(ge=1, le=1024), Shape("a whole number from 1 to 1024", "COUNT")
]
Concurrency = Annotated[
    int, BeforeValidator(_no_truth), Field(ge=1, le=10_000), Shape("a whole number from 1 to 10000", "COUNT")
]
Events = Annotated[
    int,
    BeforeValidator(_no_truth),
    Field(ge=1, le=1_000_000_000),
    Shape("a whole number from 1 to 1000000000", "COUNT", unit="events"),
]
Rate = Annotated[
    float,
    BeforeValidator(_no_truth),
    Field(gt=0, le=MOST_A_SECOND, allow_inf_nan=False),
    Shape("a number above 0 and at most 100000, such as 5 or 0.5", "NUMBER", unit="events a second", example=5),
]
Burst = Annotated[
    int,
    BeforeValidator(_no_truth),
    Field(ge=1, le=1_000_000),
    Shape("a whole number from 1 to 1000000", "COUNT", unit="events", example=50),
]
Days = Annotated[
    int,
    BeforeValidator(_no_truth),
    Field(ge=1, le=3650),
    Shape("a whole number of days from 1 to 3650", "DAYS", unit="days"),
]
Strictness = Annotated[Validation, Shape("strict or plausible", "strict|plausible")]
WhenMissing = Annotated[Literal["refuse", "accept"], Shape("refuse or accept", "refuse|accept")]
WhenAmbiguous = Annotated[Literal["retry", "park"], Shape("retry or park", "retry|park")]
LogFormat = Annotated[
    Literal["text", "json"],
    Shape("text or json", "text|json", absent="text on a terminal, else json", example="json"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Shape("debug, info, warning or error", "debug|info|warning|error"),
]
