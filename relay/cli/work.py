"""`relay work`: a worker as a process of its own. What it does lives in workers."""

import click

from relay.cli.options import settings_options
from relay.cli.process import run_process
from relay.settings import Settings
from workers import run_worker


@click.command()
@settings_options(
    "upstream",
    "redis_url",
    "retry_base_s",
    "retry_cap_s",
    "retry_for_s",
    "connect_timeout_s",
    "answer_timeout_s",
    "concurrency",
    "max_age_s",
    "ambiguous",
    "ambiguous_revenue",
    "partitions",
    "dead_keep_days",
    "dead_keep_count",
    "log_format",
    "log_level",
    command="work",
)
def work(settings: Settings) -> None:
    """Run a worker: deliver what Redis keeps to Plausible.

    Start as many as you like: they share the partitions. SIGTERM and Ctrl-C end it after the deliveries under way are
    noted.
    """
    run_process("worker", settings, run_worker(settings))
