"""The device that an app says it runs on becomes a User-Agent that Plausible reads as that device.

Plausible reads User-Agents by Matomo's device-detector lists (contract section 4). By these, whatever says
`AppVersion/… appname/…` is a mobile app, which Plausible shows as "Mobile App". No name of an app or a person's text
gets in, as those lists also hold thousands of names of bots: an app is told from another by a number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import orjson

from relay.rules.bots import looks_like_bot
from relay.rules.fault import Fault
from relay.rules.text import shown

FIELDS = ("os", "os_version", "model", "app", "app_version", "locale")
MAX_CHARACTERS = 100  # of each; the longest model known to the lists has some 60

_USUAL_BYTES = 600

_VERSION = re.compile(r"\d{1,6}(?:\.\d{1,6}){0,3}", re.ASCII)
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?", re.ASCII)
_NO_MODEL = re.compile(r"[^A-Za-z0-9 ,._+-]+")
_TABLET = re.compile(r"\b(?:tab|tablet|pad)\b|^SM-[TXP]\d", re.IGNORECASE)
_TV = re.compile(r"\btv\b|^AFT[A-Z]|bravia|chromecast", re.IGNORECASE)

# Android's API levels, which some frameworks give in the place of a version: there is no Android 21 yet.
_API_LEVELS = {21: "5.0", 22: "5.1", 23: "6.0", 24: "7.0", 25: "7.1", 26: "8.0", 27: "8.1", 28: "9", 29: "10", 30: "11"}
_API_LEVELS |= {31: "12", 32: "12"} | {level: str(level - 20) for level in range(33, 41)}
_WINDOWS = {"7": "6.1", "8": "6.2", "8.1": "6.3"}
_WINDOWS_11 = 22_000  # its first build; Windows itself says 10.0.22000


@dataclass(frozen=True, slots=True)
class Device:
    """What is read of `device`, "" where nothing was said."""

    os: str
    os_version: str
    model: str
    app: str
    app_version: str
    locale: str


def _ios(device: Device) -> str:
    if device.model.lower().startswith("ipad"):
        return _ipados(device)
    version = device.os_version.replace(".", "_")
    return f"iPhone; CPU iPhone OS {version} like Mac OS X" if version else "iPhone; CPU iPhone OS like Mac OS X"


def _ipados(device: Device) -> str:
    return f"iPad; iPadOS {device.os_version}".rstrip()


def _android(device: Device) -> str:
    kind = "Tablet" if _TABLET.search(device.model) else "Mobile"
    if _TV.search(device.model):
        return _android_tv(device)
    return "; ".join(("Linux", f"Android {device.os_version}".rstrip(), kind, device.model or "K"))  # K: as Chrome's


def _android_tv(device: Device) -> str:
    return "; ".join(filter(None, ("Linux", f"Android {device.os_version}".rstrip(), "Android TV", device.model)))


def _macos(device: Device) -> str:
    return f"Macintosh; Intel Mac OS X {device.os_version.replace('.', '_')}".rstrip()


def _windows(device: Device) -> str:
    major, _, rest = device.os_version.partition(".")
    build = int(rest.partition(".")[2].partition(".")[0] or 0)
    version = _WINDOWS.get(device.os_version, "10.0")
    if major == "11" or (major == "10" and build >= _WINDOWS_11):
        version = "11.0"
    return f"Windows NT {version}; Win64; x64"


_SYSTEMS: Mapping[str, Callable[[Device], str]] = {
    "ios": _ios,
    "ipados": _ipados,
    "android": _android,
    "androidtv": _android_tv,
    "macos": _macos,
    "macosx": _macos,
    "windows": _windows,
    "linux": lambda _: "Desktop x64; Linux",
    "chromeos": lambda device: f"X11; CrOS x86_64 {device.os_version}".rstrip(),
    "tvos": lambda device: f"Apple TV; tvOS {device.os_version}".rstrip(),
    "watchos": lambda device: f"Apple Watch; watchOS {device.os_version}".rstrip(),
    "tizen": lambda device: f"Linux; Tizen {device.os_version}; SMART-TV".replace(" ;", ";"),
    "webos": lambda _: "Web0S; Linux/SmartTV",
}
_NAMES = "iOS, iPadOS, Android, Android TV, macOS, Windows, Linux, ChromeOS, tvOS, watchOS, Tizen or webOS"
_WANTED = 'send {"os": "iOS", "os_version": "18.1", "model": "iPhone17,1", "app": "Shop", "app_version": "3.2"}'


class Read(NamedTuple):
    """What became of a `device`: the User-Agent or what is wrong, and keys that nothing reads."""

    agent: bytes | Fault
    unread: tuple[str, ...] = ()


def read_device(raw: bytes) -> Read:
    """A device's JSON; it has to be an object that names its `os`. That it is JSON is known."""
    return _known(raw) if len(raw) <= _USUAL_BYTES else _read(raw)


def _read(raw: bytes) -> Read:
    value = orjson.loads(raw)
    if not isinstance(value, dict):
        return Read(Fault("device", f"is not an object: {_WANTED}"))
    texts = []
    for name in FIELDS:
        text = _text(value.get(name))
        if text is None or len(text) > MAX_CHARACTERS:
            return Read(Fault("device", f"{name} has to be a text of at most {MAX_CHARACTERS} characters: {_WANTED}"))
        texts.append(text)
    made = _agent(*texts)
    unread = tuple(key for key in value if key not in FIELDS)
    return Read(made if isinstance(made, bytes) else Fault("device", made), unread)


_known = lru_cache(maxsize=4_096)(_read)  # devices of one kind are many, and each says the same in all its events


def _text(value: object) -> str | None:
    """Text and numbers as text, "" for nothing; None for what has no place in a device."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if type(value) in {int, float} else None


def _agent(*texts: str) -> bytes | str:
    """The User-Agent, or in words why there is none."""
    said = Device(*texts)
    system = re.sub(r"[^a-z]", "", said.os.lower())
    if not said.os:
        return f"names no os: {_WANTED}"
    if system not in _SYSTEMS:
        return f"os {shown(said.os)} is unknown: send {_NAMES}"
    version = _VERSION.search(said.os_version)
    if said.os_version and version is None:
        return f"os_version {shown(said.os_version)} has no number: send it as 18.1"
    os_version = version[0] if version else ""
    if system.startswith("android") and os_version.isdigit():
        os_version = _API_LEVELS.get(int(os_version), os_version)
    app_version = _VERSION.search(said.app_version)
    device = Device(said.os, os_version, _model(said.model), said.app, app_version[0] if app_version else "0", "")
    return _written(_SYSTEMS[system], device, said.locale).encode()


def _written(system: Callable[[Device], str], device: Device, locale: str) -> str:
    found = _LOCALE.fullmatch(locale)
    parts = [system(device)] + (["-".join(filter(None, found.groups()))] if found else [])
    app = f"app-{crc32(device.app.encode('utf-8', 'replace')):08x}" if device.app else "app"
    return f"AppVersion/{device.app_version} ({'; '.join(parts)}) appname/{app}"


def _model(model: str) -> str:
    """The model in letters that a User-Agent can hold; nothing of one that would make a bot of its device."""
    plain = _NO_MODEL.sub(" ", model).strip()
    return "" if looks_like_bot(plain.encode()) else plain
