"""How fast the relay is, beside what people would use instead and beside what the machine can do at all.

processes  pinned to a core, their CPU time read from the kernel
events     what is sent, built beforehand
board      numbers in a shared file
sink       the fast server in Plausible's place
wrk        a sender for throughput
stage      a folder, a sink, an end to everything
relay      the relay under measurement
rounds     A B A B …, medians, ranges, ratios
accept     rows about the door
deliver    rows about the worker
whole      rows about all of it on one core
latency    rows about a quiet relay
backlog    rows about a million pending
open_loop  the sender of scenarios, a process of its own
senders    starts it, and reads what became of each event
scenarios  what happens to a relay in use
balance    the account at both ends
targets    the table of targets
campaign   a whole run, kept as JSON
plots, report  the page
check      make load-check
table      results as lines
"""
