"""Every Redis key, and every Lua script that an event goes through, and nothing that runs them.

All keys of a partition share the hash tag `{p}`, and each script touches one slot, but for those that put and settle:
they write for all partitions in one step. Events never expire: XDEL in `SETTLE` is the only way out of a stream. What
frees memory or keeps the workers going runs above `maxmemory` too (`allow-oom`, Redis 7); `PUT` does not, so a full
queue can drain.
"""

from __future__ import annotations

from typing import Final

FORM: Final = "relay:form"  # hash: the number of partitions, fixed at the first start, and what the workers read
WORKERS: Final = "relay:workers"  # zset: worker name → time of its last heartbeat, ms
WORKER_STATES: Final = "relay:worker-states"  # hash: worker name → JSON of what it owns and how its upstream fares
REFUSED: Final = "relay:refused"  # hash: reason → how many requests the doors refused
PULSE: Final = "relay:pulse"  # string: a door writes here to see that writing works
SOURCES: Final = "relay:sources"  # hash: name of a source → JSON of what it may, with digests of its keys
SOURCE_CHANGES: Final = "relay:source-changes"  # string: how often a source was added, changed or removed
LIMIT_SALT: Final = "relay:limit-salt"  # string: makes an address unknowable in the names of its bucket; for a day
ARQ_QUEUE: Final = "relay:arq"  # zset of arq: upkeep jobs only, never events


def events(partition: int) -> str:
    """Stream of pending events; an entry's field `e` is the stored form."""
    return f"relay:{{{partition}}}:events"


def owner(partition: int) -> str:
    """String: token of the worker that holds the lease."""
    return f"relay:{{{partition}}}:owner"


def retry(partition: int) -> str:
    """Hash: entry id → JSON of what is known of its failed attempts."""
    return f"relay:{{{partition}}}:retry"


def ledger(partition: int) -> str:
    """Hash of counters."""
    return f"relay:{{{partition}}}:ledger"


def dead(partition: int) -> str:
    """Stream of dead letters: `e` the stored event, `n` JSON of why."""
    return f"relay:{{{partition}}}:dead"


def limit(source: str) -> str:
    """String: when a source's bucket is full again, ms; expires then. Followed by an address's hash: that address's."""
    return f"relay:limit:{source}:"


def tally(partition: int, hour: int | str = "") -> str:
    """Hash: `<verb> <site>` → how many events accepted in that hour (Unix time / 3,600). Without hour: the prefix."""
    return f"relay:{{{partition}}}:tally:{hour}"


TALLY_KEPT_S: Final = 40 * 86_400  # a month and some days; the ledger itself is kept for ever
TALLY_FIELDS: Final = 4_000  # of one hour and partition: with RELAY_SITES=* any sender can make up sites
OTHER_SITES: Final = "*"  # the tally of the sites beyond that

# Adds n to the tally of an event's hour and site. Outcomes go where `accepted` went, so that each hour balances. Nearly
# always the field is there, and that is all; a new one may have to go, and its n to the others.
# The zset `hours` lists them, until they expire: all keys are too many to look through.
TALLY: Final = f"""
local function tally(prefix, hour, verb, site, n)
  if hour == '' then return end
  local key = prefix .. hour
  local field = verb .. ' ' .. site
  if redis.call('HINCRBY', key, field, n) ~= n then return end
  local size = redis.call('HLEN', key)
  local unknown = verb ~= 'accepted' and redis.call('HEXISTS', key, 'accepted ' .. site) == 0
  if unknown or verb == 'accepted' and size > {TALLY_FIELDS} then
    redis.call('HDEL', key, field)
    if unknown and size == 1 then return end
    if redis.call('HINCRBY', key, verb .. ' {OTHER_SITES}', n) ~= n then return end
  end
  local now_s = redis.call('TIME')[1]
  redis.call('EXPIRE', key, {TALLY_KEPT_S})
  redis.call('ZADD', prefix .. 'hours', now_s + {TALLY_KEPT_S}, hour)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'hours', 0, now_s - 1)
end
"""

# What a step for one partition returns, or the server's words why it failed: the others' steps go on.
EACH: Final = """
local function each(step, ...)
  local fine, told = pcall(step, ...)
  if fine then return told end
  return type(told) == 'table' and told['err'] or tostring(told)
end
"""

