"""`relay up`: puts folder, server, ports and processes together and runs them.

The order in `_prepare` is the promise: whatever can be refused is refused before anything is started. Only the number
of partitions has to be asked of the started server.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.settings import Address, Settings, as_environ
from relay.up import datadir, embedded
from relay.up.children import ChildSpec
from relay.up.datadir import Run
from relay.up.faults import StartError
from relay.up.greeting import Welcome, count_pending, greeting
from relay.up.partitions import refuse_other_partitions
from relay.up.ports import AddressTakenError, base_url, take_address
from relay.up.readiness import Answer
from relay.up.server_binary import find_server
from relay.up.supervisor import Supervisor

_log = logging.getLogger(__name__)

# Door and worker end side by side, then sandbox and server: in the worst case 29 s, and whoever waits 30 s before he
# kills, as Kubernetes does, sees a clean end.
STOP_DOOR_WITHIN_S: Final = 10.0
STOP_WORKER_WITHIN_S: Final = 25.0  # it settles what is in flight
STOP_SANDBOX_WITHIN_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything decided. `settings` is what the children get: ports known, Redis and upstream named."""

    settings: Settings
    data: Path
    server: embedded.EmbeddedServer | None
    sandbox: Address | None
    run: Run


def run_everything(settings: Settings, *, command: tuple[str, ...] | None = None) -> int:
    """Run the whole relay on this machine until it is told to end; returns the exit code.

    `command` starts the processes in the place of `python -m relay`; `serve`, `work` or `sandbox` is added to it.
    """
    with contextlib.ExitStack() as at_end:
        try:
            plan = _prepare(settings, at_end)
            return asyncio.run(_run(plan, settings, command or _relay_command()))
        except StartError as fault:
            sys.stderr.write(f"relay up: {fault}\n")
            return fault.exit_code
        except KeyboardInterrupt:  # before there was anything to end
            return 0


def _prepare(settings: Settings, at_end: contextlib.ExitStack) -> _Plan:
    _refuse_one_port_for_two(settings)
    data = datadir.make_data_folder(settings.data)
    left = datadir.read_run(data)
    # Processes of a killed supervisor have been told to end and may still be at it.
    grace_s = datadir.ORPHAN_GRACE_S if left is not None and not left.alive else 0.0
    server = _prepare_server(data, at_end) if settings.redis_url is None else None
    door = take_address(settings.listen, "door", "RELAY_LISTEN", grace_s=grace_s)
    sandbox = sandbox_address(settings, door, grace_s=grace_s) if settings.upstream is None else None
    run = Run(
        pid=os.getpid(),
        redis_url=server.url if server else str(settings.redis_url),
        upstream=base_url(sandbox) if sandbox else str(settings.upstream),
        door=base_url(door),
        sandbox=base_url(sandbox) if sandbox else None,
    )
    _tell_others(data, run, left, at_end)
    resolved = {
        "listen": door,
        "sandbox_listen": sandbox or settings.sandbox_listen,
        "redis_url": run.redis_url,
        "upstream": run.upstream,
        "sites": settings.sites or ("*",),
        "data": data,
    }
    return _Plan(settings.model_copy(update=resolved), data, server, sandbox, run)


def _refuse_one_port_for_two(settings: Settings) -> None:
    """Raise StartError if door and sandbox were given the same port. The sandbox's default moves out of the way."""
    door, sandbox = settings.listen, settings.sandbox_listen
    both_open = settings.upstream is None and "sandbox_listen" in settings.model_fields_set
    if both_open and door.port == sandbox.port != 0:
        raise StartError(
            f"RELAY_LISTEN={door} and RELAY_SANDBOX_LISTEN={sandbox} are settings of this very relay, and its door and "
            "its sandbox\ncannot share a port. Choose another one for either, or port 0 for any free one.",
            exit_code=2,
        )


