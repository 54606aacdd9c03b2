"""Asks the data set for its number of partitions before a door or a worker starts, and refuses another one.

Their own refusal would come from several processes at once, with a way out that does not fit `relay up`.
"""

from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from relay.queue import keys
from relay.queue.connection import connect, kept_partitions
from relay.up.faults import StartError

_ANSWER_WITHIN_S: Final = 5.0
_WRONG_CONFIGURATION: Final = 2


async def refuse_other_partitions(redis_url: str, partitions: int, embedded_in: Path | None) -> None:
    """Raise StartError if the data set was begun with another number. `embedded_in`: the embedded server's folder.

    A Redis of the user's own that does not answer yet is left to the doors and workers, which wait for it.
    """
    try:
        async with connect(redis_url, timeout_s=_ANSWER_WITHIN_S, connections=2) as client:
            kept = await kept_partitions(client)
    except (RedisError, OSError, TimeoutError):
        return
    if kept is not None and kept != partitions:
        raise StartError(_way_out(kept, partitions, embedded_in), exit_code=_WRONG_CONFIGURATION)


def _way_out(kept: int, partitions: int, embedded_in: Path | None) -> str:
    begin_anew = (
        f"move {embedded_in} away" if embedded_in else f"delete the key {keys.FORM} (redis-cli DEL {keys.FORM})"
    )
    return (
        f"The events are kept in {kept} partitions, and RELAY_PARTITIONS is {partitions}.\n"
        f"Go on with RELAY_PARTITIONS={kept}. Or, to change the number:\n"
        f"  1. start with RELAY_PARTITIONS={kept}, and let nobody send events\n"
        "  2. retry or purge what `relay dead list` shows, and wait until `relay status` says pending 0\n"
        f"  3. stop the relay, and {begin_anew}\n"
        f"  4. start with RELAY_PARTITIONS={partitions}"
    )
