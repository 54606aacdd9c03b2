"""Reading on where many events wait: a page that ends after so many events or bytes, of one site or of all.

The server leaves out other sites' events, so that what is read twice for one site costs the worker nothing. Of what
does not wait yet it can't tell: that is `read_after` in claiming.py.
"""

from __future__ import annotations

from typing import Any, Final

import hiredis
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.queue import keys
from relay.queue.connection import in_one_trip
from relay.queue.scripts import sha
from relay.queue.stored import head_of, mark_of

RawEntry = tuple[bytes, dict[bytes, bytes]]

# KEYS events. ARGV first id, last id, most events, most bytes, what a plain form has behind its version, what those of
# versions 3 and 4 (bytes 51, 52) have there (both empty: all). → the last id that was looked at, then id, form and note
# of each entry that is meant; empty if there was nothing to look at. Of others it looks at a thousand entries or two
# megabytes, a millisecond or two of the server's.
READ: Final = """#!lua flags=no-writes
local from, most, most_bytes = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local found, events, looked, bytes, passed = {}, 0, 0, 0, 0
repeat
  local page = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', 16)
  for _, entry in ipairs(page) do
    local form = entry[2][1] == 'e' and entry[2][2] or ''
    local version = string.byte(form)
    local head = (version == 51 or version == 52) and ARGV[6] or ARGV[5]
    if string.sub(form, 2, 1 + #head) == head then
      found[#found + 1] = entry[1]
      found[#found + 1] = form
      found[#found + 1] = entry[2][3] == 'n' and entry[2][4] or ''
      events = events + (version == 52 and string.byte(form, 8) or 1)
      bytes = bytes + #form
    end
    passed = passed + #form
  end
  if #page > 0 then from = '(' .. page[#page][1] end
  looked = looked + #page
until #page < 16 or events >= most or bytes >= most_bytes or looked >= 1000 or passed >= 2000000
if looked > 0 then table.insert(found, 1, string.sub(from, 2)) end
return found
"""


async def read_on(
    redis: Redis, partition: int, span: tuple[bytes, bytes], most: tuple[int, int], site: str | None = None
) -> tuple[bytes | None, list[RawEntry]]:
    """The entries within `span`, first and last id: all, or those of one site (and of one with the same mark).

    At most `most` events and bytes, and a few. Returns them with the last id that was looked at, None if there was
    nothing there.
    """
    heads = (b"", b"") if site is None else (head_of(site), mark_of(site))
    words = ("EVALSHA", sha(READ), 1, keys.events(partition), *span, *most, *heads)
    call: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
    try:
        [found] = await in_one_trip(redis, [call])
    except NoScriptError:
        await redis.script_load(READ)
        [found] = await in_one_trip(redis, [call])
    return (found[0] if found else None), _entries(found)


def _entries(found: list[Any]) -> list[RawEntry]:
    each = zip(found[1::3], found[2::3], found[3::3], strict=True)
    return [(entry_id, {b"e": form, b"n": note} if note else {b"e": form}) for entry_id, form, note in each]
