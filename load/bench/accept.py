"""How much the door takes on one core, with the queue's server beside it on the same core, ÷ what bounds it.

What sends has the other core. Nobody delivers meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from load.bench import events, rounds, wrk
from load.bench.deliver import CpuClocks, clocks_of, read
from load.bench.processes import free_port, listens
from load.bench.relay import Relay, Valkey
from load.bench.rounds import Round
from load.bench.stage import PEERS_PYTHON, Stage, has_peers, stage
from load.peers import nginx

RELAY, BATCH = "relay", "relay, batches"
NOSTORE, NGINX, PROXY = "aiohttp, nothing stored", "nginx return 202", "nginx proxy, no queue"
ARQ, ARQ_DEFAULTS, CELERY = "FastAPI + arq tuned", "FastAPI + arq with defaults", "FastAPI + Celery"
BATCH_CONNECTIONS: Final = 4
System = Callable[[], Round]


def wrk_round(place: Stage, port: int, seconds: float, parts: CpuClocks, *, batches: bool = False) -> System:
    """A round of wrk against a port: what was accepted, and the CPU seconds of each part meanwhile."""
    script, size, connections = (
        (place.batches, events.BATCH, BATCH_CONNECTIONS) if batches else (place.script, 1, wrk.CONNECTIONS)
    )

    def one() -> Round:
        before = read(parts)
        sent = wrk.send(port, script, seconds, connections=connections)
        used = {name: after - before[name] for name, after in read(parts).items()}
        if sent.refused or not sent.done:
            raise RuntimeError(f"{sent.refused} of {sent.done + sent.refused} requests were refused")
        return Round(size * sent.done, sent.wall_s, used, {"wrk": sent.cpu_s})

    return one


def relay_doors(place: Stage, seconds: float) -> dict[str, System]:
    """The relay's door and its queue, taking single events, and batches of a hundred."""
    relay = Relay(place.folder / "relay", place.upstream)
    place.keep(relay)
    relay.start()
    relay.know_workers()  # or the door would keep events in the form of relays whose workers read no other
    parts = clocks_of(relay.door, relay.valkey, names=("door", "valkey"))
    return {
        RELAY: wrk_round(place, relay.port, seconds, parts),
        BATCH: wrk_round(place, relay.port, seconds, parts, batches=True),
    }


def nostore_door(place: Stage, seconds: float, *words: str) -> System:
    """The aiohttp door that keeps nothing."""
    nostore, port = place.door("nostore", "load.peers.nostore", *words)
    return wrk_round(place, port, seconds, clocks_of(nostore, names=("door",)))


def nginx_doors(place: Stage, seconds: float) -> dict[str, System]:
    """Both of nginx: answering by itself, and passing on."""
    door, proxy = free_port(), free_port()
    program = nginx.program(place.folder / "nginx", door, proxy, place.sink_port)
    program.start()
    place.keep(program)
    program.until(lambda: listens(door))
    parts = clocks_of(program, names=("nginx",))
    return {NGINX: wrk_round(place, door, seconds, parts), PROXY: wrk_round(place, proxy, seconds, parts)}


def arq_door(place: Stage, seconds: float, *, tuned: bool) -> System:
    """FastAPI before arq, its own server beside it."""
    valkey = _valkey(place, "arq" if tuned else "arq-defaults")
    words = ("load.peers.with_arq.door", "--redis", valkey.url, *(["--tuned"] if tuned else []))
    door, port = place.door(f"arq-door-{tuned}", *words, python=PEERS_PYTHON)
    return wrk_round(place, port, seconds, clocks_of(door, valkey, names=("door", "valkey")))


def celery_door(place: Stage, seconds: float) -> System:
    """FastAPI before Celery, its own server beside it."""
    valkey = _valkey(place, "celery")
    broker = valkey.url.replace("unix://", "redis+socket://").partition("?")[0]
    door, port = place.door("celery-door", "load.peers.with_celery.door", python=PEERS_PYTHON, REDIS=broker)
    return wrk_round(place, port, seconds, clocks_of(door, valkey, names=("door", "valkey")))


def _valkey(place: Stage, name: str) -> Valkey:
    valkey = Valkey(place.folder / f"valkey-{name}")
    valkey.start()
    place.stack.callback(valkey.server.close)
    return valkey


def measure(seconds: float, turns: int, *, peers: bool = True) -> dict[str, Any]:
    """Rounds of the relay's door and of all that it is compared with, as far as they are installed."""
    with stage() as place:
        systems = relay_doors(place, seconds)
        systems[NOSTORE] = nostore_door(place, seconds)
        if nginx.is_here():
            systems |= nginx_doors(place, seconds)
        if peers and has_peers():
            systems[ARQ] = arq_door(place, seconds, tuned=True)
            systems[ARQ_DEFAULTS] = arq_door(place, seconds, tuned=False)
            systems[CELERY] = celery_door(place, seconds)
        found = rounds.interleave(systems, turns)
    ratios = rounds.ratios(found, RELAY)
    if NGINX in found:
        ratios[f"{BATCH} ÷ {NGINX}"] = rounds.ratio(found, BATCH, NGINX)
    return {"rounds": rounds.told(found), "ratios": ratios}
