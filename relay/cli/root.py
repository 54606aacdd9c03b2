"""Says once that a part of the relay runs as root. It needs no right of root's, and keeps working all the same."""

import logging
import os
from typing import Final

from relay.cli.target import running
from relay.settings import Settings

log = logging.getLogger(__name__)

ROOT: Final = 0
WARNING: Final = (
    "this runs as root and needs none of root's rights: run it as a user of its own, which owns RELAY_DATA "
    "(systemd: User=; containers: the image's own user, 10001); a port below 1024 is for the proxy in front"
)


def warn_of_root(settings: Settings) -> None:
    """Log the warning if it is due. What `relay up` starts leaves it to that."""
    run = running(settings)
    if os.geteuid() == ROOT and (run is None or run.pid != os.getppid()):
        log.warning(WARNING)
