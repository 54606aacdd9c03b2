"""What became of the events: facts in, findings out. Pure, so that it can be tested without a run.

The law: what was acknowledged arrived; what arrived twice has a reason; a visitor's acknowledged events arrived
in their order, repetitions aside; all is well again soon after each trouble; the relay's own ledger says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from load.chaos.sink import Arrival

CONCURRENCY = 128  # the setting's default: what one worker may have under way
JUST_BEFORE_S = 5.0  # an event that a killed worker had under way arrived at most so long before the kill
SWAPPED_WITHIN_S = 10.0  # an event that was passed by, arrived so soon after the trouble's end
JUST_AFTER_S = 1.0  # or so long after it: what is in the kernel's buffers outlives who wrote it
HEAL_WITHIN_S = 10.0  # promised after the queue's return, and asked of every other trouble, too


@dataclass(frozen=True, slots=True)
class Blow:
    """A trouble that was done: its name, and when it began and ended (monotonic seconds).

    `may_repeat` says that what a worker had under way then may be sent again; `may_swap` that an event may pass the one
    before it: what Plausible does to all then could be the fault of one (docs/promises.md, on the order). `healed_s` is
    how long after its end every door acknowledged again and an event of every visitor, posted since, had arrived; None
    if nobody waited.
    """

    name: str
    began_s: float
    ended_s: float
    may_repeat: bool
    may_swap: bool = False
    healed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen from outside.

    `acknowledged`: visitor → numbers in the order of their 202. `unsure`: the names of all other events that were
    posted. `left_open`: name → how often it was counted in Plausible's place and not answered.
    """

    acknowledged: Mapping[int, Sequence[int]]
    unsure: Collection[str]
    arrivals: Sequence[Arrival]
    left_open: Mapping[str, int]
    blows: Sequence[Blow]
    ledger: Mapping[str, int]
    poison: Mapping[str, bool] = field(default_factory=dict)
    """Events that had to end dead, by name: whether they were acknowledged."""
    damaged: tuple[int, int] = (0, 0)
    """How many entries without sense were surely written, and how many perhaps beside these."""
    dead: Sequence[tuple[str, str]] = ()
    """Of each dead letter its reason and its event's name, which is empty if it cannot be read."""


@dataclass(slots=True)
class Findings:
    """The account; `faults` says in words what must not be, and is empty if all is well."""

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    repeated_by_kill: dict[int, int] = field(default_factory=dict)
    """Blow (its place in the list) → events repeated because of it."""
    repeated_open: int = 0
    """Repeated because Plausible's place took them and did not answer."""
    repeated_unexplained: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)
    """Out of order for a reason that is told."""
    out_of_order: list[str] = field(default_factory=list)
    unacknowledged: int = 0
    """Arrived although no 202 came: the answer was lost, or a 503 was wrong to fear the worst."""
    unknown: list[str] = field(default_factory=list)
    """Arrived, and nobody posted them."""
    faults: list[str] = field(default_factory=list)


def find(facts: Facts, most_in_flight: int) -> Findings:
    """Draw up the account. `most_in_flight`: what one killed worker may have under way."""
    found = Findings(acknowledged=sum(map(len, facts.acknowledged.values())))
    last_s: dict[str, float] = {}
    order: dict[int, list[int]] = {}
    excused = Counter(facts.left_open)
    for arrival in facts.arrivals:
        if arrival.name not in last_s:
            visitor, number = map(int, arrival.name.split(":"))
            order.setdefault(visitor, []).append(number)
        elif excused[arrival.name] > 0:
            excused[arrival.name] -= 1  # each answer that was withheld excuses one repetition
            found.repeated_open += 1
        else:
            _explain(found, facts, arrival, last_s[arrival.name])
        last_s[arrival.name] = arrival.at_s
    _compare(found, facts, order)
    _judge_events(found, facts, most_in_flight)
    _judge_dead(found, facts)
    _judge_times_and_ledger(found, facts, len(last_s))
    return found


