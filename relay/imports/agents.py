"""The device, the browser and the system that a User-Agent names, in Plausible's words; or that it is a bot.

Plausible reads agents with Matomo's lists; device-detector is their port to Python, so that imported and native rows
bear the same names. It takes some 30 ms for an agent, hence once for each.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple


class Agent(NamedTuple):
    """What the tables say of an agent; "" where it does not tell. Versions have at most two numbers, as upstream."""

    device: str
    browser: str
    browser_version: str
    operating_system: str
    operating_system_version: str


class Missing(Exception):  # noqa: N818 - what is wrong, not that something is
    """The libraries of the import are not installed; the text says what to do."""


UNKNOWN = Agent("", "", "", "", "")
KEPT_AGENTS = 65_536  # some 20 MB; a log has some thousands

_MOBILE = ("smartphone", "feature phone", "portable media player", "phablet", "wearable", "camera")
_DEVICES = {
    **dict.fromkeys(_MOBILE, "Mobile"),
    **dict.fromkeys(("tablet", "car browser"), "Tablet"),
    **dict.fromkeys(("desktop", "tv", "console"), "Desktop"),
}
_BROWSERS = {
    "Mobile Safari": "Safari",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Firefox Mobile": "Firefox",
    "Firefox Mobile iOS": "Firefox",
    "Opera Mobile": "Opera",
    "Opera Mini": "Opera",
    "Opera Mini iOS": "Opera",
    "Yandex Browser Lite": "Yandex Browser",
    "Chrome Webview": "Mobile App",
}
_APP = "Mobile App"


def describer() -> Callable[[bytes | None], Agent | None]:
    """The function from a User-Agent to its `Agent`, or to None for a bot. It remembers; raises `Missing`."""
    try:
        from device_detector import DeviceDetector  # noqa: PLC0415 - 100 MB, and an extra
    except ImportError:
        raise Missing(missing("device-detector")) from None

    @lru_cache(maxsize=KEPT_AGENTS)
    def describe(user_agent: bytes | None) -> Agent | None:
        if not user_agent:
            return UNKNOWN
        return _agent(DeviceDetector(user_agent.decode("utf-8", "replace")).parse())

    return describe


def missing(library: str) -> str:
    """What to do about a library that is not there."""
    return (
        f"the import needs {library}: in a checkout `make install` brings it; elsewhere "
        "pip install 'plausible-relay[import]', or of a version that is not released '/path/to/checkout[import]'"
    )


def _agent(found: Any) -> Agent | None:
    name = found.client_name()
    if found.is_bot() or name == "Headless Chrome":
        return None
    app = found.client_type() == "mobile app"
    browser = _APP if app else _BROWSERS.get(name, name)
    version = "" if app else _major_minor(found.client_version())
    return Agent(
        _DEVICES.get(found.device_type(), ""), browser, version, found.os_name(), _major_minor(found.os_version())
    )


def _major_minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
