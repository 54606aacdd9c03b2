"""Logs become events: read, judged line by line, and queued exactly once.

hit.py      what one line of a log says, whatever its format
page.py     the event that a rule made of a hit
"""
