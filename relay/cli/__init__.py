"""The command line: one file a command, and what the commands share. Nothing is done here that the parts could do.

up.py       everything on this machine
serve.py    the door
work.py     the worker
sandbox.py  a stand-in for Plausible
check.py    the settings, and whether Redis and Plausible answer (asked in probes.py)
status.py   what became of the events
breakdown.py  the same by site or hour
replay.py   logs into the queue; replaying.py runs it, progress.py tells how far it is
importing.py  logs into Plausible's CSV import: replay --to-csv
dead.py     dead letters
source.py   who may post
letters.py  a dead letter as it is told
ndjson.py   JSON, one object a line
duration.py  15m, 2h, 3d
audit.py    everything recounted
lazy.py     imports a command's file only when the command is called
options.py  options taken from the settings' model, and the settings that they add up to
process.py  runs a long-lived part under uvloop
root.py     says that no part needs root
operating.py  what status, dead and audit share: the data set, its failures in one line
target.py   which Redis an operator's command talks to
"""

import click

from relay import __version__
from relay.cli.lazy import LazyGroup

COMMANDS = {
    "up": "Run everything on this machine.",
    "serve": "Run the door: accept events and keep them in Redis.",
    "work": "Run a worker: deliver what Redis keeps to Plausible.",
    "sandbox": "Run a stand-in for Plausible, to try and to test.",
    "check": "Check the settings, and whether Redis and Plausible answer.",
    "status": "Say what became of the events.",
    "source": "Say who may post: add sources, give them new keys, remove them.",
    "replay": "Queue the events of log files.",
    "dead": "Look at dead letters, export, resend or remove them.",
    "audit": "Recount all that is kept, and say what differs.",
}


@click.group(cls=LazyGroup, commands_in="relay.cli", summaries=COMMANDS)
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """Plausible Relay: a durable queue in front of Plausible's event endpoint.

    Each setting can be an option, a variable RELAY_<NAME>, a file named by RELAY_<NAME>_FILE, or a line of the TOML
    file that --config or RELAY_CONFIG names. Exit codes: 0 fine, 1 failed, 2 wrong usage or settings.
    """
