"""The heart of the worker: send the event whose turn it is, judge the answer, settle the outcome.

One delivery a visitor at a time, visitors side by side, as many as the upstream takes. In flight and not
yet settled together stay below `concurrency`: that is the most that a killed worker can repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from relay.queue.claiming import Note, Outcome
from relay.queue.dead import dead_note
from relay.queue.parts import apart
from relay.rules.drops import probable_cause
from relay.rules.judge import (
    Attempt,
    Dead,
    DeadReason,
    Delivered,
    Dropped,
    NoAnswer,
    OnAmbiguous,
    Others,
    Reply,
    RetryPolicy,
    Trouble,
    TryAgain,
    Verdict,
    is_delivered,
    judge,
    too_late,
)
from workers.client import Client, Outbound
from workers.lanes import CRASH_STATUS, Entry, Lane
from workers.settling import Settler
from workers.sites import Site
from workers.turns import Turns
from workers.upstream import Fell, Upstream

log = logging.getLogger(__name__)

DELIVERED = Delivered()
SITES_KNOWN = 100_000  # of which it is remembered that Plausible took an event; beyond that causes are told less well


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """What the operator decided about deliveries."""

    retry: RetryPolicy
    concurrency: int
    max_age_s: float | None
    on_ambiguous: OnAmbiguous
    on_ambiguous_revenue: OnAmbiguous


@dataclass(slots=True)
class Dispatcher:
    """Sends the turns of all lanes of this worker."""

    client: Client
    upstream: Upstream
    settler: Settler
    policy: DeliveryPolicy
    turns: Turns = field(init=False)
    _one_ended: asyncio.Event = field(default_factory=asyncio.Event)
    _sites_seen: set[str] = field(default_factory=set)
    _passed_ms: int = 0
    """When the last definite answer came, Unix ms."""
    _failed_since: set[tuple[int, bytes]] = field(default_factory=set)
    """Which events failed since then, the first two of them."""

    def __post_init__(self) -> None:
        self.turns = Turns(self.upstream, self._start, self._has_room)

    @property
    def in_flight(self) -> int:
        """Deliveries under way."""
        return self.upstream.under_way

    def _has_room(self) -> bool:
        return self.upstream.under_way + self.settler.pressing < self.policy.concurrency

    def _start(self, lane: Lane, site: Site, now_s: float) -> None:
        entry = lane.entries[0]
        if entry.crashes:
            entry = lane.turn(self._others(lane, site, entry))
        lane.partition.unfinished += 1
        if self.policy.max_age_s is not None:
            late = too_late(time.time() - entry.event.began_ms / 1_000, self.policy.max_age_s)
            if late is not None:
                self._end(lane, entry, late)
                return
        self.upstream.began(site, entry, now_s)
        outbound = Outbound(entry.event.user_agent, entry.event.ip, entry.event.body)
        self.client.send(outbound, partial(self._answered, lane, site, entry), lane.partition.may_write)

    def _answered(self, lane: Lane, site: Site, entry: Entry, answer: Reply | NoAnswer | None) -> None:
        """See what came of the event. A fault of ours with one event must hold up no other."""
        try:
            verdict = None if answer is None else self._verdict(lane, site, entry, answer)
        except Exception as error:
            log.exception("delivery failed inside the relay")
            verdict = Dead(DeadReason.INTERNAL_ERROR, type(error).__name__)
        self.upstream.ended(site, entry)
        match verdict:
            case None:  # the lease ran out before a byte was written
                self._give_way(lane, site)
            case TryAgain():
                self._again(lane, site, entry, verdict)
            case _:
                self._end(lane, entry, verdict, sent_for=site)
        self._one_ended.set()
        self.turns.relist(site)

    def _give_way(self, lane: Lane, site: Site) -> None:
        self.upstream.undecided(site)
        lane.partition.unfinished -= 1
        self.turns.offer(lane)

    def _verdict(self, lane: Lane, site: Site, entry: Entry, answer: Reply | NoAnswer) -> Verdict:
        if is_delivered(answer):  # else the likely cause of a drop is looked for, and that costs more than the delivery
            return DELIVERED
        verdict = judge(answer, self._attempt(lane, site, entry), self.policy.retry)
        if isinstance(answer, Reply) and answer.status == CRASH_STATUS:
            entry.crashes += 1
        return verdict

    def _attempt(self, lane: Lane, site: Site, entry: Entry) -> Attempt:
        event = entry.event
        return Attempt(
            number=entry.attempts + 1,
            failing_s=entry.failing_ms / 1_000,
            others=self._others(lane, site, entry),
            on_ambiguous=self.policy.on_ambiguous_revenue if event.revenue else self.policy.on_ambiguous,
            drop_cause=probable_cause(
                user_agent=event.user_agent,
                ip=event.ip,
                engagement=event.engagement,
                site_seen=event.site in self._sites_seen,
            ),
            now_s=time.time(),
            draw=random.random(),  # noqa: S311 - jitter, no secret
            room_aside=lane.aside or lane.partition.has_room_aside,
            visitor=(event.ip, (event.user_agent or b"").decode("utf-8", "replace")),
        )

    def _others(self, lane: Lane, site: Site, entry: Entry) -> Others:
        """How others fared since the entry first failed here; for one set aside, that they pass is known."""
        found = Others.UNKNOWN
        if entry.before is not None:
            found = self.upstream.others(site, entry.before, entry.failures)
        return Others.PASS if lane.aside and found is Others.UNKNOWN else found

    def _end(
        self, lane: Lane, entry: Entry, verdict: Delivered | Dropped | Dead, *, sent_for: Site | None = None
    ) -> None:
        """The event has its outcome; its visitor's next one may go. `sent_for`: its site, if it was sent."""
        match verdict:
            case Delivered():
                if len(self._sites_seen) < SITES_KNOWN:
                    self._sites_seen.add(entry.event.site)
                outcome = Outcome("delivered", entry.id, tally=entry.event.tally)
            case Dropped(cause):
                log.info("Plausible dropped an event of %s, probably: %s", entry.event.site, cause)
                outcome = Outcome("dropped", entry.id, cause.encode(), entry.event.tally)
            case Dead(reason, detail):
                log.warning("an event of %s is dead: %s (%s)", entry.event.site, reason, detail)
                note = dead_note(reason, detail, entry.attempts + (sent_for is not None), entry.first_failed_ms)
                outcome = Outcome("dead", entry.id, note, entry.event.tally, apart(entry.id, entry.event))
            case _:
                assert_never(verdict)
        if sent_for is not None:
            self._tell_upstream(lane, sent_for, entry, verdict)
        lane.partition.ended(lane, entry)
        self.settler.add(lane.partition, outcome)
        self._go_on(lane, entry)

    def _go_on(self, lane: Lane, done: Entry) -> None:
        if lane.entries:
            self.turns.offer(lane)
        else:
            lane.partition.rest(lane, done.event.visitor)

    def _again(self, lane: Lane, site: Site, entry: Entry, verdict: TryAgain) -> None:
        """The event failed. In an outage nobody's attempts are used up; else it waits, or goes aside."""
        partition = lane.partition
        others_pass = self._known_to_pass(lane, site, entry)
        self._tell_upstream(lane, site, entry, verdict)
        outage = self.upstream.down or (site.circuit.down and not verdict.aside)
        if outage or entry is not lane.entries[0]:
            partition.unfinished -= 1
            self.turns.offer(lane, 0.0 if outage else verdict.after_s)
            return
        aside = verdict.aside or lane.aside
        note = self._note(entry, verdict, aside=aside, alone=others_pass and not site.circuit.down)
        form = apart(entry.id, entry.event) if aside else b""
        self.settler.add(partition, Outcome("again", entry.id, note.pack(), form=form))
        if aside:
            log.info("an event of %s waits aside: %s (%s)", entry.event.site, verdict.trouble, verdict.detail)
            partition.put_aside(lane, entry, note)
            self._go_on(lane, entry)
        else:
            self.turns.offer(lane, max(verdict.after_s, 1e-3))

    @staticmethod
    def _note(entry: Entry, verdict: TryAgain, *, aside: bool, alone: bool) -> Note:
        """What is to be known of the entry's failed attempt. Only a wait that is its own fault, `alone`, adds up."""
        now_ms, after_ms = int(time.time() * 1_000), int(verdict.after_s * 1_000)
        entry.attempts += 1
        entry.first_failed_ms = entry.first_failed_ms or now_ms
        entry.failed_ms = now_ms
        entry.failing_ms += after_ms if alone else 0
        first_ms, next_ms = entry.first_failed_ms, now_ms + after_ms
        return Note(entry.attempts, first_ms, next_ms, verdict.trouble, aside, now_ms, entry.failing_ms)

    def _known_to_pass(self, lane: Lane, site: Site, entry: Entry) -> bool:
        """Whether others are seen to pass. For one set aside that stands until others fail and none passes any more."""
        if lane.aside:
            return self._passed_ms > entry.failed_ms or self._failed_since <= {(lane.partition.number, entry.id)}
        return self._others(lane, site, entry) is Others.PASS

    def _tell_upstream(self, lane: Lane, site: Site, entry: Entry, verdict: Verdict) -> None:
        """What this answer says of the upstream's health: a definite one is a good sign, whatever it says."""
        match verdict:
            case Delivered() | Dropped() | Dead(DeadReason.REFUSED_UPSTREAM | DeadReason.TOO_LARGE):
                self._taken(site)
            case TryAgain(trouble=Trouble.PASSING_DROP):
                self._taken(site)
            case Dead(DeadReason.INTERNAL_ERROR):
                self.upstream.undecided(site)
            case Dead(_, detail):  # given up without an answer, or after a 5xx
                lost = TryAgain(0.0, Trouble.UNANSWERED, aside=False, detail=detail)
                self._stumbled(lane, site, entry, lost)
            case TryAgain():
                self._stumbled(lane, site, entry, verdict)
            case _:
                assert_never(verdict)

    def _taken(self, site: Site) -> None:
        self._passed_ms = int(time.time() * 1_000)
        self._failed_since.clear()
        upstream_since_s, site_since_s = self.upstream.answered(site)
        if site_since_s is not None:
            log.warning("%s is taken again after %.1f s", site.name, time.monotonic() - site_since_s)
        if upstream_since_s is not None:
            log.warning("the upstream answers again after %.1f s", time.monotonic() - upstream_since_s)
            self.turns.relist_all()

    def _stumbled(self, lane: Lane, site: Site, entry: Entry, verdict: TryAgain) -> None:
        alone = self._others(lane, site, entry) is Others.PASS
        if len(self._failed_since) < 2:  # noqa: PLR2004 - two are others to anyone
            self._failed_since.add((lane.partition.number, entry.id))
        if entry.before is None:
            entry.before = self.upstream.mark(site)
        entry.failures += not alone
        draw = random.random()  # noqa: S311 - jitter, no secret
        match self.upstream.stumbled(site, verdict, time.monotonic(), draw, fails_alone=alone):
            case Fell.UPSTREAM:
                log.error("the upstream is down, events wait: %s (%s)", verdict.trouble, verdict.detail)
                self.turns.relist_all()
            case Fell.SITE:
                log.error("%s fails, its events wait: %s (%s)", site.name, verdict.trouble, verdict.detail)
            case Fell.NOTHING:
                pass

    @property
    def idle(self) -> bool:
        """Whether there is no event that could show how the upstream fares."""
        return not self.in_flight and self.turns.empty

    async def close(self, within_s: float) -> bool:
        """Start nothing more and wait for what is in flight; False if it took too long."""
        self.turns.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.in_flight:
                    self._one_ended.clear()
                    await self._one_ended.wait()
        return not self.in_flight
