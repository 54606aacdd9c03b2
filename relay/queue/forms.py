"""Which stored forms may be written: the compressed ones only where every worker reads them.

A worker tells with each heartbeat what it reads; one that tells nothing is older than that. Workers count until they
have left, or have been silent for a minute. Where none is known, the last ones seen count: the next is no older, as
long as nobody goes back to an older relay.
"""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import READS

# KEYS states, form. ARGV versions of the stored form, a digit each. → those of them that every worker that is known
# reads; where none is known, as it was when one was. A worker that says nothing of it is older than this question.
AGREED: Final = """#!lua flags=allow-oom
local states = redis.call('HVALS', KEYS[1])
local before = redis.call('HGET', KEYS[2], 'reads') or ''
local all, reads = ARGV[1], {before}
for i, text in ipairs(states) do
  local read, state = pcall(cjson.decode, text)
  local told = read and type(state) == 'table' and state['reads']
  reads[i] = type(told) == 'string' and told or ''
end
for _, some in ipairs(reads) do
  all = string.gsub(all, '.', function(version) return string.find(some, version, 1, true) and version or '' end)
end
if #states > 0 and before ~= all then redis.call('HSET', KEYS[2], 'reads', all) end
return all
"""


async def read_by_all(redis: Redis) -> str:
    """The versions that may be written now, a digit each; to be asked again about every second.

    Raises what redis-py raises.
    """
    touched = (keys.WORKER_STATES, keys.FORM)
    told: Any = await redis.eval(AGREED, len(touched), *touched, READS)  # type: ignore[misc]
    return str(told.decode())
