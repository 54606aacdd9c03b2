"""`relay up`: the embedded server and the supervisor that runs everything on one machine.

everything.py     puts the parts together: `run_everything(settings)` → exit code
supervisor.py     starts in order, keeps running, ends in the opposite order; signals
children.py       one process: started, watched, started again, stopped. leash.py ties it to the supervisor's life
embedded.py       the server: where its socket is, when it is ready. server_binary.py chooses it,
                  last_words.py explains why it did not start; its configuration is config/valkey.conf
datadir.py        the data folder: its lock, and run.json (`read_run`: what runs here, for other commands)
partitions.py     refuses another number of partitions than the data set was begun with
ports.py          addresses, free or taken. readiness.py: does a process answer yet
greeting.py       what is said when everything serves
faults.py         StartError: what the user has to put right

Never here: events, and what the processes do. Every command asks datadir.py what runs here, so this file imports no
more than that.
"""

from relay.up.datadir import Run, read_run

__all__ = ["Run", "read_run"]
