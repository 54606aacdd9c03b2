"""The log of `python -m load.replay_import` in small: read line by line as a replay does, counted, counted again."""

import io
import itertools
import os
from collections import defaultdict
from zoneinfo import ZoneInfo

from load.replay_import.log import RULES, SITE, Maker, agents
from load.replay_import.naive import Rows, counted, differing
from relay.imports.agents import Agent
from relay.imports.calendar import Calendar, written
from relay.imports.counting import Counting
from relay.imports.identity import Identity
from relay.imports.tables import Table
from relay.replay.formats import FORMATS
from relay.replay.keeping import Keeper, Place
from relay.replay.page import Kept
from relay.replay.rules_file import rules_of

ZONE = ZoneInfo("Europe/Berlin")
AGENTS: dict[bytes | None, Agent | None] = {agent.text.encode(): Agent(*agent.means) for agent in agents()}


def test_no_row_differs() -> None:
    """Out of order, with files, errors and bots between: the tables are what the maker meant. All but one have rows."""
    log = io.StringIO()
    wanted = counted(Maker(4_000, 7, ZONE).write(log))[SITE]
    keeper = Keeper(FORMATS["combined"].parser(), rules_of(RULES), Place(SITE))
    read = map(keeper.keep, log.getvalue().encode().splitlines())
    counting = Counting(Identity(os.urandom, str), AGENTS.get, Calendar(ZONE))
    closed = [
        *itertools.chain.from_iterable(counting.take(kept) for kept in read if isinstance(kept, Kept)),
        *counting.finish(),
    ]
    found: dict[str, Rows] = defaultdict(list)
    for day, table in itertools.product(closed, Table):
        rows = day.numbers.rows(table)
        found[table] += [tuple(map(str, (written(day.day), *key, *counts))) for key, counts in rows]
    assert differing(wanted, found) == []
    assert [table for table, rows in wanted.items() if not rows] == ["imported_locations"]


def test_the_same_seed_makes_the_same_log() -> None:
    """So that a difference can be looked at again."""
    logs = [io.StringIO() for _ in range(3)]
    for log, seed in zip(logs, (1, 1, 2), strict=True):
        assert len(list(Maker(500, seed, ZONE).write(log))) > 400
    assert logs[0].getvalue() == logs[1].getvalue() != logs[2].getvalue()
