"""`POST /api/events`: a verdict for each item, and what is fit is kept whatever the others are."""

import orjson
import pytest

from tests.http.batches import IPHONE, array, item, post, statuses, verdicts
from tests.http.door import Door, body, errors, has_cors


@pytest.mark.parametrize("lines", [False, True])
async def test_what_is_fit_is_kept_whatever_the_others_are(door: Door, *, lines: bool) -> None:
    """Of an array and of lines alike, in their order; a line that is no JSON has a verdict of its own, too."""
    broken = b'{"name": "x"' if lines else b"null"
    items = [orjson.dumps(item(0)), orjson.dumps(item(1, name="")), broken, orjson.dumps(item(2)), b"[]", b"7"]
    answer = await post(door, b"\r\n\n".join(items) + b"\n" if lines else array(*items))
    assert await statuses(answer) == ["accepted", "refused", "refused", "accepted", "refused", "refused"]
    told = await verdicts(answer)
    assert list(told[1]["errors"]) == ["event_name"]
    assert "request" in told[2]["errors"]
    assert has_cors(answer)
    assert {event.body.strip() for event in await door.kept()} == {items[0], items[3]}


async def test_an_item_is_kept_byte_for_byte(door: Door) -> None:
    """What has none of the relay's keys stays as it is; of the others every value does, as numbers of any length."""
    money = b'{"amount": 19.900000000000000001,"currency":"EUR"}'
    plain = b'{ "name":"a", "url":"/\\u00e4", "domain":"example.com", "$": %b }' % money
    own = plain.replace(b"{ ", b'{ "id" : "1", "device":{"os":"iOS"},', 1).replace(b"} }", b'} ,"occurred_at":null}')
    assert await statuses(await post(door, array(plain, own))) == ["accepted", "accepted"]
    kept = b'{"name":"a","url":"/\\u00e4","domain":"example.com","$":%b}' % money
    assert {event.body for event in await door.kept()} == {plain, kept}


async def test_an_id_is_one_event(door: Door) -> None:
    """A repeat is a duplicate, in the same batch or in another; with another body it is refused on `id`."""
    first = array(item(0, id="a"), item(1), item(0, id="a"))
    assert await statuses(await post(door, first)) == ["accepted", "accepted", "duplicate"]
    answer = await post(door, array(item(0, id="a"), item(5, id="a"), item(2, id="b")))
    assert await statuses(answer) == ["duplicate", "refused", "accepted"]
    assert list((await verdicts(answer))[1]["errors"]) == ["id"]
    assert [orjson.loads(event.body) for event in await door.kept()] == [item(0), item(1), item(2)]


async def test_a_key_of_the_batch_is_that_of_its_items(door: Door) -> None:
    """The batch, sent again with its `Idempotency-Key`, is a repeat at each place; an item's own id goes before."""
    first = array(item(0), item(1, name=""), item(2, id="a"))
    answer = await post(door, first, Idempotency_Key="k")
    assert await statuses(answer) == ["accepted", "refused", "accepted"]
    assert await statuses(await post(door, first, Idempotency_Key="k")) == ["duplicate", "refused", "duplicate"]
    told = await verdicts(await post(door, array(item(3), item(4), item(2, id="a")), Idempotency_Key="k"))
    assert [each["status"] for each in told] == ["refused", "accepted", "duplicate"]
    assert list(told[0]["errors"]) == ["idempotency_key"]
    wrong = await post(door, first, Idempotency_Key="x" * 256)
    assert (wrong.status, list(errors(await wrong.read()))) == (400, ["idempotency_key"])
    assert len(await door.kept()) == 3


async def test_the_device_makes_the_user_agent(door: Door) -> None:
    """What an app says of its device is what Plausible will read, and of its own key nothing is left."""
    answer = await post(door, array(item(0, device=IPHONE), item(1)), User_Agent="CFNetwork/1")
    assert await statuses(answer) == ["accepted", "accepted"]
    agents = [event.user_agent for event in await door.kept()]
    assert set(agents) == {
        b"CFNetwork/1",
        b"AppVersion/3.2 (iPhone; CPU iPhone OS 18_1 like Mac OS X) appname/app-0c58e39c",
    }


async def test_strangers_speak_for_nobody(door: Door) -> None:
    """An address and a User-Agent in an item count for nothing, and its sender is told so."""
    answer = await post(door, array(item(0, ip="81.2.69.142", user_agent="Forged/1")), User_Agent="Own/1")
    (told,) = await verdicts(answer)
    assert told["status"] == "accepted"
    assert "ip and user_agent ignored" in told["warnings"][0]
    (kept,) = await door.kept()
    assert (kept.ip, kept.user_agent, orjson.loads(kept.body)) == ("127.0.0.1", b"Own/1", item(0))


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "the body is empty"),
        (b" \n ", 400, "the body is empty"),
        (b'[{"name":"a"},{"name":}]', 400, "invalid character (byte 22)"),
        (b'[{"name":"a"},', 400, "it ends too early"),
        (b"[" * 100_000, 400, "nested too deep"),
        (b"[] []", 400, "trailing characters"),
        (b"name=pageview", 400, "begins with 'n'"),
        (b"[%b]" % b",".join([b"1"] * 1_001), 413, "may have 1,000 events"),
        (b"1\n" * 1_001, 400, "begins with '1'"),
        (b"{}\n" * 1_001, 413, "may have 1,000 events"),
        (b"[%b]" % (b" " * 5_000_000), 413, "5,000,000 bytes"),
    ],
)
async def test_an_unreadable_envelope_is_refused_whole(door: Door, content: bytes, status: int, said: str) -> None:
    """It is said what is wrong and where; nothing is kept."""
    answer = await post(door, content)
    assert (answer.status, has_cors(answer)) == (status, True)
    assert said in errors(await answer.read())["request"][0]
    assert await door.kept() == []


async def test_a_single_event_is_no_array_and_a_batch_of_one(door: Door) -> None:
    """What is posted to the wrong endpoint of the two is counted all the same: one object is one line."""
    assert await statuses(await post(door, body())) == ["accepted"]
    assert await statuses(await post(door, b"[]")) == []
