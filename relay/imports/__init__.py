"""Logs become Plausible's CSV import: daily numbers, in the ten tables that its exporter writes.

tables.py    the ten tables, and their columns
page.py      the host, the path and the query of an event's URL
origin.py    where a visit came from; sources.py knows the names
agents.py    the device, browser and system of a User-Agent
identity.py  who is one visitor, on one day
calendar.py  which day a second belongs to
merging.py   several logs as one
ordering.py  the events in the order of their times
visits.py    visits, by pauses of 30 minutes
days.py      the numbers of a day
counting.py  the way of one event through all of these
folder.py    the files, whole or not at all
run.py       one import, and what it came to
"""
