"""Runs a long-lived part of the relay under uvloop until it ends, and turns what stops it at the start into words."""

import logging
from collections.abc import Coroutine
from typing import Any

import click
import uvloop

from relay.cli.options import SettingsFault
from relay.logs import setup_logging
from relay.queue.connection import AWAY
from relay.queue.server import UnfitServerError
from relay.settings import Settings

_log = logging.getLogger(__name__)


def run_process(name: str, settings: Settings, part: Coroutine[Any, Any, None]) -> None:
    """Set up logging for the process of that name and run the part to its end.

    A port in use or a Redis that does not answer ends the command with exit code 1, an unfit server or another number
    of partitions with 2, each with its reason; anything else is a bug and keeps its traceback.
    """
    setup_logging(settings.log_format, settings.log_level, name)
    try:
        uvloop.run(part)
    except UnfitServerError as error:
        raise SettingsFault([str(error)]) from error
    except AWAY as error:
        _log.debug("%s ended", name, exc_info=True)
        raise click.ClickException(str(error) or type(error).__name__) from error
