"""How much the door takes on one core, with the queue's server beside it on the same core, ÷ what bounds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from load.bench import rounds, wrk
from load.bench.processes import free_port, listens
from load.bench.relay import Relay
from load.bench.rounds import Round, Rounds
from load.bench.stage import Stage, stage
from load.peers import nginx

RELAY, NOSTORE, NGINX = "relay", "aiohttp, nothing stored", "nginx return 202"


def wrk_round(place: Stage, port: int, seconds: float, parts: Mapping[str, Callable[[], float]]) -> Callable[[], Round]:
    """A round of wrk against a port: what was accepted, and the CPU seconds of each part meanwhile."""

    def one() -> Round:
        before = {name: cpu_s() for name, cpu_s in parts.items()}
        sent = wrk.send(port, place.script, seconds)
        used = {name: cpu_s() - before[name] for name, cpu_s in parts.items()}
        assert not sent.refused, f"{sent.refused} refused on port {port}"
        return Round(sent.done, sent.wall_s, used, {"wrk": sent.cpu_s})

    return one


def measure(seconds: float, turns: int) -> dict[str, Any]:
    """Rounds of the relay's door, an aiohttp door that keeps nothing, and nginx."""
    with stage() as place:
        systems = doors(place, seconds)
        found = rounds.interleave(systems, turns)
    return {"rounds": rounds.told(found), "ratios": ratios(found)}


def doors(place: Stage, seconds: float) -> dict[str, Callable[[], Round]]:
    """The relay, the aiohttp door and, where it is installed, nginx; all started."""
    relay = Relay(place.folder / "relay", place.upstream)
    place.keep(relay)
    relay.start()
    parts = {"door": lambda: relay.door.cpu_s, "valkey": lambda: relay.valkey.cpu_s}
    systems = {RELAY: wrk_round(place, relay.port, seconds, parts)}
    nostore, port = place.door("nostore", "load.peers.nostore")
    systems[NOSTORE] = wrk_round(place, port, seconds, {"door": lambda: nostore.cpu_s})
    if nginx.is_here():
        port = free_port()
        program = nginx.program(place.folder / "nginx", port, free_port(), place.sink_port)
        program.start()
        place.keep(program)
        program.until(lambda: listens(port))
        systems[NGINX] = wrk_round(place, port, seconds, {"door": lambda: program.cpu_s})
    return systems


def ratios(found: Rounds) -> dict[str, Any]:
    """The relay ÷ each of the others."""
    return {f"relay ÷ {other}": rounds.ratio(found, RELAY, other) for other in found if other != RELAY}
