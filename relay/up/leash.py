"""Ties a child process to the life of its supervisor, so that a killed supervisor leaves nothing behind.

Linux only (prctl PR_SET_PDEATHSIG); elsewhere the data folder's lock tells of what was left.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def leash() -> Callable[[], None] | None:
    """Return what a child has to run between fork and exec, or None where the system has nothing like it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: a forked child should do as little as possible
    supervisor, sigterm = os.getpid(), int(signal.SIGTERM)

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, sigterm, 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(1)

    return tie
