"""A duration as operators write it: 90s, 15m, 2h, 3d."""

import re
from typing import Any, Final

import click

UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Duration(click.ParamType[float]):
    """Its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or end with exit code 2."""
        if isinstance(value, float):
            return value  # the default, read before
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 15m, 2h or 3d", param, ctx)
        return float(found[1]) * UNITS_S[found[2]]
