"""Batches as tests post them, and verdicts as they read them."""

from io import BytesIO
from typing import Any

import orjson
from aiohttp import ClientResponse

from tests.http.door import Door

IPHONE = {"os": "iOS", "os_version": "18.1", "model": "iPhone17,1", "app": "Shop", "app_version": "3.2"}


def item(n: int = 0, **fields: Any) -> dict[str, Any]:
    """A legal event for example.com, told from others by its number."""
    return {"name": f"e{n}", "url": f"app://shop/{n}", "domain": "example.com"} | fields


def array(*items: Any) -> bytes:
    """The items as an array; bytes go in as they are."""
    return b"[%b]" % b",".join(each if isinstance(each, bytes) else orjson.dumps(each) for each in items)


async def post(door: Door, content: bytes, **headers: str) -> ClientResponse:
    """Post to /api/events and read the answer; header names are given with underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await door.client.post("/api/events", data=BytesIO(content), headers=sent)
    await answer.read()
    return answer


async def verdicts(answer: ClientResponse) -> list[dict[str, Any]]:
    """The verdicts of a 202, whose form and sums are checked."""
    assert (answer.status, answer.content_type) == (202, "application/json"), await answer.text()
    told = orjson.loads(await answer.read())
    assert list(told) == ["accepted", "duplicates", "refused", "events"]
    events: list[dict[str, Any]] = told["events"]
    assert [each["index"] for each in events] == list(range(len(events)))
    for each in events:
        assert list(each)[:4] == ["index", "status", "errors", "warnings"]
        assert bool(each["errors"]) == (each["status"] == "refused")
    sums = [sum(each["status"] == status for each in events) for status in ("accepted", "duplicate", "refused")]
    assert sums == [told["accepted"], told["duplicates"], told["refused"]]
    return events


async def statuses(answer: ClientResponse) -> list[str]:
    """What became of each item."""
    return [each["status"] for each in await verdicts(answer)]
