"""User-Agents as browsers, apps and servers send them, by their share of traffic, more or less.

Browsers name a reduced version of themselves nowadays, so their User-Agents differ in a few digits; apps name a device
and a build. The versions are a range, as traffic is measured later than a dictionary is trained.
"""

from __future__ import annotations

import random
from typing import Final

from load.dictionary.words import LISTS

_APPS: Final = ("Notes", "Shop", "Reader", "Fitness", "Weather", "Recipes", "Transit", "Banking", "Chat", "Learn")
_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_SAFARI: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_DESKTOPS: Final[tuple[tuple[str, int], ...]] = (
    ("Windows NT 10.0; Win64; x64", 6),
    ("Macintosh; Intel Mac OS X 10_15_7", 3),
    ("X11; Linux x86_64", 1),
    ("X11; CrOS x86_64 14541.0.0", 1),
)


_FIREFOX_SYSTEMS: Final = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10.15",
    "X11; Linux x86_64",
    "X11; Ubuntu; Linux x86_64",
)


def agent(chance: random.Random, newest: int) -> str:
    """A User-Agent; Chrome's version is at most `newest`, and the others' are as new."""
    kinds = (_chrome, _android, _iphone, _mac_safari, _firefox, _edge, _samsung, _webview, _in_app, _app, _server)
    return chance.choices(kinds, (30, 20, 18, 8, 6, 5, 3, 2, 3, 3, 2))[0](chance, newest)


def _version(chance: random.Random, newest: int) -> int:
    return newest - min(int(chance.expovariate(0.5)), 25)


def _desktop(chance: random.Random) -> str:
    names, weights = zip(*_DESKTOPS, strict=True)
    return str(chance.choices(names, weights)[0])


def _chrome(chance: random.Random, newest: int) -> str:
    rest = ".0.0.0" if chance.random() < 0.9 else f".0.{chance.randrange(5_000, 8_000)}.{chance.randrange(200)}"  # noqa: PLR2004
    tail = " OPR/1" + str(chance.randrange(10, 30)) + ".0.0.0" if chance.random() < 0.05 else ""  # noqa: PLR2004
    return f"Mozilla/5.0 ({_desktop(chance)}) {_WEBKIT} Chrome/{_version(chance, newest)}{rest} Safari/537.36{tail}"


def _android(chance: random.Random, newest: int) -> str:
    device = f"Android {chance.randrange(9, 17)}; {_device(chance)}" if chance.random() < 0.2 else "Android 10; K"  # noqa: PLR2004
    return f"Mozilla/5.0 (Linux; {device}) {_WEBKIT} Chrome/{_version(chance, newest)}.0.0.0 Mobile Safari/537.36"


def _ios(chance: random.Random, newest: int) -> tuple[int, int]:
    return newest // 8 - chance.choices((0, 1, 2), (6, 3, 1))[0], chance.randrange(8)


def _iphone(chance: random.Random, newest: int) -> str:
    major, minor = _ios(chance, newest)
    kind = chance.choices(("iPhone; CPU iPhone OS", "iPad; CPU OS"), (9, 1))[0]
    browser = f"Version/{major}.{minor}"
    if chance.random() < 0.1:  # noqa: PLR2004
        browser = f"CriOS/{_version(chance, newest)}.0.{chance.randrange(5_000, 8_000)}.{chance.randrange(200)}"
    return f"Mozilla/5.0 ({kind} {major}_{minor} like Mac OS X) {_SAFARI} {browser} Mobile/15E148 Safari/604.1"


def _mac_safari(chance: random.Random, newest: int) -> str:
    major, minor = _ios(chance, newest)
    return f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Version/{major}.{minor} Safari/605.1.15"


def _firefox(chance: random.Random, newest: int) -> str:
    version = _version(chance, newest)
    if chance.random() < 0.2:  # noqa: PLR2004
        system = f"Android {chance.randrange(10, 17)}; Mobile"
        return f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0"
    return f"Mozilla/5.0 ({chance.choice(_FIREFOX_SYSTEMS)}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"


def _edge(chance: random.Random, newest: int) -> str:
    version = _version(chance, newest)
    return f"Mozilla/5.0 ({_desktop(chance)}) {_WEBKIT} Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0"


def _samsung(chance: random.Random, newest: int) -> str:
    browser = f"SamsungBrowser/{chance.randrange(20, 30)}.0 Chrome/{_version(chance, newest)}.0.0.0"
    return f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} {browser} Mobile Safari/537.36"


def _device(chance: random.Random) -> str:
    return chance.choice(LISTS["devices"]).replace("+", " ")


def _build(chance: random.Random) -> str:
    letters = f"{chance.choice('TUAB')}{chance.choice('PQD')}{chance.randrange(1, 4)}A"
    return f"{letters}.{chance.randrange(200_000, 260_000)}.{chance.randrange(1, 30):03}"


def _webview(chance: random.Random, newest: int) -> str:
    device = f"Android {chance.randrange(9, 17)}; {_device(chance)} Build/{_build(chance)}; wv"
    version = f"{_version(chance, newest)}.0.{chance.randrange(5_000, 8_000)}.{chance.randrange(200)}"
    return f"Mozilla/5.0 (Linux; {device}) {_WEBKIT} Version/4.0 Chrome/{version} Mobile Safari/537.36"


def _in_app(chance: random.Random, newest: int) -> str:
    major, minor = _ios(chance, newest)
    start = f"Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) {_SAFARI} Mobile/15E148"
    number = chance.randrange(300, 500)
    device = "iPhone15,2"
    return start + chance.choice(
        (
            (
                f" [FBAN/FBIOS;FBAV/{number}.0.0.{chance.randrange(100)};FBBV/{chance.randrange(10**9)};FBDV/{device};"
                f"FBMD/iPhone;FBSN/iOS;FBSV/{major}.{minor};FBSS/3;FBCR/;FBID/phone;FBLC/en_US;FBOP/5]"
            ),
            (
                f" Instagram {number}.0.{chance.randrange(40)}.{chance.randrange(100)} "
                f"(iPhone15,3; iOS {major}_{minor}; en_US; en; scale=3.00; 1290x2796; {chance.randrange(10**9)})"
            ),
            f" GSA/{number}.0.{chance.randrange(10**9)} Safari/604.1",
        )
    )


def _app(chance: random.Random, newest: int) -> str:
    name, version = chance.choice(_APPS), f"{chance.randrange(1, 9)}.{chance.randrange(20)}.{chance.randrange(10)}"
    major, minor = _ios(chance, newest)
    return chance.choice(
        (
            f"{name}/{chance.randrange(1, 400)} CFNetwork/{1_400 + 10 * major}.0.{minor} Darwin/{major + 5}.{minor}.0",
            (
                f"{name}/{version} (com.example.{name.lower()}; build:{chance.randrange(1, 900)}; "
                f"iOS {major}.{minor}.0) Alamofire/5.9.1"
            ),
            f"{name}/{version} (Linux; Android {chance.randrange(9, 17)}; {_device(chance)}) okhttp/4.12.0",
            f"Mozilla/5.0 (Linux; Android {chance.randrange(9, 17)}; {_device(chance)}) {name}/{version}",
            (
                f"Mozilla/5.0 (Version {major}.{minor} (Build 2{minor}A{chance.randrange(100, 999)}); rv:53.0) "
                "Gecko/20100101 Chrome/53.0"
            ),
        )
    )


def _server(chance: random.Random, _newest: int) -> str:
    return chance.choice(LISTS["servers"]).format(chance.randrange(10, 40), chance.randrange(10)).replace("+", " ")
