"""One item of a batch: an event with the relay's own keys beside Plausible's, each of which may be wrong.

What goes to Plausible is the item without those keys; every value of what is left stays as it was sent, byte for
byte, as numbers of any length do. What Plausible's keys say is for `event`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import orjson

from relay.rules.device import read_device
from relay.rules.document import read_object
from relay.rules.event import Event, Refused, Validation, parse_fields, refuse
from relay.rules.fault import Fault
from relay.rules.idempotency import read_key
from relay.rules.occurred import read_occurred
from relay.rules.text import shown
from relay.rules.time_prop import with_time
from relay.rules.usual import read_usual_body
from relay.rules.visitor import address_in

OWN_KEYS = frozenset({"id", "ip", "user_agent", "device", "occurred_at"})
MAX_AGENT_BYTES = 8_190  # what a header may have (aiohttp's `max_field_size`)
DAY_MS = 86_400_000

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Own(NamedTuple):
    """What the relay's own keys say, None for each that counts for nothing.

    `ip` is canonical text of an address; `user_agent` is that of `device` if the item names none itself.
    """

    key: str | None = None
    ip: str | None = None
    user_agent: bytes | None = None
    occurred_ms: int | None = None
    warnings: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, gc=False):
    """What an item says. `event.body` is without the relay's keys."""

    event: Event
    own: Own


_NOTHING = Own()


def read_item(
    raw: bytes, validation: Validation, now_ms: int, *, believed: bool, time_prop: str | None = None
) -> Item | Refused:
    """Read any bytes at all; never raises. All wrong fields are named at once.

    `believed`: the sender may say for whom an event is; else `ip` and `user_agent` count for nothing, with a warning.
    `time_prop`: the prop that is to say when the event occurred.
    """
    usual = read_usual_body(raw)
    if usual is not None:
        return Item(Event(*usual, raw), _NOTHING)
    return _read_any(raw, validation, now_ms, believed=believed, time_prop=time_prop)


def _read_any(
    raw: bytes, validation: Validation, now_ms: int, *, believed: bool, time_prop: str | None
) -> Item | Refused:
    fields = read_object(raw)
    if isinstance(fields, Fault):
        return refuse((fields,), validation)
    if OWN_KEYS.isdisjoint(fields):
        event = parse_fields(fields, raw, validation)
        return event if isinstance(event, Refused) else Item(event, _NOTHING)
    own_keys = OWN_KEYS & fields.keys()
    members = members_of(raw)
    if isinstance(members, Fault):
        return refuse((members,), validation)
    told = {key: fields[key] for key in own_keys if fields[key] is not None}  # null says nothing
    own = _read_own(told, members.get("device", b""), now_ms, believed=believed)
    for key in own_keys:
        del members[key]
    event = parse_fields(fields, body_of(members), validation)
    if isinstance(own, Refused) or isinstance(event, Refused):
        return Refused(400, _errors(event) | _errors(own))
    if time_prop is None or own.occurred_ms is None:
        return Item(event, own)
    timed = with_time(members, fields, len(event.props), time_prop, told["occurred_at"])
    return _timed(Item(event, own), timed, time_prop)


def _timed(item: Item, members: Mapping[str, bytes] | None, time_prop: str) -> Item:
    """The item with these members, which say when it occurred; None if that found no room among its props."""
    event, own = item.event, item.own
    if members is None:
        return Item(event, own._replace(warnings=(*own.warnings, f"no room for the prop {shown(time_prop)}")))
    return Item(msgspec.structs.replace(event, body=body_of(members)), own)


def _read_own(told: Mapping[str, Any], device: bytes, now_ms: int, *, believed: bool) -> Own | Refused:
    """What the relay's own keys say; `device` is that one's JSON."""
    key = _read_id(told["id"]) if "id" in told else None
    occurred_ms = read_occurred(told["occurred_at"], now_ms) if "occurred_at" in told else None
    made, unread = read_device(device) if "device" in told else (None, ())
    ip = _read_ip(told["ip"]) if "ip" in told and believed else None
    agent = _read_agent(told["user_agent"]) if "user_agent" in told and believed else None
    if (
        isinstance(key, Fault)
        or isinstance(occurred_ms, Fault)
        or isinstance(made, Fault)
        or isinstance(ip, Fault)
        or isinstance(agent, Fault)
    ):
        return refuse((key, ip, agent, made, occurred_ms), Validation.STRICT)
    warnings = _ignored(told, unread, believed=believed) + _late(occurred_ms, now_ms)
    return Own(key, ip, made if agent is None else agent, occurred_ms, warnings)


def _errors(read: object) -> dict[str, list[str]]:
    return read.errors if isinstance(read, Refused) else {}


def members_of(raw: bytes) -> dict[str, bytes] | Fault:
    """Each member of an object as it stands there, byte for byte. That it is one, with no key twice, is known."""
    try:
        return {key: bytes(value) for key, value in _members.decode(raw).items()}
    except RecursionError:  # msgspec goes as deep as Python does, orjson a little deeper
        return Fault("request", "Unable to parse request body as json", "it is nested too deep; send flat props")


def body_of(members: Mapping[str, bytes]) -> bytes:
    """The members, each as JSON, as an object. What stood between them changed: white space, escapes in keys."""
    return b"{%b}" % b",".join([orjson.dumps(key) + b":" + value for key, value in members.items()])


def _read_id(value: object) -> str | Fault:
    key = read_key(value)
    return replace(key, field="id") if isinstance(key, Fault) else key


def _read_ip(value: object) -> str | Fault:
    address = address_in(value) if isinstance(value, str) else None
    if address is None:
        return Fault("ip", f"{shown(value)} is no address: send the visitor's, such as 203.0.113.9")
    return str(address)


def _read_agent(value: object) -> bytes | Fault:
    """The User-Agent as its header's bytes; what no header could hold is a fault."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return Fault("user_agent", "has to be a line of text: send the visitor's own, or leave it out")
    agent = value.strip().encode("utf-8", "surrogatepass")
    if len(agent) > MAX_AGENT_BYTES:
        return Fault("user_agent", f"has {len(agent)} bytes, and a header has {MAX_AGENT_BYTES} at most")
    return agent


def _ignored(told: Mapping[str, Any], unread: Sequence[str], *, believed: bool) -> tuple[str, ...]:
    """Warnings of what was said and counts for nothing."""
    warnings = []
    names = [key for key in ("ip", "user_agent") if key in told and not believed]
    if names:
        warnings.append(f"{' and '.join(names)} ignored: only a source that may speak for its visitors can say so")
    if "device" in told and "user_agent" in told and believed:
        warnings.append("device ignored: user_agent says it already")
    if unread:
        warnings.append(f"device: {', '.join(map(shown, unread[:3]))} is not read")
    return tuple(warnings)


def _late(occurred_ms: int | None, now_ms: int) -> tuple[str, ...]:
    if occurred_ms is None or now_ms - occurred_ms < DAY_MS:
        return ()
    days = (now_ms - occurred_ms) // DAY_MS
    return (f"it occurred {days} {'days' if days > 1 else 'day'} ago: Plausible books it when it arrives",)
