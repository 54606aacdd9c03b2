"""`relay serve`: the door as a process of its own. What it does lives in relay/http."""

import click

from relay.cli.options import settings_options
from relay.cli.process import run_process
from relay.http.app import serve_door
from relay.settings import Settings


@click.command()
@settings_options(
    "listen",
    "upstream",
    "redis_url",
    "sites",
    "trusted_proxies",
    "validation",
    "missing_ip",
    "address_rate",
    "address_burst",
    "idempotency_keep_s",
    "occurred_at_prop",
    "partitions",
    "max_backlog",
    "admin_key",
    "log_format",
    "log_level",
    command="serve",
)
def serve(settings: Settings) -> None:
    """Run the door: accept events and keep them in Redis.

    SIGTERM and Ctrl-C end it after the requests under way have their answer.
    """
    run_process("door", settings, serve_door(settings), "listen")
