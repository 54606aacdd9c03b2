"""`relay up`: everything on this machine. What it does lives in relay/up."""

import click

from relay.cli.options import settings_options
from relay.cli.root import warn_of_root
from relay.logs import setup_logging
from relay.settings import Settings
from relay.up.everything import run_everything


@click.command()
@settings_options(command="up")
@click.pass_context
def up(ctx: click.Context, settings: Settings) -> None:
    """Run everything on this machine.

    Starts a Redis or Valkey (unless one is named), the door, a worker, and the sandbox if no Plausible is named.
    Children that die come back; SIGTERM and Ctrl-C end them all, after what is under way.
    """
    setup_logging(settings.log_format, settings.log_level, "up")
    warn_of_root(settings)
    ctx.exit(run_everything(settings))
