"""Logs become events: read, judged line by line, and queued exactly once.

hit.py         what one line of a log says, whatever its format
formats/       the formats, one small file each
page.py        the event that a rule made of a hit
rules.py       which hit becomes which event: the user's rules; defaults.py: what is usual
rules_file.py  the user's rules as a TOML file
who.py         address and User-Agent that make a visitor
ready.py       a line that has a body already
outcomes.py    why a line is left out or refused
keeping.py     one line → event, or why not; all so far is pure
admitting.py   the event → the queue's, or why not: time, validation, sites
batch.py       many lines at once
source.py      a log as it is read: blocks of lines, decompressed
opening.py     a log with its format
known.py       which logs were replayed before, and up to where
pace.py        how fast it may go
run.py         log by log, step by step, into the queue
follow.py      a log that is being written, through its rotation
rehearsal.py   what a replay would do
summary.py     what it came to
"""
