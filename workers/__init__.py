"""The workers: they own partitions, send each event to Plausible in its visitor's order, and settle what came of it.

process     the worker process: arq hosts it, a loop keeps it going
upkeep      arq's jobs: retention, forgetting dead workers
runtime     the parts below put together, started and stopped
ownership   which partitions are ours: leases, fair shares
partition   one owned partition: reading ahead in order; held: how much of it is in memory
aside       its events that wait for their time, of which only the ids are
tails       reading what comes, for each partition or for all at once
lanes       a visitor's events in their order, in memory
dispatch    the heart: send, judge, settle
turns       whose turn it is: the sites in turn, and their lanes
settling    outcomes written down in groups
upstream    one Plausible: how much it can take, what is down, whose fault a failure is
sites       one site's events at it; circuit: single probes after failures
client      the HTTP client; connection: one connection of it
"""

from workers.process import run_worker

__all__ = ["run_worker"]
