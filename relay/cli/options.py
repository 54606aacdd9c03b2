"""Options of the command line, taken from the settings' model, and the settings that they add up to.

Faults in the settings end a command with exit code 2 and one line each; nothing else is printed.
"""

import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import IO, Any

import click

from relay.settings import Command, Listed, Settings, SettingsError, listing, load_settings
from relay.settings.sources import CONFIG, option, variable


class SettingsFault(click.ClickException):
    """The settings cannot be used: exit code 2, one line a fault."""

    exit_code = 2

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self._faults = faults

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the faults to standard error."""
        click.echo("The settings cannot be used:", file=file, err=True)
        for fault in self._faults:
            click.echo(f"  {fault}", file=file, err=True)


def settings_options(
    *names: str, command: Command | None = None, also: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a click command an option for each named setting (none named: every setting) and `--config`.

    The command's function gets the loaded `settings: Settings` in their place. `command` names the one whose needs
    must be met (see relay.settings.load.NEEDS); `also` gives a setting's option a second spelling.
    """
    rows = [row for row in listing() if not names or row.name in names]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def with_settings(**given: Any) -> None:
            options = {name: given.pop(name) for name in (CONFIG, *(row.name for row in rows))}
            function(settings=settings_or_exit(options, command), **given)

        described: Callable[..., None] = with_settings
        for row in reversed(rows):
            spellings = [option(row.name), *([also[row.name]] if also and row.name in also else [])]
            described = _option(row, spellings)(described)
        return click.option(
            option(CONFIG), CONFIG, metavar="FILE", help=f"TOML file with settings.  [env: {variable(CONFIG)}]"
        )(described)

    return decorate


def settings_or_exit(options: dict[str, object], command: Command | None = None) -> Settings:
    """Load the settings from options and this process's environment. Raises SettingsFault, which ends the command."""
    try:
        return load_settings(options, os.environ, command)
    except SettingsError as error:
        raise SettingsFault(error.faults) from None


def _option(row: Listed, spellings: list[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    unit = f", {row.shape.unit}" if row.shape.unit else ""
    text = f"{row.meaning}  [env: {row.variable}; default: {row.default}{unit}]"
    return click.option(*spellings, row.name, metavar=row.shape.metavar, help=text)
