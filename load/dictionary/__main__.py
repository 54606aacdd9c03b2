"""Measure the dictionary in force, or train another, from the command line."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import zstandard

from load.bench.relay import stored
from load.dictionary.traffic import traffic
from relay.queue.compressed import text_of
from relay.queue.stored import StoredEvent, pack, pack_small, unpack

SIZE: Final = 65_536  # twice as large gains nothing, half as large loses 4 bytes on what it has not seen
SAMPLES: Final = 60_000
SEED: Final = 1
MEASURED: Final = 5_000


def train() -> bytes:
    """A dictionary from the first half of the words."""
    samples: list[bytes | bytearray | memoryview] = [
        text_of(event.site, event.user_agent, event.body) for event in traffic(0, SAMPLES, SEED)
    ]
    return zstandard.train_dictionary(SIZE, samples, level=3).as_bytes()


def measure() -> list[str]:
    """Bytes and microseconds of an event, plain and compressed."""
    kinds = {
        "as trained with": list(traffic(0, MEASURED, SEED + 1)),
        "of other sites, words and versions": list(traffic(1, MEASURED, SEED + 2)),
        "of load/bench": stored(range(0, 97 * MEASURED, 97)),
    }
    lines = ["| events | plain, bytes | compressed, bytes | pack, µs | unpack, µs |", "|---|---|---|---|---|"]
    for kind, events in kinds.items():
        plain, small = [pack(event) for event in events], [pack_small(event) for event in events]
        bytes_each = (f"{sum(map(len, forms)) / len(forms):.1f}" for forms in (plain, small))
        packing = f"{_micros(pack, events):.1f} → {_micros(pack_small, events):.1f}"
        unpacking = f"{_micros(unpack, plain):.1f} → {_micros(unpack, small):.1f}"
        lines.append(f"| {' | '.join((kind, *bytes_each, packing, unpacking))} |")
    return lines


def _micros(work: Callable[..., object], items: Sequence[StoredEvent | bytes]) -> float:
    """CPU time of the quickest of five rounds, for one item."""
    rounds = []
    for _ in range(5):
        began_s = time.process_time()
        for item in items:
            work(item)
        rounds.append(time.process_time() - began_s)
    return min(rounds) / len(items) * 1e6


def main() -> None:
    """Read the options, measure or train."""
    parser = argparse.ArgumentParser(description="The dictionary of the compressed stored form.")
    parser.add_argument("train", nargs="*", metavar="train FILE", help="train one and write it there")
    told: list[str] = parser.parse_args().train
    if len(told) == 2 and told[0] == "train":  # noqa: PLR2004 - the word and the file
        made = train()
        Path(told[1]).write_bytes(made)
        print(f"{len(made)} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")
    elif told:
        parser.error("say train FILE, or nothing")
    else:
        print("\n".join(measure()))


if __name__ == "__main__":
    main()
