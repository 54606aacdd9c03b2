"""Which stored form may be written: the compressed one only where every worker reads it.

A worker tells with each heartbeat what it reads; one that tells nothing is older than that. Workers count until they
have left, or have been silent for a minute. Where none is known, the last ones seen count: the next is no older, as
long as nobody goes back to an older relay.
"""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import SMALL

# KEYS states, form. ARGV version of a stored form. → 1 if every worker that is known reads it; where none is known, as
# it was when one was. A worker that says nothing of it is older than this question.
AGREED: Final = """#!lua flags=allow-oom
local states = redis.call('HVALS', KEYS[1])
local before = redis.call('HGET', KEYS[2], 'reads') or ''
if #states == 0 then return string.find(before, ARGV[1], 1, true) and 1 or 0 end
local all = ARGV[1]
for _, text in ipairs(states) do
  local read, state = pcall(cjson.decode, text)
  local reads = read and type(state) == 'table' and state['reads']
  if type(reads) ~= 'string' or not string.find(reads, ARGV[1], 1, true) then all = '' end
end
if before ~= all then redis.call('HSET', KEYS[2], 'reads', all) end
return #all
"""


async def compressed_is_read(redis: Redis) -> bool:
    """Whether events may be kept compressed now; to be asked again about every second. Raises what redis-py raises."""
    touched = (keys.WORKER_STATES, keys.FORM)
    return bool(await redis.eval(AGREED, len(touched), *touched, SMALL.decode()))  # type: ignore[misc]
