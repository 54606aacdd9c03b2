"""Which Redis an operator's command talks to: the one that is named, else that of a running `relay up`."""

import click

from relay.settings import Settings
from relay.up.datadir import Run, read_run


def redis_url_of(settings: Settings) -> str:
    """Return the URL of the Redis to ask. Ends the command with exit code 1 if there is none to be found."""
    if settings.redis_url is not None:
        return settings.redis_url
    run = running(settings)
    if run is None:
        raise click.ClickException(
            f"nothing is running on {settings.data}: start `relay up`, or name a Redis with RELAY_REDIS_URL"
        )
    return run.redis_url


def running(settings: Settings) -> Run | None:
    """Return what a living `relay up` runs on the data folder, or None."""
    run = read_run(settings.data)
    return run if run is not None and run.alive else None
