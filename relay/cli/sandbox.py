"""`relay sandbox`: a stand-in for Plausible as a process of its own. What it does lives in relay/sandbox."""

import click

from relay.cli.options import settings_options
from relay.cli.process import run_process
from relay.sandbox import serve_sandbox
from relay.settings import Settings


@click.command()
@settings_options("sandbox_listen", "admin_key", "log_format", "log_level", also={"sandbox_listen": "--listen"})
def sandbox(settings: Settings) -> None:
    """Run a stand-in for Plausible, to try and to test.

    It follows Plausible's rules, shows what it received as a page (/) and as JSON (/events), and can be told to fail
    (/faults). SIGTERM and Ctrl-C end it.

    \b
    Examples:
      # two answers of 503, or each answer 3 s late
      curl -X PUT http://127.0.0.1:8001/faults -d '{"status": 503, "count": 2}'
      curl -X PUT http://127.0.0.1:8001/faults -d '{"delay_s": 3}'
      # every fourth connection breaks although the event was counted
      curl -X PUT http://127.0.0.1:8001/faults -d '{"reset": "after", "share": 0.25}'
      # Signups are dropped
      curl -X PUT http://127.0.0.1:8001/faults -d '{"drop": true, "match": {"name": "Signup"}}'
      # all is well again
      curl -X DELETE http://127.0.0.1:8001/faults
    """  # noqa: D301 - \b is click's sign to leave the lines as they are
    address = settings.sandbox_listen
    run_process(
        "sandbox", settings, serve_sandbox(address.host, address.port, key=settings.admin_key), "sandbox_listen"
    )
