"""`--dry-run` and `--explain`: what a replay would do, without Redis and without a trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from relay.replay.batch import Batch, bare, judge
from relay.replay.hit import Hit
from relay.replay.opening import Opened
from relay.replay.outcomes import Refusal
from relay.replay.page import Kept
from relay.replay.source import UnreadableLogError
from relay.replay.summary import Summary


def rehearse(
    logs: Iterable[Opened],
    summary: Summary,
    stop: asyncio.Event,
    on_batch: Callable[[Opened, Batch], None],
    on_broken: Callable[[str], None],
) -> bool:
    """Judge all lines and count; False if not all logs were read to their ends."""
    whole = True
    for opened in logs:
        try:
            while lines := opened.log.take():
                batch = judge(lines, opened.keeper, opened.admission, time.time_ns() // 1_000_000)
                summary.add(batch)
                summary.count_pages(batch)
                on_batch(opened, batch)
                if stop.is_set():
                    return False
        except UnreadableLogError as error:
            on_broken(str(error))
            whole = False
        opened.log.close()
    return whole


def explain(opened: Opened, number: int) -> dict[str, Any]:
    """What becomes of the line of that number (from 1), and which rule says so. Raises UnreadableLogError."""
    line = _line(opened, number)
    told: dict[str, Any] = {"line": number, "format": opened.format.name if opened.format else "none"}
    hit = opened.parse(line)
    if isinstance(hit, Hit) and hit.body is None:
        told |= _said_by(hit)
        told["decided_by"] = opened.keeper.rules.decide(hit)[1]
    outcome = opened.keeper.keep(line)
    if isinstance(outcome, Kept):
        admitted = opened.admission.admit(outcome, time.time_ns() // 1_000_000)
        told |= {"url": outcome.url, "body": outcome.body.decode("utf-8", "replace")}
        if isinstance(admitted, Refusal):
            return told | {"outcome": f"refused: {admitted.reason}", "why": admitted.detail}
        return told | {"outcome": f"event {outcome.name} for {outcome.site}"}
    if isinstance(outcome, Refusal):
        return told | {"outcome": f"refused: {outcome.reason}", "why": outcome.detail}
    return told | {"outcome": f"left out: {outcome}"}


def _said_by(hit: Hit) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(hit.at_ms / 1_000))
    agent = (hit.user_agent or b"").decode("utf-8", "replace")
    said = {"time": at, "host": hit.site, "method": hit.method, "path": hit.path, "status": hit.status}
    return said | {"user_agent": agent}


def _line(opened: Opened, number: int) -> bytes:
    """The line; those before it are read for their headers."""
    while lines := opened.log.take():
        index = number - lines.number - 1
        for before, line in enumerate(lines.lines[: max(0, index)], lines.number):
            if before == 0 or line.startswith(b"#"):
                opened.parse(bare(line))
        if index < len(lines.lines):
            return bare(lines.lines[index])
    raise UnreadableLogError(f"{opened.log.name} has {opened.log.number:,} lines, so none of number {number:,}")
