"""The User-Agent of a device, read as Plausible reads it: by Matomo's own lists.

The lists take seconds to load and milliseconds an agent, so the table is short.
"""

from typing import Any

import orjson
import pytest
from device_detector import DeviceDetector

from relay.rules.bots import looks_like_bot
from relay.rules.device import MAX_CHARACTERS, read_device
from relay.rules.fault import Fault


def agent_of(**said: Any) -> str:
    """The User-Agent of a device that is legal."""
    agent, unread = read_device(orjson.dumps(said))
    assert isinstance(agent, bytes)
    assert unread == ()
    return agent.decode("ascii")


@pytest.mark.parametrize(
    ("said", "system", "kind"),
    [
        ({"os": "iOS", "os_version": "18.1", "model": "iPhone17,1", "locale": "de_DE"}, ("iOS", "18.1"), "smartphone"),
        (
            {"os": "ios", "os_version": "Version 17.1.2 (Build 21B1)", "model": "iPad14,3"},
            ("iPadOS", "17.1.2"),
            "tablet",
        ),
        ({"os": "iPadOS", "os_version": "26.1", "app": "Monitor"}, ("iPadOS", "26.1"), "tablet"),
        ({"os": "Android", "os_version": "14", "model": "Pixel 8", "app": "Shop"}, ("Android", "14"), "smartphone"),
        ({"os": "android", "os_version": 34, "model": "SM-X910", "locale": "en"}, ("Android", "14"), "tablet"),
        ({"os": "android", "model": "Nobody's 7Z", "app": "MyBot"}, ("Android", ""), "smartphone"),
        ({"os": "android", "os_version": "13", "model": "Nobody Tab 9"}, ("Android", "13"), "tablet"),
        ({"os": "Android TV", "os_version": "12", "model": "BRAVIA 4K"}, ("Android TV", "12"), "tv"),
        ({"os": "macOS", "os_version": "14.1.2", "app": "Safari"}, ("Mac", "14.1.2"), "desktop"),
        ({"os": "windows", "os_version": "10.0.22631", "locale": "pt-BR"}, ("Windows", "11"), "desktop"),
        ({"os": "Windows", "os_version": "10"}, ("Windows", "10"), "desktop"),
        ({"os": "Linux", "os_version": "6.8.0-48-generic"}, ("GNU/Linux", ""), "desktop"),
        ({"os": "ChromeOS", "os_version": "120.0"}, ("Chrome OS", "120.0"), "desktop"),
        ({"os": "tvOS", "os_version": "17.1"}, ("tvOS", "17.1"), "tv"),
        ({"os": "watchOS", "os_version": "10.1"}, ("watchOS", "10.1"), "wearable"),
        ({"os": "Tizen", "os_version": "6.5"}, ("Tizen", "6.5"), "tv"),
    ],
    ids=lambda given: given["os"] if isinstance(given, dict) else "",
)
def test_plausible_reads_the_right_device(said: dict[str, Any], system: tuple[str, str], kind: str) -> None:
    """System and device class are right, it is a mobile app (which Plausible shows as "Mobile App"), and no bot."""
    agent = agent_of(app_version="3.2.1-beta", **said)
    found = DeviceDetector(agent).parse()
    assert not found.is_bot()
    assert not looks_like_bot(agent.encode())
    assert (found.os_name(), found.os_version()) == system
    assert (found.client_type(), found.device_type()) == ("mobile app", kind)


@pytest.mark.parametrize(
    "word", ["Googlebot", "acme-proxy", "k6/1", "Scooter", "HeadlessChrome", "üñí", "a;b)\r\nX: y"]
)
def test_nobody_s_words_make_a_bot(word: str) -> None:
    """Of the app's name only a number gets in, and of a model nothing that looks like a bot."""
    agent = agent_of(os="android", model=word, app=word, app_version=word, locale=word)
    assert not looks_like_bot(agent.encode())
    assert word not in agent.partition("appname/")[2]
    assert agent.isprintable()
    assert agent.count("(") == agent.count(")") == 1


def test_devices_that_differ_are_different_visitors() -> None:
    """App, its version, model, system and locale are told apart, as those of browsers are; nothing said is fine."""
    plain = {"os": "android", "os_version": "14", "model": "Pixel 8", "app": "A", "app_version": "1.0", "locale": "de"}
    changed = {"os": "ios", "os_version": "15", "model": "Pixel 9", "app": "B", "app_version": "1.1", "locale": "fr"}
    agents = {agent_of(**(plain | {key: changed[key]})) for key in changed} | {agent_of(**plain)}
    assert len(agents) == 1 + len(changed)
    assert agent_of(**plain) == "AppVersion/1.0 (Linux; Android 14; Mobile; Pixel 8; de) appname/app-d3d99e8b"
    nothing = agent_of(os="iOS", os_version=None, model="", app=None)
    assert nothing == "AppVersion/0 (iPhone; CPU iPhone OS like Mac OS X) appname/app"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("iOS", "is not an object"),
        ([], "is not an object"),
        ({}, "names no os"),
        ({"os": " "}, "names no os"),
        ({"os": "Symbian"}, 'os "Symbian" is unknown: send iOS, iPadOS, Android,'),
        ({"os": "iOS", "os_version": "latest"}, 'os_version "latest" has no number'),
        ({"os": "iOS", "model": {}}, "model has to be a text"),
        ({"os": "iOS", "app": True}, "app has to be a text"),
        ({"os": "iOS", "locale": "x" * (MAX_CHARACTERS + 1)}, "locale has to be a text of at most 100 characters"),
    ],
)
def test_what_is_no_device_is_told(said: Any, wrong: str) -> None:
    """What was wrong and what would be right."""
    fault, _ = read_device(orjson.dumps(said))
    assert isinstance(fault, Fault)
    assert fault.field == "device"
    assert wrong in fault.words


def test_keys_that_nothing_reads_are_known() -> None:
    """So that a misspelt one is told."""
    assert read_device(b'{"os": "iOS", "osVersion": "18.1"}').unread == ("osVersion",)
