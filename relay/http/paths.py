"""The paths of the two endpoints for events: Plausible's own, and the relay's for batches."""

from typing import Final

EVENT: Final = "/api/event"
EVENTS: Final = "/api/events"
