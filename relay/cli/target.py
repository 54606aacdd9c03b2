"""Which Redis an operator's command talks to: the one that is named, else that of a running `relay up`."""

import click

from relay.settings import Settings
from relay.up.datadir import Run, in_the_way, read_run


def redis_url_of(settings: Settings) -> str:
    """Return the URL of the Redis to ask. Ends the command with exit code 1 if there is none to be found."""
    if settings.redis_url is not None:
        return settings.redis_url
    run = running(settings)
    if run is not None:
        return run.redis_url
    wrong = in_the_way(settings.data)
    if wrong is not None:
        raise click.ClickException(f"{wrong}: name the folder of a running `relay up` with RELAY_DATA")
    raise click.ClickException(
        f"nothing is running on {settings.data}: start `relay up`, or name a Redis with RELAY_REDIS_URL"
    )


def running(settings: Settings) -> Run | None:
    """Return what a living `relay up` runs on the data folder, or None.

    One that keeps its events elsewhere than in the Redis that is named has nothing to do with what is asked.
    """
    run = read_run(settings.data)
    if run is None or not run.alive or settings.redis_url not in {None, run.redis_url}:
        return None
    return run
