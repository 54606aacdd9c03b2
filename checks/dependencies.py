"""What can be known of the dependencies without a network: `python -m checks.dependencies`, a part of `make check`.

Every requirement is pinned with hashes, no index is named, nothing is missing of what pyproject.toml needs, nothing
has a version that is known to be bad, and the environment is what the lock says. `make audit` asks the network.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
KNOWN_BAD: Final = Path(__file__).with_name("known_bad.toml")
PIN: Final = re.compile(
    r"(?P<pinned>[A-Za-z0-9._-]+(\[[^\]]*\])?==[^\s;]+)( ;.*?)?(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})*)"
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file: the pinned version of each package, and what is wrong with its lines."""

    name: str
    versions: Mapping[str, str]
    faults: list[str]


def read_lock(name: str, text: str) -> Lock:
    """Read a lock: one logical line a package, `name==version --hash=sha256:…`, and comments."""
    versions: dict[str, str] = {}
    faults = []
    logical = re.sub(r"\\\n", " ", text)
    for line in filter(None, (line.partition("#")[0].strip() for line in logical.splitlines())):
        found = PIN.fullmatch(line)
        if found is None:
            faults.append(f"{name}: {line[:60]!r} is no pinned package; an index or a URL has no place in a lock")
            continue
        package, _, version = found["pinned"].partition("==")
        versions[canonicalize_name(package.partition("[")[0])] = version
        if not found["hashes"]:
            faults.append(f"{name}: {found['pinned']} has no sha256 hash: make lock")
    return Lock(name, versions, faults)


def needed(roots: Iterable[str]) -> Iterator[Requirement]:
    """Everything that these requirements bring, here and now, as the installed packages themselves say."""
    queue = [Requirement(root) for root in roots]
    done = set[tuple[str, frozenset[str]]]()
    while queue:
        one = queue.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        yield one
        if key in done:
            continue
        done.add(key)
        for text in metadata.requires(one.name) or ():
            further = Requirement(text)
            wanted = [{"extra": extra} for extra in ("", *one.extras)]
            if further.marker is None or any(further.marker.evaluate(dict(extra)) for extra in wanted):
                queue.append(further)


def missing(lock: Lock, roots: Iterable[str]) -> Iterator[str]:
    """What the roots need and the lock lacks, or has in a version that they refuse."""
    for one in needed(roots):
        version = lock.versions.get(canonicalize_name(one.name))
        if version is None:
            yield f"{lock.name}: {one.name} is missing: make lock"
        elif not one.specifier.contains(version, prereleases=True):
            yield f"{lock.name}: {one.name} {version} is not {one.specifier}: make lock"


def bad(where: str, versions: Mapping[str, str], known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What has a version that must not come back."""
    for name, entry in known.items():
        version = versions.get(name)
        if version is not None and SpecifierSet(entry["versions"]).contains(version, prereleases=True):
            yield f"{where}: {name} {version} is known to be bad ({entry['versions']}: {entry['reason']})"


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """The lowest version that each requirement lets in; 0 if it names none."""
    found: dict[str, str] = {}
    for one in map(Requirement, requirements):
        least = [spec.version for spec in one.specifier if spec.operator in {">=", "==", "~="}]
        found[canonicalize_name(one.name)] = least[0] if least else "0"
    return found


def differing(lock: Lock) -> Iterator[str]:
    """What is installed here in another version than the lock says."""
    for name, version in lock.versions.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:  # another platform's
            continue
        if installed != version:
            yield f"this environment has {name} {installed}, {lock.name} says {version}: make install"


def faults(project: Mapping[str, Any], locks: Mapping[str, str], known: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Everything that is wrong. `locks` has the text of requirements.lock and requirements-dev.lock by their names."""
    run, dev = (read_lock(name, text) for name, text in locks.items())
    extras = project["project"]["optional-dependencies"]
    ours = [*project["project"]["dependencies"], *extras["embedded"], *extras["import"]]
    all_of_us = [*ours, *project["dependency-groups"]["dev"]]
    unlike = [name for name, version in run.versions.items() if dev.versions.get(name) != version]
    return [
        *run.faults,
        *dev.faults,
        *sorted({*missing(run, ours), *missing(dev, all_of_us)}),
        *(f"{run.name} and {dev.name} differ in {name}: make lock" for name in unlike),
        *bad("pyproject.toml lets in", lowest(all_of_us), known),
        *bad(run.name, run.versions, known),
        *bad(dev.name, dev.versions, known),
        *differing(dev),
    ]


def main() -> int:
    """Print what is wrong; the exit code is 1 if anything is."""
    names = ("requirements.lock", "requirements-dev.lock")
    found = faults(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")),
        {name: (ROOT / name).read_text(encoding="utf-8") for name in names},
        tomllib.loads(KNOWN_BAD.read_text(encoding="utf-8")),
    )
    for fault in found:
        print(fault)
    if not found:
        print("dependencies: pinned with hashes, complete, none known to be bad")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
