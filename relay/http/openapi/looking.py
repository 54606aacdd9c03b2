"""The endpoints that only tell: health, metrics, and the contract itself."""

from typing import Final

from relay.http.openapi.pieces import TEXT, Json, answer, schema
from relay.queue.connection import Durability

_TEXTS: Final[Json] = {"type": "array", "items": {"type": "string"}}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}

SCHEMAS: Final[Json] = {
    "Live": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "live"}},
    },
    "Readiness": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"enum": ["ready", "unready"]},
            "reasons": _TEXTS | {"description": "Why it is unready."},
            "warnings": _TEXTS | {"description": "What is wrong without keeping the door from accepting."},
            "durability": {"enum": [str(each) for each in Durability], "description": "What a 202 is worth now."},
            "pending": {"type": ["integer", "null"], "minimum": 0, "description": "Null while the queue is away."},
            "workers": _COUNT,
            "upstream": {"type": "array", "items": {"type": "object"}, "description": "What each worker tells of it."},
        },
        "description": "All but `status` is told to operators only.",
    },
}

LOOKING: Final[Json] = {
    "/health/live": {
        "get": {
            "operationId": "live",
            "tags": ["operating"],
            "summary": "Whether the process runs",
            "responses": {"200": answer("It does.", schema("Live"))},
        }
    },
    "/health/ready": {
        "get": {
            "operationId": "ready",
            "tags": ["operating"],
            "summary": "Whether the door can keep its promise now",
            "security": [{}, {"operator": []}],
            "responses": {
                "200": answer("It can.", schema("Readiness"), examples={"to anybody": {"status": "ready"}}),
                "503": answer("It can't.", schema("Readiness"), examples={"to anybody": {"status": "unready"}}),
            },
        }
    },
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "tags": ["operating"],
            "summary": "Metrics for Prometheus",
            "security": [{}, {"operator": []}],
            "responses": {
                "200": answer("The metrics.", {"type": "string"}, kind=TEXT),
                "401": answer("Neither on loopback nor with the key.", schema("Error"), headers=["WWW-Authenticate"]),
            },
        }
    },
    "/openapi.json": {
        "get": {
            "operationId": "contract",
            "tags": ["operating"],
            "summary": "This document",
            "responses": {
                "200": answer(
                    "OpenAPI 3.1.",
                    {"type": "object", "required": ["openapi"], "properties": {"openapi": {"const": "3.1.1"}}},
                )
            },
        }
    },
}
