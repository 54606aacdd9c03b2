"""Whose turn it is: the sites in turn, and within a site its visitors' lanes in turn.

Nothing is sent from here. A site that may have no more under way, or is down, leaves the round until that changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.lanes import Lane
from workers.sites import Site
from workers.upstream import Upstream


@dataclass(slots=True)
class Turns:
    """The lanes that have an event to send. `start` is called for each whose turn has come, while `has_room`."""

    upstream: Upstream
    start: Callable[[Lane, Site, float], None]
    has_room: Callable[[], bool]
    closed: bool = False
    _round: deque[Site] = field(default_factory=deque)
    """Sites that may have a lane to send, each once."""
    _unsure: list[Lane] = field(default_factory=list)
    _pumping: bool = False
    _timer: asyncio.TimerHandle | None = None

    def offer(self, lane: Lane, in_s: float = 0.0) -> None:
        """The lane has an event to send, in so many seconds."""
        if in_s > 0:
            asyncio.get_running_loop().call_later(in_s, self.offer, lane)
            return
        if lane.site is None:
            lane.site = self.upstream.site(lane.entries[0].event.site)
        lane.site.ready.append(lane)
        self._list(lane.site)
        self.pump()

    def pump(self) -> None:
        """Start as many deliveries as may start now. What is offered meanwhile is seen by the same loop."""
        if self._pumping or not self._round or not self.has_room():  # who makes room calls again
            return
        self._pumping = True
        now_s = time.monotonic()
        try:
            while self._round and not self.closed and self._may_start(now_s):
                site = self._round.popleft()
                if self._take_turn(site, now_s):
                    self._round.append(site)
                else:
                    site.listed = False
        finally:
            self._pumping = False
        self._come_back(now_s)

    def _take_turn(self, site: Site, now_s: float) -> bool:
        """Start one delivery of the site; False if it leaves the round until somebody lists it again."""
        if not self.upstream.may_send_for(site, now_s):
            if site.circuit.next_s > now_s:
                asyncio.get_running_loop().call_at(self._loop_time(site.circuit.next_s), self.relist, site)
            return False
        while site.ready:
            lane = site.ready.popleft()
            if lane.partition.closing:  # another worker's, now or soon
                continue
            if now_s < lane.partition.lease_until_s and not lane.partition.refused:
                self.start(lane, site, now_s)
                return True
            self._unsure.append(lane)
        return False

    def _list(self, site: Site) -> None:
        if not site.listed:
            site.listed = True
            self._round.append(site)

    def relist(self, site: Site) -> None:
        """Something changed for the site: it takes turns again."""
        if site.ready:
            self._list(site)
        self.pump()

    def relist_all(self) -> None:
        """The upstream went down or came back: each site's lanes are candidates again."""
        for site in self.upstream.sites.values():
            if site.ready:
                self._list(site)

    def renewed(self) -> None:
        """Leases were prolonged: lanes that waited for that go on."""
        unsure, self._unsure = self._unsure, []
        for lane in unsure:
            self.offer(lane)
        self.pump()

    def _may_start(self, now_s: float) -> bool:
        return self.has_room() and self.upstream.may_send(now_s)

    def _come_back(self, now_s: float) -> None:
        """When only the upstream's pace holds lanes back, nothing else would wake us."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_s = self.upstream.circuit.next_s
        if self._round and not self.closed and next_s > now_s:
            self._timer = asyncio.get_running_loop().call_at(self._loop_time(next_s), self.pump)

    def forget(self, number: int) -> None:
        """Drop the lanes of a partition that is no longer ours."""
        for site in self.upstream.sites.values():
            site.ready = deque(lane for lane in site.ready if lane.partition.number != number)
        self._unsure = [lane for lane in self._unsure if lane.partition.number != number]

    @property
    def empty(self) -> bool:
        """Whether no lane waits for its turn."""
        return not any(site.ready for site in self.upstream.sites.values())

    def close(self) -> None:
        """Start nothing more."""
        self.closed = True
        self._come_back(0.0)

    @staticmethod
    def _loop_time(at_s: float) -> float:
        return asyncio.get_running_loop().time() + at_s - time.monotonic()
