"""Settings out of their sources, or every fault at once. No value is read here and no source opened.

A fault is one line: where the value came from, what is wrong, what would be right.
"""

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relay.settings.listing import shape_of
from relay.settings.model import Settings
from relay.settings.sources import CONFIG, Gathered, gather, option, variable
from relay.settings.values import quoted

Command: TypeAlias = Literal["serve", "work", "up"]

NEEDS: Mapping[Command, tuple[str, ...]] = {
    "serve": ("upstream", "redis_url", "sites"),
    "work": ("upstream", "redis_url"),
    "up": ("sites",),  # not with the sandbox, see missing()
}


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(Exception):
    """The settings cannot be used. `faults` has one line each; none of them holds a secret or what a file says."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_settings(
    options: Mapping[str, object], environ: Mapping[str, str], command: Command | None = None
) -> Settings:
    """Merge options (by setting name and `config`; None: not given) with the environment and the files it names.

    With a command, what that command needs must be there as well. Raises SettingsError with every fault.
    """
    gathered = gather(options, environ)
    faults = [text for _, text in gathered.faults]
    faults += _missing_in(gathered, command)
    try:
        settings = Settings.model_validate({name: given.value for name, given in gathered.given.items()})
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SettingsError(faults + [_fault(detail, gathered) for detail in details]) from None
    faults += _loops(settings, command, gathered)
    if faults:
        raise SettingsError(faults)
    return settings


def missing(settings: Settings, command: Command) -> list[str]:
    """Return the names of the settings that the command needs and these lack."""
    return _missing({name for name in Settings.model_fields if getattr(settings, name) not in {None, ()}}, command)


def _missing(present: Collection[str], command: Command) -> list[str]:
    if command == "up" and "upstream" not in present:
        return []  # the sandbox takes every site
    return [name for name in NEEDS[command] if name not in present]


def _missing_in(gathered: Gathered, command: Command | None) -> list[str]:
    at_fault = {name for name, _ in gathered.faults}
    if command is None or CONFIG in at_fault:  # what an unreadable file would have said is not known to be missing
        return []
    return [
        f"{variable(name)}: is not set and `relay {command}` needs it; "
        f"right would be {option(name)} or {variable(name)} with {shape_of(name).right}"
        for name in _missing(gathered.given.keys() | at_fault, command)
    ]


def _loops(settings: Settings, command: Command | None, gathered: Gathered) -> list[str]:
    """Find an upstream that is the door itself, for the commands that open one."""
    if command in {None, "work"} or settings.upstream is None or settings.listen.port == 0:
        return []
    upstream = urlsplit(settings.upstream)
    port = upstream.port or {"http": 80, "https": 443}[upstream.scheme]
    here = LOOPBACK if settings.listen.host in LOOPBACK | {"0.0.0.0", "::"} else {settings.listen.host}  # noqa: S104 - compared
    if upstream.hostname in here and port == settings.listen.port:  # each event would come back for ever
        return [f"{gathered.given['upstream'].where}: is the door itself; right would be the address of Plausible"]
    return []


def _fault(detail: ErrorDetails, gathered: Gathered) -> str:
    name = str(detail["loc"][0])
    shape = shape_of(name)
    given = gathered.given.get(name)
    quotable = given is None or given.quotable
    own = detail.get("ctx", {}).get("error")
    if isinstance(own, ValueError) and (quotable or shape.secret):  # a secret kind's own words never quote
        wrong = str(own)
    elif quotable and not shape.secret:
        wrong = f"{quoted(detail['input'])} will not do"
    else:
        wrong = "its value (not shown) will not do"
    where = given.where if given else f"{variable(name)} (default)"
    return f"{where}: {wrong}; right would be {shape.right}"
