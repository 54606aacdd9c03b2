"""Which day a second belongs to: in UTC for the salts, in the site's time zone for the tables.

Plausible's salts change at midnight UTC, its exporter books by the time zone of the site.
"""

from datetime import UTC, date, datetime, tzinfo

_SLOT_S = 900  # no zone of today changes its day, or its offset, within a quarter of an hour
_SLOTS_KEPT = 4_096


class Calendar:
    """Days in one time zone, each as its ordinal (`date.toordinal`)."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._days: dict[int, int] = {}

    def day(self, at_s: int) -> int:
        """The day of this Unix time in seconds."""
        slot = at_s // _SLOT_S
        day = self._days.get(slot)
        return self._remember(slot) if day is None else day

    def _remember(self, slot: int) -> int:
        if len(self._days) >= _SLOTS_KEPT:
            self._days.clear()
        day = self._days[slot] = datetime.fromtimestamp(slot * _SLOT_S, self._zone).toordinal()
        return day


def written(day: int) -> str:
    """A day as the tables have it: YYYY-MM-DD."""
    return date.fromordinal(day).isoformat()
