"""Every Redis key, and every Lua script of the queue that writes, and nothing that runs them.

All keys of a partition share the hash tag `{p}`, so each script touches one slot, but for that of events with a key
(once.py), whose records expire. Events never do: XDEL in `SETTLE` is the only way out of a stream. What frees memory or
keeps the workers going runs above `maxmemory` too (`allow-oom`, Redis 7); `PUT` does not, so a full queue can drain.
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

# Adds n to the tally of an event's hour and site. Outcomes go where `accepted` went, so that each hour balances.
# The zset `hours` lists them, until they expire: all keys are too many to look through.
TALLY: Final = f"""
local function tally(prefix, hour, verb, site, n)
  if hour == '' then return end
  local key = prefix .. hour
  if redis.call('HEXISTS', key, 'accepted ' .. site) == 0 then
    local size = redis.call('HLEN', key)
    if verb ~= 'accepted' and size == 0 then return end
    if verb ~= 'accepted' or size >= {TALLY_FIELDS} then site = '{OTHER_SITES}' end
  end
  if redis.call('HINCRBY', key, verb .. ' ' .. site, n) ~= n then return end
  local now_s = redis.call('TIME')[1]
  redis.call('EXPIRE', key, {TALLY_KEPT_S})
  redis.call('ZADD', prefix .. 'hours', now_s + {TALLY_KEPT_S}, hour)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'hours', 0, now_s - 1)
end
"""

# KEYS events, ledger, prefix of tallies. ARGV how many tallies, hour, site, count of each, events. → stream's length.
PUT: Final = (
    "#!lua"
    + TALLY
    + """
local first = 2 + 3 * ARGV[1]
for i = first, #ARGV do redis.call('XADD', KEYS[1], '*', 'e', ARGV[i]) end
redis.call('HINCRBY', KEYS[2], 'accepted', #ARGV - first + 1)
for i = 2, first - 1, 3 do tally(KEYS[3], ARGV[i], 'accepted', ARGV[i + 1], tonumber(ARGV[i + 2])) end
return redis.call('XLEN', KEYS[1])
"""
)

# KEYS events, retry, ledger, dead, prefix of tallies. ARGV: '1' if this call may be a repeat of one whose answer was
# lost, then groups of like outcomes: verb, note, hour, site, how many ids, ids. Verb and note are delivered|- ,
# dropped|cause, dead|JSON with a "reason", again|JSON; the last two alone. Facts need no lease: only the first that is
# said counts. A damaged key fails before an event is deleted. → how many found their entry gone (sent by another, too).
SETTLE: Final = (
    "#!lua flags=allow-oom"
    + TALLY
    + """
local again, repeats, i = ARGV[1] == '1', 0, 2
for k = 2, 3 do redis.call('HLEN', KEYS[k]) end
while ARGV[i] do
  local verb, note, n, id = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 4]), ARGV[i + 5]
  if verb == 'again' then
    if #redis.call('XRANGE', KEYS[1], id, id) > 0 then redis.call('HSET', KEYS[2], id, note) end
  else
    local letter = verb == 'dead' and redis.call('XRANGE', KEYS[1], id, id)[1]
    local reason = letter and cjson.decode(note)['reason']
    if letter then redis.call('XADD', KEYS[4], '*', 'e', letter[2][2], 'n', note) end
    local gone = redis.call('XDEL', KEYS[1], unpack(ARGV, i + 5, i + 4 + n))
    if gone > 0 then
      redis.call('HDEL', KEYS[2], unpack(ARGV, i + 5, i + 4 + n))
      redis.call('HINCRBY', KEYS[3], verb, gone)
      tally(KEYS[5], ARGV[i + 2], verb, ARGV[i + 3], gone)
      if verb == 'dropped' then redis.call('HINCRBY', KEYS[3], 'dropped:' .. note, gone) end
      if reason then redis.call('HINCRBY', KEYS[3], 'dead:' .. reason, 1) end
    end
    if not again then repeats = repeats + n - gone end
    if not again and gone < n and verb == 'delivered' then redis.call('HINCRBY', KEYS[3], 'repeated', n - gone) end
  end
  i = i + 5 + n
end
return repeats
"""
)

# KEYS workers, states. ARGV worker, state, live_ms. By the server's clock, as hosts' clocks differ.
# → how many workers had a heartbeat within live_ms.
HEARTBEAT: Final = """#!lua flags=allow-oom
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('ZCOUNT', KEYS[1], now_ms - ARGV[3], '+inf')
"""

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

# KEYS owner. ARGV token, ttl_ms. → 1 if the partition had no owner and is ours now.
TAKE: Final = """#!lua flags=allow-oom
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""

# KEYS owner. ARGV token, ttl_ms. → 1 if the lease is still ours and was prolonged.
RENEW: Final = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

# KEYS owner. ARGV token. → 1 if it was ours and is free now.
RELEASE: Final = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

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

# Token buckets, all or none of them. KEYS salt, then a bucket each. ARGV new salt, its life in ms, cost, then for each
# bucket events a second, burst, and the address that completes its name ('' if it is complete). What is kept of one is
# the moment at which it is full again. More than the burst passes if the bucket is full, and is paid for afterwards.
# → 0, 0 or which bucket has too little, and in how many ms it has enough.
TAKE_TOKENS: Final = """#!lua
local time = redis.call('TIME')
local now, cost = time[1] * 1000 + time[2] / 1000, tonumber(ARGV[3])
local names, full, which, longest = {}, {}, 0, 0
for i = 2, #KEYS do
  local at = 3 * i - 2
  local each_ms, burst, address = 1000 / ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  names[i] = KEYS[i]
  if address ~= '' then
    redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
    names[i] = KEYS[i] .. redis.sha1hex(redis.call('GET', KEYS[1]) .. address)
  end
  full[i] = math.max(now, tonumber(redis.call('GET', names[i]) or now))
  local wait = full[i] - now - (burst - math.min(cost, burst)) * each_ms
  if wait > longest then which, longest = i - 1, wait end
  full[i] = full[i] + cost * each_ms
end
if which > 0 then return {which, math.ceil(longest)} end
for i = 2, #KEYS do
  redis.call('SET', names[i], string.format('%.4f', full[i]), 'PX', math.max(1, math.ceil(full[i] - now)))
end
return {0, 0}
"""
