"""Runs a long-lived part of the relay under uvloop until it ends, and turns what stops it at the start into words."""

import logging
import socket
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias

import click
import uvloop

from relay.cli.options import SettingsFault
from relay.cli.root import warn_of_root
from relay.logs import setup_logging
from relay.queue.connection import AWAY
from relay.queue.server import UnfitServerError
from relay.settings import Settings, variable
from relay.up.ports import LISTENING_FAILED, cannot_listen

_log = logging.getLogger(__name__)

Listens: TypeAlias = Literal["listen", "sandbox_listen"]


def run_process(name: str, settings: Settings, part: Coroutine[Any, Any, None], listens: Listens | None = None) -> None:
    """Set up logging for the process of that name and run the part to its end; `listens` names its address's setting.

    A port in use or a Redis that does not answer ends the command with exit code 1, an unfit server or another number
    of partitions with 2, each with its reason; anything else is a bug and keeps its traceback.
    """
    setup_logging(settings.log_format, settings.log_level, name)
    if name != "sandbox":  # which is a toy
        warn_of_root(settings)
    try:
        uvloop.run(part)
    except UnfitServerError as error:
        raise SettingsFault([str(error)]) from error
    except AWAY as error:
        _log.debug("%s ended", name, exc_info=True)
        raise click.ClickException(_said(error, name, settings, listens)) from error


def _said(error: BaseException, name: str, settings: Settings, listens: Listens | None) -> str:
    """Put the failure into words; what an address is to blame for gets those of `relay up`."""
    if not listens or not isinstance(error, OSError):
        return str(error) or type(error).__name__
    if error.errno in LISTENING_FAILED or isinstance(error, socket.gaierror):
        return str(cannot_listen(getattr(settings, listens), name, variable(listens), error))
    return str(error) or type(error).__name__
