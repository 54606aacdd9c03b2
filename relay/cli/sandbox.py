"""`relay sandbox`: a stand-in for Plausible as a process of its own. What it does lives in relay/sandbox."""

import click

from relay.cli.options import settings_options
from relay.cli.process import run_process
from relay.sandbox import serve_sandbox
from relay.settings import Settings


@click.command()
@settings_options("sandbox_listen", "log_format", "log_level", also={"sandbox_listen": "--listen"})
def sandbox(settings: Settings) -> None:
    """Run a stand-in for Plausible, to try and to test.

    It follows Plausible's rules, shows what it received as a page and as JSON, and can be told to fail. SIGTERM and
    Ctrl-C end it.
    """
    address = settings.sandbox_listen
    run_process("sandbox", settings, serve_sandbox(address.host, address.port), "sandbox_listen")
