"""Where a setting may come from, and which source wins: option > environment > RELAY_<NAME>_FILE > TOML > default.

Reads the environment and files and collects every fault on the way. What a value means is not judged here, and
nothing that a file holds is ever repeated in a fault.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relay.settings.model import Settings

PREFIX = "RELAY_"
CONFIG = "config"  # names the TOML file; an option and a variable, but no setting
FILE_LIMIT = 65_536  # bytes of a RELAY_<NAME>_FILE; no setting is longer, and /dev/zero has no end

# Kubernetes puts these into every container beside a service called `relay` or `relay-…`; nobody set them.
_SERVICE_LINK = re.compile(
    r"RELAY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=.*"
    r"|RELAY_(\w+_)?PORT=(tcp|udp|sctp)://.*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was given; `where` names its source for faults, `quotable` says whether they may repeat it."""

    value: object
    where: str
    quotable: bool


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all sources gave: the winning value of each setting, and the faults found, by setting or other name."""

    given: dict[str, Given] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


def variable(name: str) -> str:
    """`redis_url` → `RELAY_REDIS_URL`."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """`redis_url` → `--redis-url`."""
    return "--" + name.replace("_", "-")


def gather(options: Mapping[str, object], environ: Mapping[str, str]) -> Gathered:
    """Collect what options (None: not given) and the environment say, and the files that they name."""
    gathered = Gathered()
    mine = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    _from_toml(options.get(CONFIG) or mine.get(variable(CONFIG)), gathered)
    for name in Settings.model_fields:
        _from_environment(name, mine, gathered)
        if options.get(name) is not None:
            gathered.given[name] = Given(options[name], option(name), quotable=True)
    _refuse_unknown_variables(mine, gathered)
    return gathered


def _from_environment(name: str, mine: Mapping[str, str], gathered: Gathered) -> None:
    direct, by_file = variable(name), variable(name) + "_FILE"
    if direct in mine and by_file in mine:
        fault = f"{direct} and {by_file} (environment): both are set; right would be one of them"
        gathered.faults.append((name, fault))
    if direct in mine:
        gathered.given[name] = Given(mine[direct], f"{direct} (environment)", quotable=True)
    elif by_file in mine:
        try:
            text = _content(Path(mine[by_file]))
        except (
            OSError,
            ValueError,
        ) as error:  # the path stays unsaid: it may be the secret itself, put there by mistake
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            fault = f"{by_file} (environment): its file cannot be used: {why}; right would be the path of a text file"
            gathered.faults.append((name, fault))
        else:
            gathered.given[name] = Given(text, f"{by_file} (file)", quotable=False)


def _content(path: Path) -> str:
    """Return the file's text without its trailing newline. Raises OSError or ValueError saying why not."""
    if "\0" in str(path):
        raise ValueError("there is no such path")
    with path.open("rb") as file:
        raw = file.read(FILE_LIMIT + 1)
    if len(raw) > FILE_LIMIT:
        raise ValueError(f"it is longer than {FILE_LIMIT} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # its own text would repeat a byte
        raise ValueError("it is not UTF-8 text") from None
    if not text.strip():
        raise ValueError("it is empty")
    return text.rstrip("\r\n")


def _from_toml(path: object, gathered: Gathered) -> None:
    if not path:
        return
    file = Path(str(path))
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        gathered.faults.append((CONFIG, f"{file}: cannot be read: {error.strerror}; right would be a TOML file"))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\((at [^()]*)\)$", str(error))  # the place alone: the rest may repeat what the file holds
        fault = (
            f'{file}: is not TOML {place[1] if place else ""}; right would be lines such as listen = "127.0.0.1:8000"'
        )
        gathered.faults.append((CONFIG, fault))
    except ValueError:
        gathered.faults.append((CONFIG, f"{file}: is not UTF-8 text; right would be a TOML file"))
    else:
        for name, value in table.items():
            if name in Settings.model_fields:
                gathered.given[name] = Given(value, f"{name} ({file})", quotable=True)
            else:
                hint = _hint(name.lower().removeprefix("relay_"), Settings.model_fields)
                gathered.faults.append((name, f"{name} ({file}): there is no such setting; {hint}"))


def _refuse_unknown_variables(mine: Mapping[str, str], gathered: Gathered) -> None:
    known = {variable(name) + suffix for name in Settings.model_fields for suffix in ("", "_FILE")}
    for name in sorted(mine.keys() - known - {variable(CONFIG)}):
        if not _SERVICE_LINK.fullmatch(f"{name}={mine[name]}"):
            hint = _hint(name, [*known, variable(CONFIG)])
            gathered.faults.append((name, f"{name} (environment): there is no such setting; {hint}"))


def _hint(name: str, known: Iterable[str]) -> str:
    bare = {each.removeprefix(PREFIX): each for each in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1)
    return f"did you mean {bare[close[0]]}?" if close else "config/relay.toml lists them all"
