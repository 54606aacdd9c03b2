"""Stands in for `relay serve`, `work` and `sandbox`: the supervisor's tests need processes, not what these do.

It leaves a note of itself (`<role>.<pid>.json`) and of its end in the folder STAND_IN_NOTES. STAND_IN_<ROLE> makes it
difficult: `refuses` ends with exit code 2 at once, `deaf` does not hear SIGTERM.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

NOTES = Path(os.environ["STAND_IN_NOTES"])
LISTENS = {"serve": "RELAY_LISTEN", "sandbox": "RELAY_SANDBOX_LISTEN"}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 to whatever comes."""
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()


async def main(role: str) -> None:
    """Listen if the role does, until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        heard = (lambda: None) if os.environ.get(f"STAND_IN_{role.upper()}") == "deaf" else stop.set
        asyncio.get_running_loop().add_signal_handler(number, heard)
    if role in LISTENS:
        host, _, port = os.environ[LISTENS[role]].rpartition(":")
        await asyncio.start_server(answer, host.strip("[]"), int(port))
    note = {"role": role, "pid": os.getpid(), "environ": dict(os.environ), "argv": sys.orig_argv}
    fresh = NOTES / f"{role}.{os.getpid()}.fresh"
    fresh.write_text(json.dumps(note))
    fresh.rename(NOTES / f"{role}.{os.getpid()}.json")
    await stop.wait()
    with (NOTES / "ends").open("a") as ends:
        ends.write(f"{role}\n")


if __name__ == "__main__":
    if os.environ.get(f"STAND_IN_{sys.argv[1].upper()}") == "refuses":
        sys.stderr.write("stand-in: these settings will not do\n")
        sys.exit(2)
    asyncio.run(main(sys.argv[1]))
