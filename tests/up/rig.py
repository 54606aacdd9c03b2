"""Starts `relay up` as a real process and watches it from outside. Nothing here looks into its objects."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from relay.up import Run, read_run

PATIENCE_S = 60.0  # two busy cores and a cold start of four processes


def wait_for(what: str, condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Return the condition's first truthy value; fails the test with `what` if there is none in time."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)
    return value


def lives(pid: int) -> bool:
    """Whether a process exists and is not just waiting to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "\nState:\tZ" in status.read_text())


@dataclass(frozen=True, slots=True)
class Up:
    """A started `relay up`. `notes` is where its stand-ins leave theirs."""

    process: subprocess.Popen[bytes]
    data: Path
    notes: Path
    output: Path
    log: Path

    def said(self) -> str:
        """What it wrote to standard error, its children's lines included."""
        return self.log.read_text()

    def greeting(self) -> str:
        """What it wrote to standard output."""
        return self.output.read_text()

    def run(self) -> Run:
        """What run.json says."""
        run = read_run(self.data)
        assert run is not None, "there is no run.json"
        return run

    def redis(self) -> redis.Redis:
        """Return a client of its server."""
        return redis.Redis.from_url(self.run().redis_url, socket_timeout=5, decode_responses=True)

    def server_pid(self) -> int:
        """Process id of its server."""
        with self.redis() as client:
            return int(client.info("server")["process_id"])

    def children(self, role: str = "*") -> list[dict[str, Any]]:
        """Notes of the stand-ins that live."""
        notes = [json.loads(note.read_text()) for note in self.notes.glob(f"{role}.*.json")]
        return [note for note in notes if lives(note["pid"])]

    def has_no_child(self) -> bool:
        """Whether no stand-in lives."""
        return not self.children()

    def child(self, role: str) -> int:
        """Process id of the living stand-in of that role, once there is one."""
        found: list[dict[str, Any]] = wait_for(f"a living {role}", lambda: self.children(role))
        return int(found[0]["pid"])

    def until_up(self) -> "Up":
        """Wait until it says that it is up."""
        wait_for(
            f"the greeting; it said:\n{self.said()}",
            lambda: self.process.poll() is not None or "curl -i" in self.greeting(),
        )
        assert self.process.poll() is None, self.said()
        self.child("work")  # whose start is not waited for: events are accepted without it
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(PATIENCE_S)


class Rig:
    """Starts any number of `relay up` in one folder of a test, and leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Up] = []

    def start(self, **environ: str) -> Up:
        """Start it on free ports and on `<folder>/data`, unless the environment given says otherwise."""
        name = f"up{len(self.started)}"
        notes = self.folder / name
        notes.mkdir()
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("RELAY_")}
        defaults = {
            "RELAY_LISTEN": "127.0.0.1:0",
            "RELAY_SANDBOX_LISTEN": "127.0.0.1:0",
            "RELAY_DATA": str(self.folder / "data"),
            "STAND_IN_NOTES": str(notes),
        }
        env = inherited | defaults | environ
        output, log = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with output.open("wb") as out, log.open("wb") as err:
            command = (sys.executable, str(Path(__file__).with_name("start_up.py")))
            process = subprocess.Popen(command, env=env, stdout=out, stderr=err, start_new_session=True)
        up = Up(process, Path(env["RELAY_DATA"]), notes, output, log)
        self.started.append(up)
        return up

    def close(self) -> None:
        """End what a test left running."""
        for up in self.started:
            if up.process.poll() is None:
                up.process.kill()  # its children follow, see test_life.py
                up.process.wait(PATIENCE_S)
        for up in self.started:
            wait_for(f"no stand-in left in {up.notes}", up.has_no_child)
