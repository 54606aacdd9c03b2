"""The heart of the worker: whose turn it is, send it, judge the answer, settle the outcome.

One delivery a visitor at a time, visitors side by side, as many as the upstream takes. In flight and not
yet settled together stay below `concurrency`: that is the most that a killed worker can repeat.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import assert_never

from relay.queue.claiming import Note, Outcome
from relay.queue.dead import dead_note
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
    judge,
    too_late,
)
from workers.client import Client, Outbound
from workers.lanes import CRASH_STATUS, Entry, Lane
from workers.settling import Settler
from workers.upstream import Upstream

log = logging.getLogger(__name__)


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
    in_flight: int = 0
    closed: bool = False
    _ready: deque[Lane] = field(default_factory=deque)
    _unsure: list[Lane] = field(default_factory=list)
    _pumping: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None
    _sites_seen: set[str] = field(default_factory=set)

    def offer(self, lane: Lane, in_s: float = 0.0) -> None:
        """The lane has an event to send, in so many seconds."""
        if in_s > 0:
            asyncio.get_running_loop().call_later(in_s, self.offer, lane)
            return
        self._ready.append(lane)
        self.pump()

    def pump(self) -> None:
        """Start as many deliveries as may start now. What is offered meanwhile is seen by the same loop."""
        if self._pumping:
            return
        self._pumping = True
        now_s = time.monotonic()
        while self._ready and not self.closed and self._may_start(now_s):
            lane = self._ready.popleft()
            if lane.partition.closing:  # another worker's, now or soon
                continue
            if now_s < lane.partition.lease_until_s:
                self._start(lane)
            else:
                self._unsure.append(lane)
        self._pumping = False
        self._come_back(now_s)

    def renewed(self) -> None:
        """Leases were prolonged: lanes that waited for that go on."""
        self._ready.extend(self._unsure)
        self._unsure.clear()
        self.pump()

    def _may_start(self, now_s: float) -> bool:
        has_room = self.in_flight + self.settler.unsettled < self.policy.concurrency
        return has_room and self.upstream.may_send(self.in_flight, now_s)

    def _come_back(self, now_s: float) -> None:
        """When only the upstream's pace holds lanes back, nothing else would wake us."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ready and not self.closed and self.upstream.next_s > now_s:
            self._timer = asyncio.get_running_loop().call_at(self._loop_time(self.upstream.next_s), self.pump)

    @staticmethod
    def _loop_time(at_s: float) -> float:
        return asyncio.get_running_loop().time() + at_s - time.monotonic()

    def _start(self, lane: Lane) -> None:
        entry = lane.turn(self._others(lane, lane.entries[0]))
        late = too_late(time.time() - entry.event.accepted_ms / 1_000, self.policy.max_age_s)
        lane.partition.unfinished += 1
        if late is not None:
            self._end(lane, entry, late)
            return
        self.in_flight += 1
        self.upstream.began()
        task = asyncio.get_running_loop().create_task(self._deliver(lane, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, lane: Lane, entry: Entry) -> None:
        try:
            answer = await self.client.post(Outbound(entry.event.user_agent, entry.event.ip, entry.event.body))
        except Exception:  # a fault of ours with one event must hold up no other
            log.exception("delivery failed inside the relay")
            answer = NoAnswer(Trouble.UNANSWERED, "internal error")
        self.in_flight -= 1
        verdict = judge(answer, self._attempt(lane, entry), self.policy.retry)
        if isinstance(answer, Reply) and answer.status == CRASH_STATUS:
            entry.crashes += 1
        if isinstance(verdict, TryAgain):
            self._again(lane, entry, verdict)
        else:
            self._end(lane, entry, verdict, sent=True)
        self.pump()

    def _attempt(self, lane: Lane, entry: Entry) -> Attempt:
        event, now_s = entry.event, time.time()
        failed_s = 0.0 if entry.first_failed_ms is None else now_s - entry.first_failed_ms / 1_000
        return Attempt(
            number=entry.attempts + 1,
            failing_s=failed_s,
            others=self._others(lane, entry),
            on_ambiguous=self.policy.on_ambiguous_revenue if event.revenue else self.policy.on_ambiguous,
            drop_cause=probable_cause(
                user_agent=event.user_agent,
                ip=event.ip,
                engagement=event.engagement,
                site_seen=event.site in self._sites_seen,
            ),
            now_s=now_s,
            draw=random.random(),  # noqa: S311 - jitter, no secret
        )

    def _others(self, lane: Lane, entry: Entry) -> Others:
        """How others fared since the entry first failed here; for one set aside, that they pass is known."""
        found = Others.UNKNOWN
        if entry.failures:
            found = self.upstream.others(entry.passed_before, entry.failed_before, entry.failures)
        return Others.PASS if lane.aside and found is Others.UNKNOWN else found

    def _end(self, lane: Lane, entry: Entry, verdict: Delivered | Dropped | Dead, *, sent: bool = False) -> None:
        """The event has its outcome; its visitor's next one may go."""
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
                note = dead_note(reason, detail, entry.attempts + sent, entry.first_failed_ms)
                outcome = Outcome("dead", entry.id, note, entry.event.tally)
            case _:
                assert_never(verdict)
        if sent:
            self._tell_upstream(lane, entry, verdict)
        lane.partition.ended(lane, entry)
        self.settler.add(lane.partition, outcome)
        self._go_on(lane, entry)

    def _go_on(self, lane: Lane, done: Entry) -> None:
        if lane.entries:
            self.offer(lane)
        else:
            lane.partition.rest(lane, done.event.visitor)

    def _again(self, lane: Lane, entry: Entry, verdict: TryAgain) -> None:
        """The event failed. In an outage nobody's attempts are used up; else it waits, or goes aside."""
        partition = lane.partition
        self._tell_upstream(lane, entry, verdict)
        if self.upstream.down or entry is not lane.entries[0]:
            partition.unfinished -= 1
            self.offer(lane, 0.0 if self.upstream.down else verdict.after_s)
            return
        entry.attempts += 1
        aside = verdict.aside or lane.aside
        next_ms = int((time.time() + verdict.after_s) * 1_000)
        first_ms = entry.first_failed_ms or int(time.time() * 1_000)
        entry.first_failed_ms = first_ms
        note = Note(entry.attempts, first_ms, next_ms, verdict.trouble, aside)
        self.settler.add(partition, Outcome("again", entry.id, note.pack()))
        if aside:
            log.info("an event of %s waits aside: %s (%s)", entry.event.site, verdict.trouble, verdict.detail)
            partition.put_aside(lane, entry, note)
            self._go_on(lane, entry)
        else:
            self.offer(lane, max(verdict.after_s, 1e-3))

    def _tell_upstream(self, lane: Lane, entry: Entry, verdict: Verdict) -> None:
        """What this answer says of the upstream's health: a definite one is a good sign, whatever it says."""
        match verdict:
            case Delivered() | Dropped() | Dead(DeadReason.REFUSED_UPSTREAM | DeadReason.TOO_LARGE):
                self._upstream_answered()
            case TryAgain(trouble=Trouble.PASSING_DROP):
                self._upstream_answered()
            case Dead(_, detail):  # given up without an answer, or after a 5xx
                self._upstream_stumbled(lane, entry, TryAgain(0.0, Trouble.UNANSWERED, aside=False, detail=detail))
            case TryAgain():
                self._upstream_stumbled(lane, entry, verdict)
            case _:
                assert_never(verdict)

    def _upstream_answered(self) -> None:
        since_s = self.upstream.answered()
        if since_s is not None:
            log.warning("the upstream answers again after %.1f s", time.monotonic() - since_s)

    def _upstream_stumbled(self, lane: Lane, entry: Entry, verdict: TryAgain) -> None:
        if entry.failures == 0:
            entry.passed_before, entry.failed_before = self.upstream.passed, self.upstream.failed
        entry.failures += 1
        draw = random.random()  # noqa: S311 - jitter, no secret
        if self.upstream.stumbled(verdict, time.monotonic(), draw, fails_alone=lane.aside):
            log.error("the upstream is down, events wait: %s (%s)", verdict.trouble, verdict.detail)

    def forget(self, number: int) -> None:
        """Drop the lanes of a partition that is no longer ours."""
        self._ready = deque(lane for lane in self._ready if lane.partition.number != number)
        self._unsure = [lane for lane in self._unsure if lane.partition.number != number]

    @property
    def idle(self) -> bool:
        """Whether there is no event that could show how the upstream fares."""
        return not self._ready and not self.in_flight

    async def close(self, within_s: float) -> bool:
        """Start nothing more and wait for what is in flight; False if it took too long."""
        self.closed = True
        self._come_back(0.0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        return not self._tasks
