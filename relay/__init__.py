"""Plausible Relay: a durable queue in front of Plausible's event endpoint."""

__version__ = "0.1.0"
