"""docs/clients.md names what is installed for `make test-clients`, and the locks of that name no registry.

That its code works, the tests in `clients/tests` say, which run it.
"""

import json
import re
from pathlib import Path

from checks.dependencies import read_lock

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
CLIENTS = ROOT / "clients"


def test_each_client_has_its_section_with_the_version_that_is_tested() -> None:
    """The page's sections are the clients installed, each with its version in its first line."""
    packages = json.loads((CLIENTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    pinned = dict(line.split("==") for line in (CLIENTS / "requirements.in").read_text(encoding="utf-8").split())
    tested = {name: version for name, version in (packages | pinned).items() if "plausible" in name}
    sections = dict(re.findall(r"^## (\S+)\n\n(.*)$", PAGE, re.MULTILINE))
    assert sections.keys() == tested.keys()
    assert {name: version for name, version in tested.items() if version not in sections[name]} == {}
    assert f"Next.js {packages['next'].partition('.')[0]}" in sections["next-plausible"]


def test_the_lock_of_npm_has_hashes_and_no_address() -> None:
    """Every package is pinned by its hash, and comes from whatever registry the machine uses."""
    lock = json.loads((CLIENTS / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if entry.get("hasInstallScript")] == ["node_modules/esbuild"]


def test_the_lock_of_pypi_has_hashes_and_no_address() -> None:
    """As the relay's own locks."""
    lock = read_lock("requirements.lock", (CLIENTS / "requirements.lock").read_text(encoding="utf-8"))
    assert lock.faults == []
    assert {"django-plausible-proxy", "plausible-events"} <= lock.versions.keys()
