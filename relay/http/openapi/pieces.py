"""What the contract is written with: references to its parts, and answers. Nothing here knows an endpoint."""

from collections.abc import Iterable, Mapping
from typing import Any

from relay.http.cors import ANY_ANSWER

Json = dict[str, Any]

JSON = "application/json"
TEXT = "text/plain"
PRINTABLE = "^[ -~]*[!-~][ -~]*$"  # ASCII on one line, and not blank
OF_ALL = (*ANY_ANSWER, "Server")


def schema(name: str) -> Json:
    """A schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(name: str) -> Json:
    """A header that is sent."""
    return {"$ref": f"#/components/parameters/{name}"}


def response(name: str) -> Json:
    """An answer that several endpoints give."""
    return {"$ref": f"#/components/responses/{name}"}


def answer(
    description: str,
    of: Json | None,
    *,
    headers: Iterable[str] = (),
    kind: str = JSON,
    examples: Mapping[str, Any] | None = None,
) -> Json:
    """An answer with a body `of` that schema, or none, and with these headers beside those of every answer."""
    told: Json = {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (*OF_ALL, *headers)},
    }
    if of is not None:
        body: Json = {"schema": of}
        if examples:
            body["examples"] = named(examples)
        told["content"] = {kind: body}
    return told


def named(examples: Mapping[str, Any]) -> Json:
    """Examples by what they show."""
    return {name: {"value": value} for name, value in examples.items()}
