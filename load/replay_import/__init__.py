"""The CSV import held against a count that shares nothing with it: `.venv/bin/python -m load.replay_import`."""
