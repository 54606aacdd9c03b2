"""The two URLs among the settings: how each is read, and how the Redis URL is taken apart and shown.

Faults never quote a URL, not even a piece of it: a password with a bare ? or / in it ends up in any part.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SENTINEL: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26_379

# What may follow the ? of a Redis URL, and what its value looks like; of redis-py's options those that are not ours
# to set (time limits, numbers of connections).
_OPTIONS: Final = {"db": r"[0-9]{1,9}", "client_name": r"[!-~]+"}
_TLS_OPTIONS: Final = {
    "ssl_ca_certs": r".+",
    "ssl_certfile": r".+",
    "ssl_keyfile": r".+",
    "ssl_cert_reqs": r"none|optional|required",
    "ssl_check_hostname": r"(?i:true|false|yes|no|on|off|1|0)",
}
_SENTINEL_OPTIONS: Final = {"sentinel_password": r".+"}
_MORE_OPTIONS: Final = {"rediss": _TLS_OPTIONS, SENTINEL: _SENTINEL_OPTIONS}

_SENTINEL_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_SENTINEL_PATH = re.compile(r"/([A-Za-z0-9._-]+)(?:/([0-9]{1,9}))?/?")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """A `redis+sentinel://` URL: the Sentinels to ask, the name of the server they watch, and how to speak to it."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    db: int
    username: str | None
    password: str | None
    sentinel_password: str | None


def read_upstream(value: object) -> str:
    """Plausible's base URL. Raises ValueError saying what is wrong."""
    parts = _parts_of(value)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("it does not begin with https:// or http://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if "@" in parts.netloc:
        raise ValueError("it has a user name or password in it, which Plausible does not use for events")
    if parts.query or parts.fragment:
        raise ValueError("it has a ? or # part")
    path = parts.path.rstrip("/").removesuffix("/api/event").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def read_redis_url(value: object) -> str:
    """The queue's URL, as it came. Raises ValueError saying what is wrong."""
    parts = _parts_of(value, several_hosts=True)
    if parts.scheme not in {"redis", "rediss", "unix", SENTINEL}:
        raise ValueError("it does not begin with redis://, rediss://, unix:// or redis+sentinel://")
    if parts.fragment:
        raise ValueError("it has a # part; in a password # is written %23")
    if parts.scheme == "unix":
        if len(parts.path) < len("/s"):
            raise ValueError("it names no socket")
    elif parts.scheme == SENTINEL:
        _sentinel_hosts(parts)
        if not _SENTINEL_PATH.fullmatch(parts.path):
            raise ValueError("the hosts are not followed by /, the name that the Sentinels know the server by")
    elif not parts.hostname:
        raise ValueError("it names no host")
    elif not re.fullmatch(r"/?[0-9]{0,9}", parts.path):
        raise ValueError("what follows the host is not the number of a database")
    _check_options(parts)
    return str(value).strip()


def sentinel_of(url: str) -> SentinelUrl | None:
    """The parts of a URL that was read before; None for every other scheme."""
    parts = urlsplit(url)
    if parts.scheme != SENTINEL:
        return None
    path = _SENTINEL_PATH.fullmatch(parts.path)
    assert path is not None  # noqa: S101 - read_redis_url has seen it
    options = dict(parse_qsl(parts.query))
    return SentinelUrl(
        hosts=_sentinel_hosts(parts),
        service=path[1],
        db=int(path[2] or options.get("db", 0)),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        sentinel_password=options.get("sentinel_password"),
    )


def where_of(url: str) -> str:
    """Where the queue is, for people: host and port or socket, without user, password and options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    sentinel = sentinel_of(url)
    if sentinel is not None:
        asked = ", ".join(f"{host}:{port}" for host, port in sentinel.hosts)
        return f"{sentinel.service} (by the Sentinels {asked})"
    return f"{parts.hostname}:{parts.port or 6379}"


def _parts_of(value: object, *, several_hosts: bool = False) -> SplitResult:
    if not isinstance(value, str):
        raise ValueError("it is not text")  # noqa: TRY004 - pydantic collects ValueErrors only
    text = value.strip()
    if not text.isprintable() or " " in text:
        raise ValueError("it has a space or a control character inside")
    try:
        parts = urlsplit(text)
        port = None if several_hosts and parts.scheme == SENTINEL else parts.port
    except ValueError:  # its text would repeat the value
        raise ValueError("its host or port cannot be read") from None
    if port == 0:
        raise ValueError("its port is 0")
    return parts


def _sentinel_hosts(parts: SplitResult) -> tuple[tuple[str, int], ...]:
    hosts = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        found = _SENTINEL_HOST.fullmatch(text)
        if found is None or not 0 < int(found[2] or SENTINEL_PORT) < 65_536:  # noqa: PLR2004 - ports have 16 bits
            raise ValueError("its hosts cannot be read")
        hosts.append((found[1].strip("[]"), int(found[2] or SENTINEL_PORT)))
    return tuple(hosts)


def _check_options(parts: SplitResult) -> None:
    """Only names of ours are repeated."""
    legal = _OPTIONS | _MORE_OPTIONS.get(parts.scheme, {})
    try:
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # its text would repeat the value
        raise ValueError("what follows its ? is no list of options") from None
    for name, text in options:
        if name in _TLS_OPTIONS and name not in legal:
            raise ValueError(f"its option {name} goes with rediss:// only")
        if name not in legal:
            raise ValueError(f"it has an option that is none of {', '.join(legal)}")
        if not re.fullmatch(legal[name], text):
            raise ValueError(f"its option {name} cannot be read")
