"""One owned partition: its stream read ahead in order into lanes, and its events set aside until their time.

Reading starts at the stream's very beginning: what an earlier owner left comes first, or order would break. A site
that has its share of the read-ahead is parked: reading goes on without it, and comes back for it from where it stood.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue.bundle import count_in
from relay.queue.claiming import (
    BLOCK_MS,
    END,
    START,
    Note,
    Outcome,
    following,
    note_of,
    read_notes,
    read_one,
    read_states,
)
from relay.queue.connection import AWAY, describe
from relay.queue.dead import dead_note
from relay.queue.parts import Found, damaged_part, is_part, pending_of
from relay.queue.reading import RawEntry, read_on
from relay.queue.stored import BUNDLE, StoredEvent, UnreadableError, mark_in, mark_of
from relay.rules.judge import DeadReason
from workers.aside import Aside
from workers.held import SHARE, Held, Load
from workers.lanes import Entry, Lane
from workers.tails import TOGETHER, Tails

log = logging.getLogger(__name__)

READ_COUNT = TOGETHER  # each may have a megabyte, and the sizes of the next ones are not known
READ_MANY, READ_MANY_BYTES = 256, 1_000_000  # at a time while many wait: these sizes the server sees before it answers
PARKED_BLOCK_MS = 20  # with sites parked, so soon is looked again whether they have room
PASSING_S = 0.01  # rest after a read of nothing but parked sites' events: a million of them must not keep all busy
PASSING_REST = 4  # times what the read took, at least: on a busy worker that is long, and what it has goes first
PAUSE_S = 0.2

Visitor = tuple[bytes | None, str, str]


@dataclass(slots=True, eq=False)
class Partition:
    """What the owner of partition `number` has in memory. `lease_until_s` is monotonic, set with each renewal."""

    number: int
    redis: Redis
    tails: Tails
    offer: Callable[[Lane, float], None]
    """Called with a lane that has an event to send, and in how many seconds."""
    settle: Callable[[Partition, Outcome], None]
    lease_until_s: float = 0.0
    closing: bool = False
    """Set when the partition is lost or to be given back: nothing of it is started any more."""
    refused: bool = False
    """Set while the queue's server refuses to write its outcomes: nothing of it is started meanwhile."""
    unfinished: int = 0
    """Deliveries in flight and outcomes not yet written down."""
    _lanes: dict[Visitor, Lane] = field(default_factory=dict)
    _held: Held = field(default_factory=Held)
    _parked: dict[str, bytes] = field(default_factory=dict)
    """Site → id of its first entry that was read and left where it is."""
    _parked_marks: set[bytes] = field(default_factory=set)  # by which compressed ones are known without unpacking
    _read_to: bytes = START
    _last_size: int = 1
    _many_wait: bool = True
    _unread_for: str = ""
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _notes: dict[bytes, Note] = field(default_factory=dict)
    _aside: Aside = field(init=False)

    def __post_init__(self) -> None:
        self._aside = Aside(self._bring_back)

    @property
    def has_room_aside(self) -> bool:
        """Whether one more event may be set aside."""
        return self._aside.has_room

    def may_write(self) -> bool:
        """Whether a request for one of its events may be written at this moment."""
        return not self.closing and time.monotonic() < self.lease_until_s

    async def run(self) -> None:
        """Read ahead and bring back what was set aside, until cancelled."""
        self._room.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._aside.run())

    async def _read(self) -> None:
        begun = False
        while True:
            await self._room.wait()
            try:
                if not begun:
                    self._notes, begun = await read_notes(self.redis, self.number), True
                for site in list(self._parked):
                    await self._come_back_for(site)
                block_ms = PARKED_BLOCK_MS if self._parked else BLOCK_MS
                began_s = time.monotonic()
                entries = await self._next(block_ms)
                states = await self._states(entries)
            except (*AWAY, RedisError) as error:
                self._tell(error)
                await asyncio.sleep(PAUSE_S)
                continue
            self._unread_for = ""
            if entries:
                self._read_to = entries[-1][0]
                if not self._take_in(entries, states):
                    took_s = time.monotonic() - began_s if self._many_wait else 0.0  # else it waited for events to come
                    await asyncio.sleep(max(PASSING_S, PASSING_REST * took_s))

    def _tell(self, error: Exception) -> None:
        """Log why nothing can be read: once, if the server answers; that it is away is said by others."""
        if isinstance(error, AWAY) or str(error) == self._unread_for:
            log.debug("partition %d waits for the queue: %s", self.number, describe(error))
            return
        self._unread_for = str(error)
        log.error("partition %d can't be read, its events wait: %s", self.number, describe(error))

    async def _next(self, block_ms: int) -> list[RawEntry]:
        """The next entries: of many that wait, as many as there is room for; else the few that are there or come soon.

        The server sees the sizes of those that wait. Those that come are taken to be as large as the largest before.
        """
        room, room_bytes = self._held.room()
        if self._many_wait:
            most = max(1, min(READ_MANY, room)), min(READ_MANY_BYTES, room_bytes)
            _, entries = await read_on(self.redis, self.number, (following(self._read_to), END), most)
        else:
            count = max(1, min(READ_COUNT, room, room_bytes // self._last_size))
            entries = await self.tails.read(self.number, self._read_to, count, block_ms)
        if entries:
            self._last_size = max(1, *(len(fields.get(b"e", b"")) for _, fields in entries))
        self._many_wait = sum(count_in(fields.get(b"e", b"")) for _, fields in entries) >= READ_COUNT
        return entries

    async def _states(self, entries: Sequence[RawEntry]) -> dict[bytes, bytes]:
        """What is known of the bundles among the entries: which of their events have an outcome."""
        bundles = [entry_id for entry_id, fields in entries if fields.get(b"e", b"")[:1] == BUNDLE]
        return await read_states(self.redis, self.number, bundles)

    def _take_in(self, entries: Sequence[RawEntry], states: Mapping[bytes, bytes]) -> bool:
        """Put what was read where it belongs; False if all of it was left where it is."""
        taken = False
        for entry_id, fields in entries:
            form = fields.get(b"e", b"")
            if self._parked_marks and mark_in(form) in self._parked_marks:
                continue
            events = self._readable(pending_of(entry_id, form, states.get(entry_id, b"")), form)
            if not events or not self._is_parked(entry_id, events[0][1].site):  # a bundle is of one site
                taken = True
                self._place(events, fields)
        return taken

    def _is_parked(self, entry_id: bytes, site: str) -> bool:
        """Whether the entry is left where it is, as its site has its share or was parked before."""
        if site not in self._parked and self._held.fill_share(site):
            self._parked[site] = entry_id
            self._parked_marks.add(mark_of(site))
        return site in self._parked

    async def _come_back_for(self, site: str) -> None:
        """Read what was left of a site, as far as there is room for it now; when all is read it is parked no more."""
        while site in self._parked and self._room.is_set():
            held = self._held.of_site.get(site, Load())
            if held.fills(2 * SHARE):
                return
            most = held.room(SHARE)
            span = self._parked[site], self._read_to
            last, entries = await read_on(self.redis, self.number, span, most, site)
            states = await self._states(entries)
            for entry_id, fields in entries:
                form = fields[b"e"]
                found = pending_of(entry_id, form, states.get(entry_id, b""))
                if mark_in(form) or not isinstance(found[0][1], UnreadableError):  # else it was settled before
                    self._place(self._readable(found, form), fields)
            if last is None:
                del self._parked[site]
                self._parked_marks.discard(mark_of(site))
            else:
                self._parked[site] = following(last)

    def _place(self, events: Iterable[tuple[bytes, StoredEvent]], fields: Mapping[bytes, bytes]) -> None:
        """Put events where they belong: each into its lane, or aside. What failed before has a note with it."""
        noted = note_of(fields[b"n"]) if b"n" in fields else None
        for event_id, event in events:
            note = self._notes.pop(event_id, noted)
            if note is not None and note.aside:
                self._aside.push(event_id, note)
            else:
                self._line_up(_entry(event_id, event, note), note)

    def _line_up(self, entry: Entry, note: Note | None) -> None:
        """Behind the visitor's earlier events; a first one that failed before waits until its time."""
        visitor = entry.event.visitor
        lane = self._lanes.get(visitor)
        if lane is None:
            lane = self._lanes[visitor] = Lane(self)
        lane.entries.append(entry)
        self._hold(entry, +1)
        if not lane.busy:
            lane.busy = True
            self.offer(lane, 0.0 if note is None else max(0.0, note.next_ms / 1_000 - time.time()))

    def _readable(self, found: Iterable[Found], form: bytes) -> list[tuple[bytes, StoredEvent]]:
        """The events of an entry of that form; one that can't be read is dead, and holds up nobody."""
        events = []
        for event_id, event in found:
            if not isinstance(event, UnreadableError):
                events.append((event_id, event))
                continue
            self.unfinished += 1
            letter = dead_note(DeadReason.UNREADABLE, str(event), 0, None)
            self.settle(self, Outcome("dead", event_id, letter, form=damaged_part(form, event_id)))
        return events

    def ended(self, lane: Lane, entry: Entry) -> None:
        """The entry has its outcome: it leaves its lane."""
        lane.remove(entry)
        if lane.aside:
            self._aside.ended()
        else:
            self._hold(entry, -1)

    def rest(self, lane: Lane, visitor: Visitor) -> None:
        """The lane is empty and forgotten; the visitor's next event makes a new one."""
        lane.busy = False
        if not lane.aside:
            del self._lanes[visitor]

    def put_aside(self, lane: Lane, entry: Entry, note: Note) -> None:
        """The entry waits for its next attempt outside its lane; only its id stays in memory.

        One out of a bundle gets an entry of its own, and is read again: its bundle shall not stay for one event.
        """
        self.ended(lane, entry)
        if not is_part(entry.id):
            self._aside.push(entry.id, note)

    async def _bring_back(self, entry_id: bytes, note: Note) -> bool:
        """Offer an event that was set aside; False if it is no longer pending. Raises what redis-py raises."""
        form = await read_one(self.redis, self.number, entry_id)
        events = [] if form is None else self._readable(pending_of(entry_id, form, b""), form)
        for _, event in events:
            lane = Lane(self, aside=True, busy=True)
            lane.entries.append(_entry(entry_id, event, note))
            self.offer(lane, 0.0)
        return bool(events)

    def _hold(self, entry: Entry, sign: int) -> None:
        """Count the entry in (+1) or out (-1)."""
        self._held.count(entry.event.site, len(entry.event.body), sign)
        if self._held.fills(1):
            self._room.clear()
        elif self._held.room()[0] >= READ_COUNT:
            self._room.set()


def _entry(event_id: bytes, event: StoredEvent, note: Note | None) -> Entry:
    """The event as the dispatcher knows it."""
    if note is None:
        return Entry(event_id, event)
    return Entry(event_id, event, note.attempts, note.first_failed_ms, note.failed_ms, note.failing_ms)
