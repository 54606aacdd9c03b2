"""How the supervisor ends its processes: none that must not wait waits for another. Real processes, real signals."""

import asyncio
import os
import signal
import time
from pathlib import Path

from relay.up.children import ChildSpec
from relay.up.supervisor import Supervisor
from tests.up.rig import Rig, lives, wait_for

KUBERNETES_WAITS_S = 30.0


def noting(folder: Path, name: str, *, deaf: bool = False) -> tuple[str, ...]:
    """A process that notes that it runs and that it was told to end, and then does or, if `deaf`, does not."""
    end = "" if deaf else "; exit 0"
    trap = f"trap 'touch {folder / name}.told{end}' TERM"
    return "/bin/sh", "-c", f"{trap}; echo $$ > {folder / name}.runs; while :; do sleep 0.05; done"


async def until(path: Path) -> None:
    """Wait for that note."""
    await asyncio.to_thread(wait_for, str(path), lambda: path.exists() and (path.suffix == ".told" or path.read_text()))


async def test_processes_end_side_by_side_and_what_they_need_ends_last(tmp_path: Path) -> None:
    """While one takes its time the others are told to end, but not what it may need until its own end."""
    env = dict(os.environ)
    specs = [
        ChildSpec("needed", noting(tmp_path, "needed"), env, 60, ends_last=True),
        ChildSpec("slow", noting(tmp_path, "slow", deaf=True), env, 60),
        ChildSpec("quick", noting(tmp_path, "quick"), env, 60),
    ]
    up = asyncio.Event()

    async def nothing() -> None:
        """The server has nothing to be asked."""

    async def is_up() -> None:
        up.set()

    running = asyncio.create_task(Supervisor(specs, None, env).run(nothing, is_up))
    await up.wait()
    for name in ("needed", "slow", "quick"):
        await until(tmp_path / f"{name}.runs")
    os.kill(os.getpid(), signal.SIGTERM)
    await until(tmp_path / "slow.told")
    await until(tmp_path / "quick.told")
    quick = int((tmp_path / "quick.runs").read_text())
    await asyncio.to_thread(wait_for, "the quick one's end", lambda: not lives(quick))
    assert not (tmp_path / "needed.told").exists()
    os.kill(int((tmp_path / "slow.runs").read_text()), signal.SIGKILL)
    assert await running == 0
    assert (tmp_path / "needed.told").exists()


def test_the_longest_end_is_within_thirty_seconds(rig: Rig) -> None:
    """What is told to end says how long that may take: with every part's whole time, less than others wait for it."""
    up = rig.start().until_up()
    began_s = time.monotonic()
    assert up.end() == 0
    took_s = time.monotonic() - began_s
    [line] = [line for line in up.said().splitlines() if "ending, within" in line]
    within_s = float(line.partition("within ")[2].partition(" s")[0])
    assert took_s < within_s < KUBERNETES_WAITS_S
