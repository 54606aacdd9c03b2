"""What the offline look at the dependencies finds, shown on spoilt copies of the real locks."""

import tomllib
from collections.abc import Callable

import pytest

from checks.dependencies import KNOWN_BAD, ROOT, faults, read_lock

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
KNOWN = tomllib.loads(KNOWN_BAD.read_text())
LOCKS = {name: (ROOT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")}
HASH = "--hash=sha256:" + "0" * 64


def test_the_repository_has_no_fault() -> None:
    """Both locks, pyproject.toml and the known-bad list agree with each other and with this environment."""
    assert faults(PROJECT, LOCKS, KNOWN) == []


def test_every_known_bad_range_has_its_reason() -> None:
    """Nobody has to guess why a version must not come back."""
    assert all(set(entry) == {"versions", "reason"} and len(entry["reason"]) > 10 for entry in KNOWN.values())


VERSION = read_lock("", LOCKS["requirements.lock"]).versions

SPOILT: dict[str, tuple[Callable[[str], str], str]] = {
    "unpinned": (lambda text: text.replace(f"aiohttp=={VERSION['aiohttp']}", "aiohttp>=3"), "'aiohttp>=3"),
    "no hash": (lambda text: text + "click==8.2.0\n", "click==8.2.0 has no sha256 hash"),
    "a place to look": (lambda text: "--find-links elsewhere\n" + text, "'--find-links"),
    "an index": (lambda text: "-i elsewhere\n" + text, "'-i elsewhere"),
    "a URL": (lambda text: text + f"x @ https://example.org/x.whl {HASH}\n", "'x @ https"),
    "missing": (lambda text: text.replace("\nyarl==", "\nyarn=="), "yarl is missing"),
    "too old": (
        lambda text: text.replace(f"\nclick=={VERSION['click']}", "\nclick==8.1.0"),
        "click 8.1.0 is not >=8.2",
    ),
    "known to be bad": (
        lambda text: text.replace(f"\naiohttp=={VERSION['aiohttp']}", "\naiohttp==3.14.3"),
        "aiohttp 3.14.3 is known to be bad (<3.14.4: CVE-2026-128131)",
    ),
    "unlike the other": (
        lambda text: text.replace(f"\nyarl=={VERSION['yarl']}", "\nyarl==1.99.0"),
        "requirements.lock and requirements-dev.lock differ in yarl",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_lock_is_found(spoil: Callable[[str], str], said: str) -> None:
    """Whatever weakens the lock that production installs is named, with what would be right."""
    spoilt = spoil(LOCKS["requirements.lock"])
    assert spoilt != LOCKS["requirements.lock"]
    assert any(said in fault for fault in faults(PROJECT, LOCKS | {"requirements.lock": spoilt}, KNOWN))


def test_a_minimum_that_lets_a_bad_version_in_is_found() -> None:
    """The lock binds only us; who installs the package gets what pyproject.toml lets in."""
    loose = PROJECT | {"project": PROJECT["project"] | {"dependencies": ["aiohttp>=3.14"]}}
    assert any("lets in: aiohttp 3.14" in fault for fault in faults(loose, LOCKS, KNOWN))


def test_an_environment_that_fell_behind_is_found() -> None:
    """What is tested is what the lock says."""
    pytest_pin = f"\npytest=={read_lock('', LOCKS['requirements-dev.lock']).versions['pytest']}"
    ahead = {name: text.replace(pytest_pin, "\npytest==99.0") for name, text in LOCKS.items()}
    assert any("make install" in fault and "pytest" in fault for fault in faults(PROJECT, ahead, KNOWN))