# KEYS events, ledger, prefix of tallies of each partition. ARGV of each: how many tallies, how many events, hour, site,
# count of each tally, events. One call for all, as a call each costs more than their events; what is damaged in one
# partition fails that one only. → of each '', or the server's words why it failed.
PUT: Final = (
    "#!lua"
    + EACH
    + TALLY
    + """
local function put(k, at)
  local first, n = at + 2 + 3 * ARGV[at], ARGV[at + 1]
  for i = first, first + n - 1 do redis.call('XADD', KEYS[k], '*', 'e', ARGV[i]) end
  redis.call('HINCRBY', KEYS[k + 1], 'accepted', n)
  for i = at + 2, first - 1, 3 do tally(KEYS[k + 2], ARGV[i], 'accepted', ARGV[i + 1], tonumber(ARGV[i + 2])) end
  return ''
end
local replies, at = {}, 1
for k = 1, #KEYS, 3 do
  replies[#replies + 1] = each(put, k, at)
  at = at + 2 + 3 * ARGV[at] + ARGV[at + 1]
end
return replies
"""
)

# KEYS events, retry, ledger, dead, prefix of tallies of each partition. ARGV: '1' if this call may be a repeat of one
# whose answer was lost, then of each partition how many words follow, and groups of like outcomes: verb, note, hour,
# site, how many ids, ids. Verb and note are delivered|- , dropped|cause, dead|JSON with a "reason", again|JSON; the
# last two alone. Facts need no lease: only the first that is said counts. A damaged key fails its own partition, before
# an event is deleted. → of each how many found their entry gone (sent by another, too), or the server's words why it
# failed.
SETTLE: Final = (
    "#!lua flags=allow-oom"
    + EACH
    + TALLY
    + """
local again = ARGV[1] == '1'
local function settle(k, i, last)
  local events, retry, ledger, dead, tallies = unpack(KEYS, k, k + 4)
  local repeats = 0
  redis.call('HLEN', retry)
  redis.call('HLEN', ledger)
  while i <= last do
    local verb, note, n, id = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 4]), ARGV[i + 5]
    if verb == 'again' then
      if #redis.call('XRANGE', events, id, id) > 0 then redis.call('HSET', retry, id, note) end
    else
      local letter = verb == 'dead' and redis.call('XRANGE', events, id, id)[1]
      local reason = letter and cjson.decode(note)['reason']
      if letter then redis.call('XADD', dead, '*', 'e', letter[2][2], 'n', note) end
      local gone = redis.call('XDEL', events, unpack(ARGV, i + 5, i + 4 + n))
      if gone > 0 then
        redis.call('HDEL', retry, unpack(ARGV, i + 5, i + 4 + n))
        redis.call('HINCRBY', ledger, verb, gone)
        tally(tallies, ARGV[i + 2], verb, ARGV[i + 3], gone)
        if verb == 'dropped' then redis.call('HINCRBY', ledger, 'dropped:' .. note, gone) end
        if reason then redis.call('HINCRBY', ledger, 'dead:' .. reason, 1) end
      end
      if not again then repeats = repeats + n - gone end
      if not again and gone < n and verb == 'delivered' then redis.call('HINCRBY', ledger, 'repeated', n - gone) end
    end
    i = i + 5 + n
  end
  return repeats
end
local replies, at = {}, 2
for k = 1, #KEYS, 5 do
  local last = at + ARGV[at]
  replies[#replies + 1] = each(settle, k, at + 1, last)
  at = last + 1
end
return replies
"""
)

# KEYS events, retry, ledger, dead, owner. → one consistent look at a partition.
LOOK: Final = """#!lua flags=no-writes
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('HGETALL', KEYS[3]), redis.call('XLEN', KEYS[1]), first and first[1] or '',
        redis.call('HLEN', KEYS[2]), redis.call('XLEN', KEYS[4]), redis.call('GET', KEYS[5]) or '',
        redis.call('TIME')}
"""

