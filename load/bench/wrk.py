"""wrk as a sender that costs nearly nothing: for the rounds that ask only how much goes through.

It keeps its connections busy (a closed loop), so it tells throughput and never latency. What is under way when its
time is up is not counted, but has cost something: so it has few connections, and its rounds are seconds long.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from load.bench.processes import LOAD_CORE, cpu_s, pinned

CONNECTIONS: Final = 32
_SCRIPT: Final = """\
local requests = {}
for line in io.lines("%s") do requests[#requests + 1] = loadstring("return " .. line)() end
local turn = 0
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(told)
  io.stderr:write(string.format('{"done": %%d, "us": %%d, "refused": %%d, "broken": %%d}\\n',
    told.requests, told.duration, told.errors.status,
    told.errors.connect + told.errors.read + told.errors.write + told.errors.timeout))
end
"""


def is_here() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a round of wrk did: answers of 2xx, other answers, broken requests; its CPU seconds."""

    done: int
    refused: int
    broken: int
    wall_s: float
    cpu_s: float


def write_script(folder: Path, name: str, requests: Iterable[bytes]) -> Path:
    """Write what wrk sends, over and over, and the script that makes it do so."""
    listed, script = folder / f"{name}.txt", folder / f"{name}.lua"
    listed.write_text("".join('"' + "".join(f"\\{byte:03d}" for byte in one) + '"\n' for one in requests))
    script.write_text(_SCRIPT % listed)
    return script


def send(port: int, script: Path, seconds: float, core: int = LOAD_CORE, connections: int = CONNECTIONS) -> Sent:
    """Run it for so long (wrk knows whole seconds only) against a port of loopback."""
    words = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    if not is_here():
        raise RuntimeError("wrk is missing, which sends in this part: apt-get install wrk")
    with pinned(core):  # a child stays where its parent was
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    used_s = 0.0
    while process.poll() is None:
        used_s = max(used_s, cpu_s(process.pid))
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    assert process.stderr is not None
    told = json.loads(process.stderr.read().splitlines()[-1])
    return Sent(told["done"] - told["refused"], told["refused"], told["broken"], told["us"] / 1e6, used_s)
