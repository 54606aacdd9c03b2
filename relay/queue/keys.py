"""Every Redis key, and every Lua script that changes what is kept of an event, and nothing that runs them.

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
    """Stream of pending events: `e` is the stored form, of one event or of several, `n` JSON of its failed attempts."""
    return f"relay:{{{partition}}}:events"


def bundles(partition: int) -> str:
    """Hash: id of an entry with several events → for each of them 0 while it is pending, 1 when it has its outcome.

    Only entries of which some have one are in it. MORE: how many more events are pending than there are entries.
    """
    return f"relay:{{{partition}}}:bundles"


MORE: Final = "more"


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

# How many events are pending.
COUNT: Final = """
local function pending(events, bundles)
  return redis.call('XLEN', events) + (redis.call('HGET', bundles, 'more') or 0)
end
"""

# The events of a bundle (byte 52 of a form's beginning, then, behind the mark, how many) are known by a dot and their
# place behind the entry's id: here whether each has its outcome, nil if the entry is gone.
STATE: Final = """
local function state_of(events, bundles, id)
  local state = redis.call('HGET', bundles, id)
  if state then return state end
  local entry = redis.call('XRANGE', events, id, id)[1]
  local form = entry and entry[2][2]
  return form and string.rep('0', string.byte(form) == 52 and string.byte(form, 8) or 1)
end
local function is_pending(events, bundles, id)
  local entry, place = string.match(id, '^(.+)%.(%d+)$')
  if not entry then return #redis.call('XRANGE', events, id, id) > 0 end
  local state = state_of(events, bundles, entry)
  return state and string.sub(state, place + 1, place + 1) == '0'
end
"""

# KEYS events, ledger, prefix of tallies, bundles of each partition. ARGV of each: how many tallies, how many events, in
# how many entries, hour, site, count of each tally, entries. One call for all, as a call each costs more than their
# events; what is damaged in one partition fails that one only. → of each '', or the server's words why it failed.
PUT: Final = (
    "#!lua"
    + EACH
    + TALLY
    + """
local function put(k, at)
  local first, n, entries = at + 3 + 3 * ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local more = n - entries
  redis.call('XLEN', KEYS[k])
  if more > 0 then redis.call('HINCRBY', KEYS[k + 3], 'more', more) end
  for i = first, first + entries - 1 do redis.call('XADD', KEYS[k], '*', 'e', ARGV[i]) end
  redis.call('HINCRBY', KEYS[k + 1], 'accepted', n)
  for i = at + 3, first - 1, 3 do tally(KEYS[k + 2], ARGV[i], 'accepted', ARGV[i + 1], tonumber(ARGV[i + 2])) end
  return ''
end
local replies, at = {}, 1
for k = 1, #KEYS, 4 do
  replies[#replies + 1] = each(put, k, at)
  at = at + 3 + 3 * ARGV[at] + ARGV[at + 2]
end
return replies
"""
)

# KEYS events, retry, ledger, dead, prefix of tallies, bundles of each partition. ARGV: '1' if this call may be a repeat
# of one whose answer was lost, then of each partition how many words follow, and groups of like outcomes: verb, note,
# hour, site, how many ids, ids. Verb and note are delivered|- , dropped|cause, dead|JSON with a "reason", again|JSON;
# the last two alone, and with a form behind the id: in that a dead event is kept, and one that waits gets an entry of
# its own with it; where it is empty, its entry's form is kept, and the event stays where it is. Facts need no lease:
# only the first that is said counts. A damaged key fails its own partition, before an event is deleted.
# → of each how many found their entry gone (sent by another, too), or the server's words why it failed.
SETTLE: Final = (
    "#!lua flags=allow-oom"
    + EACH
    + TALLY
    + STATE
    + """
local again = ARGV[1] == '1'
-- Takes events out: an entry when nothing of it is pending. → how many of them were.
local function take_out(events, bundles, first, last)
  local whole, states, gone, more = {}, {}, 0, 0
  for i = first, last do
    local id, place = string.match(ARGV[i], '^(.+)%.(%d+)$')
    if id then
      local state = states[id] or state_of(events, bundles, id)
      if state and string.sub(state, place + 1, place + 1) == '0' then
        states[id] = string.sub(state, 1, place) .. '1' .. string.sub(state, place + 2)
        more = more - 1
      end
    else
      whole[#whole + 1] = ARGV[i]
    end
  end
  gone = -more
  for id, state in pairs(states) do
    if string.find(state, '0', 1, true) then
      redis.call('HSET', bundles, id, state)
    else
      redis.call('HDEL', bundles, id)
      more = more + redis.call('XDEL', events, id)
    end
  end
  if more ~= 0 then redis.call('HINCRBY', bundles, 'more', more) end
  return #whole > 0 and gone + redis.call('XDEL', events, unpack(whole)) or gone
end
-- A dead event's form, if it is still pending.
local function form_of(events, bundles, id, form)
  if form ~= '' then return is_pending(events, bundles, id) and form end
  local entry = redis.call('XRANGE', events, id, id)[1]
  return entry and entry[2][2]
end
local function settle(k, i, last)
  local events, retry, ledger, dead, tallies, bundles = unpack(KEYS, k, k + 5)
  local repeats = 0
  redis.call('HLEN', retry)
  redis.call('HLEN', ledger)
  assert(tonumber(redis.call('HGET', bundles, 'more') or 0), bundles .. ': more is no number')
  while i <= last do
    local verb, note, n, id = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 4]), ARGV[i + 5]
    if verb == 'again' then
      if is_pending(events, bundles, id) then
        if ARGV[i + 6] ~= '' then
          take_out(events, bundles, i + 5, i + 5)
          redis.call('HDEL', retry, id)
          id = redis.call('XADD', events, '*', 'e', ARGV[i + 6], 'n', note)
        end
        redis.call('HSET', retry, id, note)
      end
    else
      local form = verb == 'dead' and form_of(events, bundles, id, ARGV[i + 6])
      local reason = form and cjson.decode(note)['reason']
      if form then redis.call('XADD', dead, '*', 'e', form, 'n', note) end
      local gone = take_out(events, bundles, i + 5, i + 4 + n)
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
    i = i + 5 + n + ((verb == 'dead' or verb == 'again') and 1 or 0)
  end
  return repeats
end
local replies, at = {}, 2
for k = 1, #KEYS, 6 do
  local last = at + ARGV[at]
  replies[#replies + 1] = each(settle, k, at + 1, last)
  at = last + 1
end
return replies
"""
)

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