# KEYS events, ledger, dead, prefix of tallies. ARGV id, hour, site of each dead letter. One whose note is damaged
# stays: it could not be taken out of the count of its reason. → how many went back to the end of the stream.
REDRIVE: Final = (
    "#!lua flags=allow-oom"
    + TALLY
    + """
local moved = 0
for i = 1, #ARGV, 3 do
  local letter = redis.call('XRANGE', KEYS[3], ARGV[i], ARGV[i])[1]
  local read, note = pcall(cjson.decode, letter and letter[2][4] or '')
  if read and type(note) == 'table' and note['reason'] and redis.call('XDEL', KEYS[3], ARGV[i]) == 1 then
    redis.call('XADD', KEYS[1], '*', 'e', letter[2][2])
    redis.call('HINCRBY', KEYS[2], 'dead', -1)
    tally(KEYS[4], ARGV[i + 1], 'dead', ARGV[i + 2], -1)
    redis.call('HINCRBY', KEYS[2], 'dead:' .. note['reason'], -1)
    redis.call('HINCRBY', KEYS[2], 'redriven', 1)
    moved = moved + 1
  end
end
return moved
"""
)

# KEYS ledger, dead. ARGV ids of dead letters. → how many were removed for good; they stay counted as dead.
PURGE: Final = """#!lua flags=allow-oom
local gone = redis.call('XDEL', KEYS[2], unpack(ARGV))
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'purged', gone) end
return gone
"""

# KEYS ledger, dead. ARGV oldest id to keep, most letters to keep. → how many were removed for good.
RETAIN: Final = """#!lua flags=allow-oom
local gone = redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1]) + redis.call('XTRIM', KEYS[2], 'MAXLEN', ARGV[2])
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'purged', gone) end
return gone
"""

# Reads entries of a stream without their bodies: id, the stored form's head (of version 3, 51, all of it: its head is
# inside), note. Ends after so many entries or bytes (a body may have a megabyte), and says whether that was the end of
# what was asked for.
_HEADS: Final = """
local function heads(key, from, last, most, most_bytes)
  local found, bytes = {}, 0
  while #found < 3 * most and bytes < most_bytes do
    local page = redis.call('XRANGE', key, from, last, 'COUNT', 10)
    for _, entry in ipairs(page) do
      local form = entry[2][1] == 'e' and entry[2][2] or ''
      found[#found + 1] = entry[1]
      local head = string.byte(form) == 51 and #form or string.find(form, '\\n', 1, true) or 0
      found[#found + 1] = string.sub(form, 1, head)
      found[#found + 1] = entry[2][3] == 'n' and entry[2][4] or ''
      bytes = bytes + #form
    end
    if #page < 10 then return found, true end
    from = '(' .. page[#page][1]
  end
  return found, false
end
"""

# KEYS stream. ARGV first id, last id, most entries, most bytes. → id, head, note of each.
HEADS: Final = (
    "#!lua flags=no-writes"
    + _HEADS
    + """
return (heads(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])))
"""
)

# KEYS events, tallies. ARGV most entries, most bytes. → heads of all pending events, and the tallies at that moment;
# empty if there are more.
MOMENT: Final = (
    "#!lua flags=no-writes"
    + _HEADS
    + """
local found, whole = heads(KEYS[1], '-', '+', tonumber(ARGV[1]), tonumber(ARGV[2]))
if not whole then return {} end
local tallies = {}
for i = 2, #KEYS do tallies[i - 1] = redis.call('HGETALL', KEYS[i]) end
return {found, tallies}
"""
)

# KEYS events, retry. ARGV cursor. → next cursor, how many notes were looked at, those whose event is not pending, and
# those that are no note.
SCHEDULE: Final = """#!lua flags=no-writes
local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', 500)
local orphans, damaged = {}, {}
for i = 1, #page[2], 2 do
  local id = page[2][i]
  local found = redis.pcall('XRANGE', KEYS[1], id, id)
  if found['err'] or #found == 0 then orphans[#orphans + 1] = id end
  local read, note = pcall(cjson.decode, page[2][i + 1])
  if not read or type(note) ~= 'table' or not note['next_ms'] then damaged[#damaged + 1] = id end
end
return {page[1], #page[2] / 2, orphans, damaged}
"""

# KEYS sources, changes. ARGV name, what is kept of it now (empty: nothing), what shall be (empty: nothing), '1' if the
# last may go. → 1 done, 0 somebody else has changed it, -1 it is the last, without which the relay is open.
CHANGE_SOURCE: Final = """#!lua flags=allow-oom
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
  if ARGV[4] ~= '1' and redis.call('HLEN', KEYS[1]) == 1 then return -1 end
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.call('INCR', KEYS[2])
return 1
"""
