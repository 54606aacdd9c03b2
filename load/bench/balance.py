"""The account at both ends: what was sent has an answer, and what was accepted has arrived or is told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from load.bench.senders import Told

ACCEPTED = 202


def balance(told: Told, arrivals: Sequence[int], ledger: Mapping[str, int], backlog: int = 0) -> dict[str, Any]:
    """The numbers, and what does not add up.

    `arrivals` has the number of each arrival, repeats too; `backlog` events were in the queue before, and are accepted.
    """
    statuses = told.statuses
    sent, accepted, unsure = len(told.fates), statuses[ACCEPTED], statuses[0]
    times = Counter(arrivals)
    missing = [number for number in told.accepted if number not in times]
    elsewhere = ledger["dropped"] + ledger["dead"] + ledger["pending"]
    numbers = {
        "sent": sent,
        "accepted": accepted,
        "refused": sent - accepted - unsure,
        "unsure": unsure,
        "backlog": backlog,
        "arrived": len(times),
        "repeats": len(arrivals) - len(times),
        "ledger": dict(ledger),
    }
    faults = {
        "the ledger does not add up": ledger["accepted"] != ledger["delivered"] + elsewhere,
        "the ledger accepted other numbers than were answered 202": not (
            accepted <= ledger["accepted"] - backlog <= accepted + unsure
        ),
        f"{len(missing)} accepted events neither arrived nor are told of": len(missing) > elsewhere,
        "more arrived than was accepted": len(times) > accepted + unsure + backlog,
        "less was delivered than the ledger says": len(times) < ledger["delivered"],
    }
    return numbers | {"faults": [fault for fault, is_so in faults.items() if is_so]}
