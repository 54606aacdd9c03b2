"""The CSV import held against a count that shares nothing with it: `python -m load.replay_import`."""