def _tell_others(data: Path, run: Run, left: Run | None, at_end: contextlib.ExitStack) -> None:
    """Write run.json; one of a living relay, which is possible with a Redis of the user's own, is left alone."""
    if left is not None and left.alive and left.pid != run.pid:
        _log.warning("%s/run.json describes process %d, so `relay status` there shows that one", data, left.pid)
        return
    datadir.write_run(data, run)
    at_end.callback(datadir.remove_run, data)


def _prepare_server(data: Path, at_end: contextlib.ExitStack) -> embedded.EmbeddedServer:
    lock = datadir.lock_data_folder(data)
    at_end.callback(os.close, lock)
    binary = find_server()
    _log.info("the events are kept in %s by %s", data, binary)
    socket = embedded.socket_path(data)
    at_end.callback(embedded.remove_socket_folder, socket, data)
    server = embedded.EmbeddedServer(binary, data, socket, lock)
    embedded.bound_log(server.log)
    return server


def sandbox_address(settings: Settings, door: Address, *, grace_s: float) -> Address:
    """Return the sandbox's address; the default one moves to a free port if it is taken, a chosen one does not."""
    wanted = settings.sandbox_listen
    try:
        return take_address(wanted, "sandbox", "RELAY_SANDBOX_LISTEN", beside=door, grace_s=grace_s)
    except AddressTakenError:
        if "sandbox_listen" in settings.model_fields_set:
            raise
    free = take_address(Address(wanted.host, 0), "sandbox", "RELAY_SANDBOX_LISTEN", beside=door)
    sys.stderr.write(f"relay up: {wanted} is taken, the sandbox listens on {free} instead\n")
    return free


async def _run(plan: _Plan, settings: Settings, command: tuple[str, ...]) -> int:
    environ = as_environ(plan.settings, dict(os.environ))
    supervisor = Supervisor(_specs(plan, environ, command), plan.server, _without_settings(environ))
    embedded_in = plan.data if plan.server else None
    return await supervisor.run(
        lambda: refuse_other_partitions(plan.run.redis_url, plan.settings.partitions, embedded_in),
        lambda: _greet(plan, settings),
    )


def _specs(plan: _Plan, environ: dict[str, str], command: tuple[str, ...]) -> list[ChildSpec]:
    """Return the processes in the order of starting."""
    door = plan.settings.listen
    specs = [
        ChildSpec("worker", (*command, "work"), environ, STOP_WORKER_WITHIN_S),
        ChildSpec("door", (*command, "serve"), environ, STOP_DOOR_WITHIN_S, ready=Answer("door", door, "/health/live")),
    ]
    if plan.sandbox is not None:
        ready = Answer("sandbox", plan.sandbox, "/")
        specs.insert(
            0, ChildSpec("sandbox", (*command, "sandbox"), environ, STOP_SANDBOX_WITHIN_S, ends_last=True, ready=ready)
        )
    return specs


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the embedded server needs of the environment: none of the relay's settings."""
    return {name: text for name, text in environ.items() if not name.startswith("RELAY_")}


async def _greet(plan: _Plan, settings: Settings) -> None:
    welcome = Welcome(
        run=plan.run,
        listen=plan.settings.listen,
        site=next((site for site in plan.settings.sites if site != "*"), "example.com"),
        data=plan.data,
        data_is_default="data" not in settings.model_fields_set,
        server=f"{plan.server.binary.product} {plan.server.binary.version}" if plan.server else None,
        pending=await count_pending(plan.run.redis_url, plan.settings.partitions),
    )
    with contextlib.suppress(BrokenPipeError):  # nobody reads: the relay runs all the same
        print(greeting(welcome), flush=True)  # noqa: T201 - said to whoever started it


def _relay_command() -> tuple[str, ...]:
    """Return how the processes are started: without the current folder on their import path (-P).

    A stranger's package named `relay` or `workers` there would win. Unless the current folder is this very checkout.
    """
    checkout = Path(__file__).resolve().parents[2]
    safe = () if Path.cwd() == checkout else ("-P",)
    return (sys.executable, *safe, "-m", "relay")
