"""One thing that is wrong with one field of an event, in Plausible's words and in ours.

Readers of fields return a `Fault` in the place of a value; `event.py` gathers them. Nothing here knows HTTP.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`field` and `words` are Plausible's own; `advice` goes on with what was wrong and what would be right."""

    field: str
    words: str
    advice: str = ""

    def message(self, *, strict: bool) -> str:
        """Plausible's words alone, or in strict mode the advice behind them."""
        return f"{self.words}: {self.advice}" if strict and self.advice else self.words