def _explain(found: Findings, facts: Facts, arrival: Arrival, before_s: float) -> None:
    for place, blow in enumerate(facts.blows):
        under_way = blow.began_s - JUST_BEFORE_S <= before_s <= blow.ended_s + JUST_AFTER_S
        if blow.may_repeat and under_way and blow.began_s <= arrival.at_s:
            found.repeated_by_kill[place] = found.repeated_by_kill.get(place, 0) + 1
            return
    near = [blow.name for blow in facts.blows if before_s - JUST_BEFORE_S < blow.ended_s < arrival.at_s + JUST_BEFORE_S]
    found.repeated_unexplained.append(f"{arrival.name} after {arrival.at_s - before_s:.1f} s (near: {', '.join(near)})")


def _compare(found: Findings, facts: Facts, order: Mapping[int, Sequence[int]]) -> None:
    unsure = set(facts.unsure)
    for visitor in order.keys() | facts.acknowledged.keys():
        promised = facts.acknowledged.get(visitor, ())
        came = order.get(visitor, ())
        found.lost += [f"{visitor}:{number}" for number in sorted(set(promised).difference(came))]
        others = {f"{visitor}:{number}" for number in set(came).difference(promised)}
        found.unacknowledged += len(others)
        found.unknown += sorted(others - unsure)
        place = {number: at for at, number in enumerate(promised)}
        kept = [number for number in came if number in place]
        for earlier, later in pairwise(kept):
            if place[later] < place[earlier]:
                _explain_swap(found, facts, f"{visitor}:{later}")


def _explain_swap(found: Findings, facts: Facts, name: str) -> None:
    at_s = next(arrival.at_s for arrival in facts.arrivals if arrival.name == name)
    near = [blow for blow in facts.blows if blow.began_s <= at_s <= blow.ended_s + SWAPPED_WITHIN_S]
    if any(blow.may_swap for blow in near):
        found.swapped.append(name)
    else:
        found.out_of_order.append(f"{name} (near: {', '.join(blow.name for blow in near)})")


def _judge_events(found: Findings, facts: Facts, most_in_flight: int) -> None:
    for names, what in (
        (found.lost, "acknowledged events were lost"),
        (found.repeated_unexplained, "events were repeated without a reason"),
        (found.out_of_order, "events arrived out of order"),
        (found.unknown, "events arrived that nobody posted"),
    ):
        if names:
            found.faults.append(f"{len(names)} {what}: {names[:5]}")
    for place, count in found.repeated_by_kill.items():
        if count > most_in_flight:
            found.faults.append(f"{facts.blows[place].name} repeated {count} events, more than were in flight")


def _judge_dead(found: Findings, facts: Facts) -> None:
    """What had to end dead did, for its reason, and nothing else did."""
    exhausted = Counter(name for reason, name in facts.dead if reason == "exhausted" and name in facts.poison)
    unreadable = sum(reason == "unreadable" for reason, _ in facts.dead)
    missing = [name for name, acknowledged in facts.poison.items() if acknowledged and not exhausted[name]]
    if missing:
        found.faults.append(f"{len(missing)} poison events did not end dead: {missing[:5]}")
    others = [one for one in facts.dead if one[0] != "unreadable" and not exhausted[one[1]]]
    if others or max(exhausted.values(), default=1) > 1:
        found.faults.append(f"{len(others)} others died, or a poison event twice: {others[:5]}")
    written, perhaps = facts.damaged
    if not written <= unreadable <= written + perhaps:
        found.faults.append(f"{written} entries without sense were written, {unreadable} ended dead as such")


def _judge_times_and_ledger(found: Findings, facts: Facts, arrived: int) -> None:
    for blow in facts.blows:
        if blow.healed_s is not None and blow.healed_s > HEAL_WITHIN_S:
            found.faults.append(f"{blow.name} healed after {blow.healed_s:.1f} s")
    ledger = facts.ledger
    if ledger["accepted"] != sum(ledger[name] for name in ("delivered", "dropped", "dead", "pending")):
        found.faults.append(f"the ledger does not balance: {dict(ledger)}")
    if (ledger["delivered"], ledger["dead"], ledger["pending"]) != (arrived, len(facts.dead), 0):
        dead = f", {len(facts.dead)} died" if facts.dead else ""
        found.faults.append(f"{arrived} different events arrived{dead}, the ledger says {dict(ledger)}")
