"""The documents say what the code does: every name that an operator can meet is explained, and no name is made up.

Names are taken from the code; nothing here repeats a list of them.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import click
import pytest

from relay import __version__
from relay.cli import COMMANDS, main
from relay.http.app import build_door
from relay.http.exposed import RelayCollector
from relay.http.watch import Watch
from relay.queue import keys
from relay.queue.committing import Committer
from relay.queue.connection import Durability, connect
from relay.queue.differences import Kind
from relay.queue.ledger import Look
from relay.rules.drops import DropCause
from relay.rules.judge import DeadReason, Trouble
from relay.settings import Settings, variable

ROOT = Path(__file__).parents[2]
PROSE = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NOWHERE = "redis://127.0.0.1:1/0"  # nothing is connected here
OF_KUBERNETES = {"RELAY_PORT", "RELAY_SERVICE_HOST"}
MISSPELT_ON_PURPOSE = {"RELAY_UPSTRAEM"}


def text(name: str) -> str:
    """A document of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def rows(document: str) -> set[str]:
    """What stands in backquotes at the beginning of a table's row, without labels in braces."""
    return set(re.findall(r"^\| `([^`{]+)(?:\{[^`]*\})?`", text(document), re.MULTILINE))


def metrics() -> set[str]:
    """The names of all metrics, as Prometheus sees them."""
    redis = connect(NOWHERE)
    watch = Watch(redis, Committer(redis, 1), partitions=1, max_backlog=1, trouble="")
    watch.seen = Look({}, {}, lag_s=0.0, failing=0, letters=0, owned=0, workers={}, refused={})
    families = RelayCollector(watch).collect()
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Every command that can be typed, groups left out."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


@pytest.mark.parametrize("names", [DropCause, DeadReason, Trouble, Durability])
def test_every_reason_has_its_row_in_the_promises(names: type[StrEnum]) -> None:
    """Whatever reason an operator reads in status, logs or metrics, docs/promises.md explains it."""
    assert {str(name) for name in names} <= rows("docs/promises.md")


def test_every_kind_of_difference_has_its_row() -> None:
    """Whatever an audit finds, docs/operating.md explains it, and no other."""
    table = text("docs/operating.md").partition("## The audit")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == {str(kind) for kind in Kind}


def test_every_metric_has_its_row_and_no_other_is_named() -> None:
    """The list of metrics in docs/operating.md is the list of metrics."""
    assert {row for row in rows("docs/operating.md") if row.startswith("relay_")} >= metrics()
    named = {name for path in PROSE for name in re.findall(r"\brelay_[a-z_]+", path.read_text(encoding="utf-8"))}
    assert named == metrics()


def test_every_refusal_of_the_doors_own_is_explained() -> None:
    """Beside the names of fields, the words that count refusals stand in docs/operating.md."""
    door = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "relay" / "http").glob("*.py")))
    counted = set(re.findall(r'refused\["([a-z_]+)"\]', door))
    assert counted
    assert [word for word in counted if f"`{word}`" not in text("docs/operating.md")] == []


def test_every_command_is_in_the_readme() -> None:
    """The README's table has every command, and docs/operating.md shows each that works on dead letters."""
    table = text("README.md").partition("## Commands")[2].partition("\n## ")[0]
    assert all(re.search(rf"^\| `relay {name}[ `]", table, re.MULTILINE) for name in COMMANDS)
    dead = [name for name in commands(main, "relay") if name.startswith("relay dead")]
    assert dead
    assert [name for name in dead if name not in text("docs/operating.md")] == []


def test_every_key_is_in_the_architecture() -> None:
    """Whoever looks into Redis finds each key explained."""
    each = [keys.events, keys.owner, keys.retry, keys.ledger, keys.dead]
    names = {name(0).replace("{0}", "{p}") for name in each} | {keys.tally(0, "{hour}").replace("{0}", "{p}")}
    names |= {
        value for value in vars(keys).values() if isinstance(value, str) and re.fullmatch(r"relay:[a-z-]+", value)
    }
    assert [name for name in names if f"`{name}`" not in text("docs/architecture.md")] == []


async def test_every_endpoint_is_in_the_readme() -> None:
    """The README's table of endpoints is the door's own; that elsewhere there is nothing needs no row."""
    app = build_door(Settings.model_validate({"redis_url": NOWHERE, "sites": "*"}))
    served = {f"{route.method} {route.resource.canonical}" for route in app.router.routes() if route.resource}
    listed = {row for row in re.findall(r"^\| `([^`]+)`", text("README.md"), re.MULTILINE) if " /" in row}
    assert listed <= served
    assert {name for name in served if not name.startswith(("HEAD ", "* "))} <= listed


@pytest.mark.parametrize("path", [*PROSE, ROOT / "compose.yaml", ROOT / "Dockerfile"], ids=lambda path: path.name)
def test_every_variable_exists(path: Path) -> None:
    """No document names a setting that the relay would refuse."""
    known = {variable(name) + suffix for name in Settings.model_fields for suffix in ("", "_FILE")}
    known |= {variable("config")} | OF_KUBERNETES | MISSPELT_ON_PURPOSE
    assert set(re.findall(r"\bRELAY_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Relative links lead to files that exist, and to headings in them."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(file: Path) -> set[str]:
    """The anchors that a Markdown page's headings get: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_version_is_the_changelogs() -> None:
    """A released version has its entry; one that is being made is announced as unreleased."""
    assert re.search(rf"^## \[{re.escape(__version__)}\]|^## \[Unreleased\]\n\nBecomes {re.escape(__version__)}\b",
                     text("CHANGELOG.md"), re.MULTILINE)  # fmt: skip


def test_the_compose_file_and_the_image_agree() -> None:
    """The image that compose.yaml names carries this version, and the server gets the project's own configuration."""
    compose = text("compose.yaml")
    assert f"image: plausible-relay:{__version__}" in compose
    assert "./config/valkey.conf:/etc/valkey.conf:ro" in compose
    assert (ROOT / "config" / "valkey.conf").is_file()


def test_containers_have_no_more_rights_than_they_need() -> None:
    """The image ends as a fixed user that is not root; compose drops every capability and publishes on loopback."""
    *_, final = text("Dockerfile").split("\nFROM ")
    before, _, after = final.partition("\nUSER ")
    assert after.startswith("10001:10001\n")
    assert "--uid 10001 --gid 10001" in before
    assert not re.search(r"^(USER|RUN|COPY|ADD) ", after, re.MULTILINE), "nothing follows that could take it back"
    shared, _, services = text("compose.yaml").partition("\nservices:")
    for service in re.split(r"^  (?=\w+:$)", services.partition("\nnetworks:")[0], flags=re.MULTILINE)[1:]:
        rights = shared if "<<: *relay" in service else service
        for right in ("cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
            assert right in rights, service
        assert "<<: *relay" in service or "user: valkey " in service, service
        assert not re.search(r"privileged: *true|cap_add:|user: *.?(root|0)", service)
        assert all(port.startswith('"127.0.0.1:') for port in re.findall(r"ports: \[(.*?)\]", service))
    assert "read_only: true" in shared
