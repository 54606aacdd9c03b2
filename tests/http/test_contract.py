"""The contract, by schemathesis: what `GET /openapi.json` describes is sent to a real relay, which answers as it says.

What it sends is the same each time. Two of its checks are left out, as Plausible has it otherwise: a wrong method is
404 there (`unsupported_method`), and much is taken that no contract would describe (`negative_data_rejection`).
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from backports import zstd
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, unsupported_method

from relay.http.batch import NDJSON
from relay.http.openapi import document
from relay.rules.source import Kind
from tests.http.posting import NAMED, bearer, made, source
from tests.http.process import Serve
from tests.server import TestServer

CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}
LEFT_OUT = [unsupported_method, negative_data_rejection]
AWAY = [not_a_server_error]  # for scripts: there is no Plausible behind this relay
BY_CHANCE = {"id", "idempotency_key", "occurred_at"}  # may be right and refused: sent before; not by this clock
CONFIG = {"phases": {"coverage": {"enabled": False}}, "generation": {"deterministic": True}}
Case = schemathesis.Case[Any]


def described() -> dict[str, Any]:
    """The contract with one of the four names that NDJSON has, which are all the same to the door."""
    told = deepcopy(document())
    content = told["paths"]["/api/events"]["post"]["requestBody"]["content"]
    for name in sorted(NDJSON)[1:]:
        del content[name]
    return told


contract = schemathesis.openapi.from_dict(described(), config=schemathesis.Config.from_dict(CONFIG))


@dataclass(frozen=True, slots=True)
class Relay:
    """A running relay, and what opens it."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["open", "closed"])
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Give a relay that takes events from anybody, and one that takes them from a server with a key."""
    folder = tmp_path_factory.mktemp("contract")
    server = TestServer(folder / "redis")
    server.start()
    keys = asyncio.run(made(server.url, source("all", Kind.BACKEND, "*"))) if request.param == "closed" else []
    serve = asyncio.run(Serve.start(folder / "serve.log", server.url))
    yield Relay(f"http://127.0.0.1:{serve.port}", {**bearer(keys[0]), **NAMED} if keys else {})
    serve.close()
    server.close()


@schemathesis.serializer("application/json", "text/plain")
def as_document(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """One JSON document, in the coding that the case names."""
    return coded(context, written(value))


@schemathesis.serializer(*NDJSON)
def as_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A list as a document a line."""
    return coded(context, b"\n".join(map(written, value if isinstance(value, list) else [value])))


def written(value: Any) -> bytes:
    """As JSON; bytes stay what they are, and are mostly none."""
    return value if isinstance(value, bytes) else json.dumps(without_points(value)).encode()


def without_points(value: Any) -> Any:
    """1.0 as 1: a schema can't tell them apart, and to Plausible the one is no integer."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case list():
            return [without_points(each) for each in value]
        case dict():
            return {key: without_points(each) for key, each in value.items()}
        case _:
            return value


def coded(context: schemathesis.SerializationContext, body: bytes) -> bytes:
    """The body in the coding that the case's header names."""
    return CODINGS.get(str(context.case.headers.get("Content-Encoding")), bytes)(body)


def every_item_is_taken(_: schemathesis.CheckContext, response: schemathesis.Response, case: Case) -> None:
    """Of a batch as the contract describes it nothing is refused."""
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    if is_right and case.path == "/api/events" and response.status_code == 202:
        told = [each["errors"] for each in response.json()["events"]]
        assert [errors for errors in told if not errors.keys() <= BY_CHANCE] == []


@contract.parametrize()
@settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_door_answers_as_the_contract_says(case: Case, relay: Relay) -> None:
    """No 5xx, no status, body or header but those described, and what is described as right is taken."""
    left_out = [*LEFT_OUT, *AWAY] if case.path == "/js/{name}" else LEFT_OUT
    case.call_and_validate(
        base_url=relay.url, headers=relay.headers, excluded_checks=left_out, additional_checks=[every_item_is_taken]
    )


def test_the_contract_is_openapi() -> None:
    """By the specification's own schema, examples and defaults included."""
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []
