"""The data folder: who owns it (`lock`), and what runs on it (`run.json`).

The owner holds a flock, and its embedded server inherits it: two servers on one append-only file ruin it silently.
Nothing here ever deletes data.
"""

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import redis

from relay.up.faults import StartError

ORPHAN_GRACE_S: Final = 10.0  # an orphaned server was told to end and flushes its log; that takes about a second


@dataclass(frozen=True, slots=True)
class Run:
    """What `relay up` runs on a data folder. `pid` is the supervisor's; the addresses are base URLs."""

    pid: int
    redis_url: str
    upstream: str
    door: str
    sandbox: str | None

    @property
    def alive(self) -> bool:
        """Whether the supervisor's process exists."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's process: it exists
            return True
        return True


def read_run(data: Path) -> Run | None:
    """Return what `<data>/run.json` says, or None if there is none or it is unreadable.

    It may be left over from a supervisor that was killed: ask `alive`.
    """
    try:
        fields = json.loads((data / "run.json").read_bytes())
        return Run(**fields)
    except (OSError, ValueError, TypeError):
        return None


def write_run(data: Path, run: Run) -> None:
    """Write `<data>/run.json`, readable by its owner only (the Redis URL may hold a password), whole or not at all."""
    fresh = data / f"run.json.{run.pid}"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(run), file)
    fresh.replace(data / "run.json")


def remove_run(data: Path) -> None:
    """Remove `<data>/run.json` if it is this process's."""
    run = read_run(data)
    if run is not None and run.pid == os.getpid():
        (data / "run.json").unlink(missing_ok=True)


def in_the_way(data: Path) -> str | None:
    """Say what stands where the data folder or one above it would be, or None if nothing does."""
    there = next((path for path in (data, *data.parents) if os.path.lexists(path)), None)
    if there is None or os.path.isdir(there):  # noqa: PTH112 - Path.is_dir raises where a link's goal may not be seen
        return None
    kind = "a file" if os.path.exists(there) else "a link that leads nowhere"  # noqa: PTH110 - the same
    return f"{data} cannot be the data folder: {there} is {kind}"


def make_data_folder(data: Path) -> Path:
    """Create the folder for its owner only, if it is not there. Returns its absolute path; raises StartError."""
    wrong = in_the_way(data)
    if wrong is not None:
        raise StartError(f"{wrong}.\nName another folder with RELAY_DATA; one that is not there yet is made.")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The data folder {data} cannot be used: {error.strerror}.\n"
            "Make it writable for this user, or name another one with RELAY_DATA."
        ) from error
    return data.resolve()


def lock_data_folder(data: Path, *, grace_s: float = ORPHAN_GRACE_S) -> int:
    """Own the folder until the returned file descriptor is closed, here and in every process that inherited it.

    A folder whose supervisor lives is refused at once; one that only an orphaned server still holds gets `grace_s`
    seconds to become free. Raises StartError.
    """
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_lock(descriptor, data, grace_s)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _wait_for_lock(descriptor: int, data: Path, grace_s: float) -> None:
    deadline_s = time.monotonic() + grace_s
    while not _try_lock(descriptor, data):
        run = read_run(data)
        if run is not None and run.alive:
            raise StartError(_in_use(data, run))
        if time.monotonic() > deadline_s:
            raise StartError(_orphaned(data, run))
        time.sleep(0.1)


def _try_lock(descriptor: int, data: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems have no locks
        raise StartError(
            f"The data folder {data} cannot be locked: {error.strerror}.\n"
            "Name a folder on a local disk with RELAY_DATA, or a Redis of your own with RELAY_REDIS_URL."
        ) from error
    return True


def _in_use(data: Path, run: Run) -> str:
    return (
        f"The data folder {data} is in use: a relay runs on it as process {run.pid}, its door is {run.door}.\n"
        f"Stop that one first (kill {run.pid}, or Ctrl-C where it runs), or name another folder with RELAY_DATA."
    )


def _orphaned(data: Path, run: Run | None) -> str:
    pid = run and _server_pid(run.redis_url)
    holder = f"an orphaned server (process {pid})" if pid else "a process that the relay does not know"
    end_it = f"kill {pid}" if pid else f"find it with `fuser {data / 'lock'}` or `lsof {data / 'lock'}`"
    was = f" It belonged to process {run.pid}, which is gone." if run else ""
    return (
        f"The data folder {data} is still held by {holder}.{was}\n"
        f"End it ({end_it}; its data is safe), or name another folder with RELAY_DATA."
    )


def _server_pid(redis_url: str) -> int | None:
    with contextlib.suppress(redis.RedisError, ValueError, KeyError):
        client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        with contextlib.closing(client):
            return int(client.info("server")["process_id"])  # type: ignore[index]  # the client's types span its async twin
    return None
