"""Events with a key: the first is kept, a repeat is known and is not. Names, script and words of it; nothing runs here.

What is remembered of a key is a record, written in the same step as its event: where there is a record, there was the
event, whichever door, crash or restart came between. Neither key nor body can be read from it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import hiredis
import msgspec

from relay.queue import keys
from relay.queue.stored import Packed, StoredEvent

EVENTS_A_CALL: Final = 250  # as long as some 1,000 without a key: workers get their turn in between
DIGEST_BYTES: Final = 16  # of a SHA-256: with a thousand million records two are alike by chance once in 10^20


class Receipt(StrEnum):
    """What became of an item that was put. `UNAVAILABLE`: not known to be kept, it shall be sent again."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Once:
    """By what a repeat is known: whose key, the key, and the body as it was posted.

    `scope` tells senders apart, whose keys may be alike; each site of an event is told apart as well.
    """

    scope: str
    key: str
    body: bytes

    def record(self, site: str) -> str:
        """The name of the record of this key's event of that site."""
        digest = _digest(b"\0".join(text.encode("utf-8", "surrogatepass") for text in (self.scope, self.key, site)))
        return f"relay:once:{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def fingerprint(self) -> bytes:
        """What a repeat's body must have the same of."""
        return _digest(self.body)


class Item(msgspec.Struct, frozen=True, gc=False):
    """What was posted as one: an event for each of its sites, and its key if it has one. Of no site it is no repeat."""

    events: Sequence[StoredEvent]
    once: Once | None = None


class PackedItem(msgspec.Struct, frozen=True, gc=False):
    """An item as it is written; `records` has a name for each event, or is empty without a key."""

    events: list[Packed]
    records: list[str]
    fingerprint: bytes


def packed_item(item: Item, events: list[Packed]) -> PackedItem:
    """The item with its events packed."""
    if item.once is None:
        return PackedItem(events, [], b"")
    return PackedItem(events, [item.once.record(event.site) for event in item.events], item.once.fingerprint())


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()[:DIGEST_BYTES]


# One step over several partitions, as an item's sites may be in several, and a repeat's visitor in another than the
# first one's: his address may have changed. So it needs a single server, as arq does.
# KEYS events, ledger, prefix of tallies of each partition, then the records. ARGV how many partitions, life of a record
# in ms; then for each item how many events, fingerprint, and for each event which partition, which of KEYS is its
# record (0: none), hour, site, stored form. A conflict keeps nothing of its item; what fails, fails its own item only.
# Counted is at the end, once for each partition, hour and site: where that fails, all items of the partition do, and
# are duplicates when they come again.
# → receipt of each item, or the server's words why it failed.
PUT_ONCE: Final = (
    "#!lua"
    + keys.TALLY
    + """
local accepted, duplicates, tallies, firsts, broken = {}, {}, {}, {}, {}
local function take(first, last, print)
  local known, receipt = {}, first > last and 'accepted' or 'duplicate'
  for i = first, last, 5 do
    local record = KEYS[tonumber(ARGV[i + 1])]
    known[i] = record and redis.call('GET', record)
    if known[i] and known[i] ~= print then return 'conflict' end
  end
  for i = first, last, 5 do
    local p, record = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
    if known[i] then
      duplicates[p] = (duplicates[p] or 0) + 1
    else
      redis.call('XADD', KEYS[3 * p - 2], '*', 'e', ARGV[i + 4])
      accepted[p] = (accepted[p] or 0) + 1
      local place = p .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 3]
      if not tallies[place] then firsts[#firsts + 1] = i end
      tallies[place] = (tallies[place] or 0) + 1
      if record then redis.call('SET', record, print, 'PX', ARGV[2]) end
      receipt = 'accepted'
    end
  end
  return receipt
end
local function words(told) return type(told) == 'table' and told['err'] or tostring(told) end
local function count(p, how, ...)
  local fine, told = pcall(how, ...)
  if not fine then broken[p] = words(told) end
end
local receipts, at = {}, 3
while at < #ARGV do
  local last = at + 1 + 5 * ARGV[at]
  local fine, told = pcall(take, at + 2, last, ARGV[at + 1])
  receipts[#receipts + 1] = fine and told or words(told)
  at = last + 1
end
for n = 1, ARGV[1] do
  local p = tostring(n)
  if accepted[p] then count(p, redis.call, 'HINCRBY', KEYS[3 * n - 1], 'accepted', accepted[p]) end
  if duplicates[p] then count(p, redis.call, 'HINCRBY', KEYS[3 * n - 1], 'duplicates', duplicates[p]) end
end
for _, i in ipairs(firsts) do
  local p, hour, site = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  count(p, tally, KEYS[3 * p], hour, 'accepted', site, tallies[p .. ' ' .. hour .. ' ' .. site])
end
if next(broken) then
  local n, from = 1, 3
  while from < #ARGV do
    local last = from + 1 + 5 * ARGV[from]
    for i = from + 2, last, 5 do
      if broken[ARGV[i]] and receipts[n] ~= 'conflict' then receipts[n] = broken[ARGV[i]] end
    end
    n, from = n + 1, last + 1
  end
end
return receipts
"""
)


def partitions_in(items: Sequence[PackedItem]) -> list[int]:
    """The partitions of the items, each once."""
    return list(dict.fromkeys(event.partition for item in items for event in item.events))


def calls(items: Sequence[PackedItem]) -> list[Sequence[PackedItem]]:
    """The items of one script call after the other; none is torn apart."""
    groups: list[list[PackedItem]] = []
    room = 0
    for item in items:
        room -= len(item.events)
        if room < 0 or not groups:
            groups.append([])
            room = EVENTS_A_CALL - len(item.events)
        groups[-1].append(item)
    return list(groups)


def command(sha: bytes, items: Sequence[PackedItem], keep_ms: int) -> bytes:
    """One call of PUT_ONCE, ready to send."""
    place = {partition: n for n, partition in enumerate(partitions_in(items), 1)}
    touched = [name(p) for p in place for name in (keys.events, keys.ledger, keys.tally)]
    told: list[bytes | str | int] = [len(place), keep_ms]
    for item in items:
        told += [len(item.events), item.fingerprint]
        for n, event in enumerate(item.events):
            if item.records:
                touched.append(item.records[n])
            told += [place[event.partition], len(touched) if item.records else 0, *event.tally, event.form]
    packed: bytes = hiredis.pack_command((b"EVALSHA", sha, len(touched), *touched, *told))  # type: ignore[arg-type] # its stub knows tuples of one only
    return packed
