"""One request body becomes an `Event`, or a `Refused` that names every wrong field at once.

This is the table of contents of contract section 1; each field's own rule lives in its own file, and `usual` is a
shortcut through them all. Sites are read here, not judged: that is `admission`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from relay.rules.document import read_object
from relay.rules.domain import read_sites
from relay.rules.engagement import wrong_engagement
from relay.rules.fault import Fault
from relay.rules.fields import is_interactive, read_name, wrong_hash_mode
from relay.rules.props import read_props
from relay.rules.revenue import Revenue, read_revenue
from relay.rules.url import read_url
from relay.rules.usual import read_usual, read_usual_body
from relay.rules.warnings import of_event, of_single


class Validation(StrEnum):
    """`plausible` answers as Plausible does; `strict` also refuses what Plausible would lose without a word."""

    STRICT = "strict"
    PLAUSIBLE = "plausible"


class Event(msgspec.Struct, frozen=True, gc=False):
    """What Plausible would read in `body`, which is kept byte for byte; `props` and `revenue` as it would keep them.

    `warnings`: what it would ignore, cut or drop of it without a word. A struct, as it is made in a tenth of a frozen
    dataclass's time; it holds plain values only, so the garbage collector need not look at it.
    """

    name: str
    sites: tuple[str, ...]
    url: str
    props: dict[str, str]
    revenue: Revenue | None
    interactive: bool
    body: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not accepted: the HTTP status and Plausible's `{field: [message, …]}`, never empty."""

    status: int
    errors: dict[str, list[str]]


def parse_event(body: bytes, validation: Validation) -> Event | Refused:
    """Read any bytes at all; never raises."""
    usual = read_usual_body(body)
    if usual is not None:
        return Event(*usual, body)
    fields = read_object(body)
    if isinstance(fields, Fault):
        return refuse((fields,), validation)
    event = parse_fields(fields, body, validation)
    if isinstance(event, Event) and (unread := of_single(fields)):
        return msgspec.structs.replace(event, warnings=event.warnings + unread)
    return event


def parse_fields(fields: Mapping[str, Any], body: bytes, validation: Validation) -> Event | Refused:
    """Read the fields of `body`, which are known already."""
    usual = read_usual(fields)
    return parse_by_rules(fields, body, validation) if usual is None else Event(*usual, body)


def parse_by_rules(fields: Mapping[str, Any], body: bytes, validation: Validation) -> Event | Refused:
    """Each field by its own rule: what holds for any event, and names every fault."""
    strict = validation is Validation.STRICT
    name = read_name(fields)
    url = read_url(fields)
    sites = read_sites(fields, "" if isinstance(url, Fault) else url)
    props = read_props(fields, strict=strict)
    revenue = read_revenue(fields, strict=strict)
    hash_mode = wrong_hash_mode(fields)
    engagement = wrong_engagement(name, fields)
    if (
        isinstance(name, Fault)
        or isinstance(url, Fault)
        or isinstance(sites, Fault)
        or isinstance(props, Fault)
        or isinstance(revenue, Fault)
        or hash_mode
        or engagement
    ):
        return refuse((name, url, sites, props, revenue, hash_mode, engagement), validation)
    warnings = of_event(fields, url, props, strict=strict)
    return Event(name, sites, url, props, revenue, is_interactive(fields), body, warnings)


def refuse(findings: Iterable[object], validation: Validation) -> Refused:
    """A 400 that says all the faults among `findings`."""
    errors: dict[str, list[str]] = {}
    for finding in findings:
        if isinstance(finding, Fault):
            message = finding.message(strict=validation is Validation.STRICT)
            errors.setdefault(finding.field, []).append(message)
    return Refused(400, errors)
