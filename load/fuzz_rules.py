"""Any bytes at all through the rules, in this process: guided by coverage where atheris is installed, else by dice.

None of it may raise, and the laws that `tests/http/mutations.py` asserts must hold. Prints JSON; the first failure
ends it, with the bytes that made it.

    .venv/.load/bin/python -m load.fuzz_rules --count 500000 --seconds 120 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

atheris: Any = importlib.import_module("atheris") if importlib.util.find_spec("atheris") else None
with atheris.instrument_imports(include=["relay.rules"]) if atheris else contextlib.nullcontext():
    from tests.http.mutations import Mutator, judge, seeds

LONGEST_BYTES = 4_096  # coverage finds nothing more in longer ones; those have tests of their own
MUTATED_BY_US = 2  # of three new inputs; libFuzzer's own mutations know nothing of JSON


class Rules:
    """What went through the rules so far."""

    def __init__(self, count: int, seconds: int, seed: int) -> None:
        self.count, self.seconds = count, seconds
        self.dice = Mutator(seed)
        self.ours = Mutator(seed)  # thrown anew for each input, so that an input is all that a failure depends on
        self.began_s = time.monotonic()
        self.runs = 0
        self.statuses: Counter[int] = Counter()
        self.failure: str | None = None

    def try_one(self, content: bytes) -> None:
        """Judge one body, with headers that follow from it. Raises whatever the rules raise."""
        self.runs += 1
        headers = self.ours.throw_again(zlib.crc32(content)).headers()
        try:
            self.statuses[judge(content, headers)] += 1
        except BaseException as error:
            self.failure = f"{error!r} for the body {content!r} and the headers {headers!r}"
            self.tell()
            raise

    @property
    def are_over(self) -> bool:
        """Whether it is enough."""
        return self.runs >= self.count or time.monotonic() - self.began_s > self.seconds

    def tell(self) -> None:
        """Print the account."""
        took_s = round(time.monotonic() - self.began_s, 1)
        told = {"engine": "atheris" if atheris else "dice", "runs": self.runs, "seconds": took_s}
        print(json.dumps(told | {"statuses": self.statuses, "failure": self.failure}), flush=True)


def guided(rules: Rules, seed: int) -> None:
    """Let atheris choose the bodies. It never returns, and leaves no time for `atexit`."""
    folder = tempfile.TemporaryDirectory()
    for number, recorded in enumerate(seeds()):
        (Path(folder.name) / str(number)).write_bytes(recorded.body)

    def try_one(content: bytes) -> None:
        rules.try_one(content)
        if rules.are_over:
            rules.tell()
            folder.cleanup()
            os._exit(0)

    def mutate(content: bytes, longest: int, seed: int) -> bytes:
        if seed % (MUTATED_BY_US + 1):
            ours = rules.ours.throw_again(seed)
            return (ours.damaged(content) if seed % 2 and content else ours.body())[:longest]
        mutated: bytes = atheris.Mutate(content, longest)
        return mutated

    options = (f"-seed={seed}", f"-max_len={LONGEST_BYTES}", "-verbosity=0", f"-artifact_prefix={folder.name}/")
    atheris.Setup([sys.argv[0], *options, folder.name], try_one, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> None:
    """Read the options, run, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rules = Rules(options.count, options.seconds, options.seed)
    if atheris is not None:
        guided(rules, options.seed)
    while not rules.are_over:
        rules.try_one(rules.dice.body())
    rules.tell()


if __name__ == "__main__":
    main()
