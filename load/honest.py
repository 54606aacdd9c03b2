"""An honest sender: one event after the other over a kept connection, and how long each took to be answered.

A process of its own, so that it waits for nobody but the door. Posts until its standard input ends, then prints JSON.

    .venv/bin/python load/honest.py --port 8000
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections import Counter

PAUSE_S = 0.005
PATIENCE_S = 10.0
BODY = b'{"name":"pageview","url":"https://example.com/","domain":"example.com"}'
EVENT = (
    b"POST /api/event HTTP/1.1\r\nHost: a.test\r\nUser-Agent: Mozilla/5.0 (honest)\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def post(door: socket.socket) -> str:
    """Post one event; the status of its answer."""
    door.sendall(EVENT)
    heard = b""
    while not heard.endswith(b"ok") and b"\r\n\r\n{" not in heard:
        piece = door.recv(65_536)
        if not piece:
            return "closed"
        heard += piece
    return heard[9:12].decode()


def percentile(sorted_ms: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return round(sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))], 2)


def main() -> None:
    """Post until standard input ends; print how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of the door, on loopback")
    options = parser.parse_args()
    statuses: Counter[str] = Counter()
    took_ms = []
    with socket.create_connection(("127.0.0.1", options.port), PATIENCE_S) as door:
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            began_s = time.perf_counter()
            statuses[post(door)] += 1
            took_ms.append((time.perf_counter() - began_s) * 1_000)
    took_ms.sort()
    p50, p99 = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    print(json.dumps({"n": len(took_ms), "statuses": statuses, "p50_ms": p50, "p99_ms": p99, "max_ms": took_ms[-1]}))


if __name__ == "__main__":
    main()
