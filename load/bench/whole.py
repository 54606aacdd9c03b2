"""End to end on one shared core: door, queue and worker together, from the first post to the last arrival."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from load.bench import accept, rounds, wrk
from load.bench.board import Field
from load.bench.deliver import CpuClocks, clocks_of, read
from load.bench.relay import Relay, Valkey
from load.bench.rounds import Round
from load.bench.stage import PEERS_PYTHON, Stage, has_peers, stage
from load.peers import nginx

RELAY, ARQ, PROXY = "relay", "FastAPI + arq tuned", "nginx proxy, no queue"
QUIET_S: Final = 1.0
PATIENCE_S: Final = 300.0


def whole_round(place: Stage, port: int, seconds: float, parts: CpuClocks) -> Callable[[], Round]:
    """Post for so long, then wait until nothing more comes."""

    def one() -> Round:
        first, began_s, had = place.board[Field.COUNTED], time.monotonic(), read(parts)
        sent = wrk.send(port, place.script, seconds)
        if sent.refused:
            raise RuntimeError(f"{sent.refused} events were refused on port {port}")
        last, last_s = -1, 0.0
        while time.monotonic() < began_s + PATIENCE_S:
            count = place.board[Field.COUNTED] - first
            if count != last:
                last, last_s = count, time.monotonic()
            elif count >= sent.done and time.monotonic() - last_s > QUIET_S:
                break
            time.sleep(0.01)
        else:
            raise RuntimeError(f"{sent.done - last} of {sent.done} events have not arrived in {PATIENCE_S:g} s")
        used = {name: after - had[name] for name, after in read(parts).items()}
        return Round(last, last_s - began_s, used, {"wrk": sent.cpu_s})

    return one


def relay_whole(place: Stage, seconds: float) -> Callable[[], Round]:
    """A whole relay."""
    relay = Relay(place.folder / "relay", place.upstream)
    place.keep(relay)
    relay.start(workers=1)
    relay.until_shared()
    parts = clocks_of(relay.door, relay.valkey, relay.workers[0], names=("door", "valkey", "worker"))
    return whole_round(place, relay.port, seconds, parts)


def arq_whole(place: Stage, seconds: float) -> Callable[[], Round]:
    """FastAPI and arq, both tuned."""
    valkey = Valkey(place.folder / "valkey-arq")
    valkey.start()
    place.stack.callback(valkey.server.close)
    queue = ("--redis", valkey.url, "--tuned")
    door, port = place.door("arq-door", "load.peers.with_arq.door", *queue, python=PEERS_PYTHON)
    words = ("load.peers.with_arq.worker", "--upstream", place.upstream, *queue)
    worker = place.peer("arq-worker", *words, python=PEERS_PYTHON)
    parts = clocks_of(door, valkey, worker, names=("door", "valkey", "worker"))
    return whole_round(place, port, seconds, parts)


def measure(seconds: float, turns: int) -> dict[str, Any]:
    """Rounds of the relay, of FastAPI with arq, and of nginx that passes on and keeps nothing."""
    with stage() as place:
        systems = {RELAY: relay_whole(place, seconds)}
        if has_peers():
            systems[ARQ] = arq_whole(place, seconds)
        if nginx.is_here():
            systems[PROXY] = accept.nginx_doors(place, seconds)[accept.PROXY]
        found = rounds.interleave(systems, turns)
    return {"rounds": rounds.told(found), "ratios": rounds.ratios(found, RELAY)}
