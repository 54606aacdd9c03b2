"""What `relay up` says when everything serves: where things are, how to look, how to stop, what to try.

For people, on standard output; its last line is a command to copy.
"""

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from relay.queue.connection import connect, describe
from relay.queue.ledger import pending_events
from relay.settings import Address
from relay.up.datadir import Run

# A visitor as Plausible knows them, with a browser and a system; of curl's own User-Agent it learns neither.
_BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
_ANSWER_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What there is to say. `server` names the embedded server, None with a Redis of the user's own."""

    run: Run
    listen: Address
    site: str
    data: Path
    data_is_default: bool
    server: str | None
    pending: int | str


async def count_pending(redis_url: str, partitions: int) -> int | str:
    """Return how many events of earlier runs wait, or in words why that is not known."""
    client = connect(redis_url, timeout_s=_ANSWER_WITHIN_S, connections=2)
    try:
        async with client:
            return await pending_events(client, partitions)
    except (RedisError, OSError) as error:
        return f"not known, {without_secrets(redis_url)} does not answer ({describe(error)})"


def greeting(welcome: Welcome) -> str:
    """Return the text; it ends with a line to copy."""
    run = welcome.run
    wide = "" if welcome.listen.host in run.door else f" (listening on {welcome.listen})"
    lines = [
        "",
        "The relay is up.",
        "",
        f"  door      {run.door}/api/event  takes events as Plausible does{wide}",
        _where_events_go(run),
        f"  kept in   {_where_events_are_kept(welcome)}",
        *_what_waits(welcome.pending),
        "",
        f"  look      {_status(welcome)}  ·  {run.door}/health/ready  ·  {run.door}/metrics",
        "  stop      Ctrl-C; what was accepted and not yet delivered goes on at the next start",
        "",
        "Try it:",
        "",
        curl_line(run.door, welcome.site),
    ]
    return "\n".join(lines)


def curl_line(door: str, site: str) -> str:
    """Return a shell command that posts one pageview."""
    body = json.dumps({"name": "pageview", "domain": site, "url": f"https://{site}/"}, separators=(",", ":"))
    headers = ("Content-Type: application/json", f"User-Agent: {_BROWSER}")
    said = " ".join(f"-H {shlex.quote(header)}" for header in headers)
    return f"curl -i {shlex.quote(f'{door}/api/event')} {said} -d {shlex.quote(body)}"


def without_secrets(redis_url: str) -> str:
    """Return the URL without user name, password and options."""
    parts = urlsplit(redis_url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _where_events_go(run: Run) -> str:
    if run.sandbox is None:
        return f"  upstream  {run.upstream}  gets the events"
    return f"  sandbox   {run.sandbox}/  stands in for Plausible and shows what arrives; nothing leaves this machine"


def _where_events_are_kept(welcome: Welcome) -> str:
    if welcome.server is None:
        return f"{without_secrets(welcome.run.redis_url)}; how safe they are there stands in `relay status`"
    return f"{welcome.data} by {welcome.server}; a 202 means: on disk (appendfsync always)"


def _what_waits(pending: int | str) -> list[str]:
    match pending:
        case 0:
            return []
        case 1:
            return ["  pending   1 event from before; it is being delivered now"]
        case int():
            return [f"  pending   {pending:,} events from before; they are being delivered now"]
        case str():
            return [f"  pending   {pending}"]


def _status(welcome: Welcome) -> str:
    """Return the command to type: `relay` if that is found, else its path as seen from here; and which data."""
    program = Path(sys.argv[0])
    on_path = shutil.which("relay")
    command = "relay"
    if program.name == "relay" and (on_path is None or not program.samefile(on_path)):
        nearby = os.path.relpath(program)
        command = shlex.quote(str(program) if nearby.startswith(os.pardir) else nearby)
    data = "" if welcome.data_is_default else f"RELAY_DATA={shlex.quote(str(welcome.data))} "
    return f"{data}{command} status"
