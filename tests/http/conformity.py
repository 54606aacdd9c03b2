"""The door's answers held against its contract: every answer that any test of the door gets, by a door it opened.

What is no HTTP is answered below the application, and not seen here.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
from aiohttp import web

from relay.http.openapi import document

CONTRACT = document()
Seen = tuple[str, str, int]


def followed(part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    while "$ref" in part:
        _, *names = part["$ref"].split("/")
        part = CONTRACT
        for name in names:
            part = part[name]
    return part


def is_of(schema: dict[str, Any], value: object) -> bool:
    """Whether a value is what the schema says."""
    return bool(_validator(orjson.dumps(schema)).is_valid(value))


@cache
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for({"allOf": [orjson.loads(schema)], "components": CONTRACT["components"]})


def described() -> set[Seen]:
    """Each method, path and status of the contract."""
    return {
        (method.upper(), path, int(status))
        for path, operations in CONTRACT["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }


def faults(method: str, path: str, answer: web.Response) -> list[str]:
    """What of an answer the contract does not say."""
    told = CONTRACT["paths"].get(path, {}).get(method.lower(), {"responses": {}})["responses"].get(str(answer.status))
    if told is None:
        return ["no such status"]
    told = followed(told)
    wrong = [
        f"{name}: {why}" for name, part in told["headers"].items() if (why := header(followed(part), answer, name))
    ]
    wrong += [f"{name} is not described" for name in answer.headers if name.lower() not in known(told["headers"])]
    body = answer.body
    assert body is None or isinstance(body, bytes)
    if "content" not in told:
        return wrong + (["a body"] if body else [])
    if answer.content_type not in told["content"]:
        return [*wrong, f"a body of {answer.content_type}"]
    value = orjson.loads(body or b"") if answer.content_type == "application/json" else (body or b"").decode()
    return wrong if is_of(told["content"][answer.content_type]["schema"], value) else [*wrong, f"the body {value}"]


def header(part: dict[str, Any], answer: web.Response, name: str) -> str:
    """What is wrong with a header."""
    values = answer.headers.getall(name, [])
    if not values:
        return "is not there" if part["required"] else ""
    number = part["schema"].get("type") == "integer"
    return "" if all(is_of(part["schema"], int(value) if number else value) for value in values) else f"is {values}"


def known(headers: dict[str, Any]) -> set[str]:
    """Those described, and those of HTTP itself."""
    return {name.lower() for name in headers} | {"content-type", "content-length", "date", "connection"}


@dataclass(slots=True)
class Answers:
    """The answers of one test's doors: which there were, and what was wrong with them."""

    seen: set[Seen] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    async def look(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal handler of aiohttp's `on_response_prepare`, the last one."""
        resource = request.match_info.route.resource
        path = "" if resource is None else resource.canonical
        assert isinstance(response, web.Response)
        if "*" in request.match_info.route.method or not path:  # another method, or another path: as `info` says
            assert response.status == (405 if path in CONTRACT["paths"] and not path.startswith("/api") else 404)
            return
        if request.method != "HEAD":
            self.seen.add((request.method, path, response.status))
            self.wrong += [
                f"{request.method} {path} {response.status}: {x}" for x in faults(request.method, path, response)
            ]
