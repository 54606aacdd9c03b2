"""The Lua scripts that look at what is kept and change nothing; whoever runs them is elsewhere."""

from __future__ import annotations

from typing import Final

from relay.queue.keys import COUNT, STATE

# KEYS events, bundles. → how many events are pending.
PENDING: Final = f"""#!lua flags=no-writes
{COUNT}
return pending(KEYS[1], KEYS[2])
"""

# KEYS events, bundles. ARGV ids of bundles. → of each which of its events have their outcome, as `bundles` says; empty
# if none has, and all of them if the entry is gone: whoever read it a moment ago must not take them for pending.
STATES: Final = """#!lua flags=no-writes
local told = {}
for i, id in ipairs(ARGV) do
  local state = redis.call('HGET', KEYS[2], id)
  if not state then state = #redis.call('XRANGE', KEYS[1], id, id) > 0 and '' or string.rep('1', 255) end
  told[i] = state
end
return told
"""

# KEYS events, retry, ledger, dead, owner, bundles. → one consistent look at a partition.
LOOK: Final = f"""#!lua flags=no-writes
{COUNT}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {{redis.call('HGETALL', KEYS[3]), pending(KEYS[1], KEYS[6]), first and first[1] or '',
         redis.call('HLEN', KEYS[2]), redis.call('XLEN', KEYS[4]), redis.call('GET', KEYS[5]) or '',
         redis.call('TIME')}}
"""

# Reads entries of a stream without their bodies: id, the stored form's head (of versions 3 and 4, bytes 51 and 52, all
# of it: its head is inside), note, or of a bundle which of its events have an outcome. Ends after so many entries or
# bytes (a body may have a megabyte), and says whether that was the end of what was asked for.
_HEADS: Final = """
local function heads(key, bundles, from, last, most, most_bytes)
  local found, bytes = {}, 0
  while #found < 3 * most and bytes < most_bytes do
    local page = redis.call('XRANGE', key, from, last, 'COUNT', 10)
    for _, entry in ipairs(page) do
      local form = entry[2][1] == 'e' and entry[2][2] or ''
      found[#found + 1] = entry[1]
      local version = string.byte(form)
      local whole = version == 51 or version == 52
      found[#found + 1] = string.sub(form, 1, whole and #form or string.find(form, '\\n', 1, true) or 0)
      local note = version == 52 and bundles ~= '' and redis.call('HGET', bundles, entry[1])
      found[#found + 1] = note or entry[2][3] == 'n' and entry[2][4] or ''
      bytes = bytes + #form
    end
    if #page < 10 then return found, true end
    from = '(' .. page[#page][1]
  end
  return found, false
end
"""

# KEYS stream, bundles (empty: of dead letters). ARGV first id, last id, most entries, most bytes. → id, head, note of
# each.
HEADS: Final = (
    "#!lua flags=no-writes"
    + _HEADS
    + """
return (heads(KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])))
"""
)

# KEYS events, bundles, tallies. ARGV most entries, most bytes. → heads of all entries, and the tallies at that moment;
# empty if there are more.
MOMENT: Final = (
    "#!lua flags=no-writes"
    + _HEADS
    + """
local found, whole = heads(KEYS[1], KEYS[2], '-', '+', tonumber(ARGV[1]), tonumber(ARGV[2]))
if not whole then return {} end
local tallies = {}
for i = 3, #KEYS do tallies[i - 2] = redis.call('HGETALL', KEYS[i]) end
return {found, tallies}
"""
)

# KEYS events, retry, bundles. ARGV cursor. → next cursor, how many notes were looked at, those whose event is not
# pending, and those that are no note.
SCHEDULE: Final = (
    "#!lua flags=no-writes"
    + STATE
    + """
local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', 500)
local orphans, damaged = {}, {}
for i = 1, #page[2], 2 do
  local id = page[2][i]
  local known, pends = pcall(is_pending, KEYS[1], KEYS[3], id)
  if not known or not pends then orphans[#orphans + 1] = id end
  local read, note = pcall(cjson.decode, page[2][i + 1])
  if not read or type(note) ~= 'table' or not note['next_ms'] then damaged[#damaged + 1] = id end
end
return {page[1], #page[2] / 2, orphans, damaged}
"""
)
