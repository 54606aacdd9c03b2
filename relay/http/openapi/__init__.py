"""The door's contract, OpenAPI 3.1, as `GET /openapi.json` gives it. Tests hold every answer of the door against it.

document  all of it put together, and the endpoint
event     what an event may say, as JSON Schema; item  what it may say in a batch beside that
posting   POST /api/event and POST /api/events, and their preflights
script    GET /js/{name}
looking   health, metrics, and the contract itself
told      what is answered: bodies and headers
asked     what is sent beside the body: headers and keys
pieces    what the others are written with
"""

from relay.http.openapi.document import contract, document

__all__ = ["contract", "document"]
