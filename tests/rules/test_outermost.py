"""Whether a key stands twice is told without reading a body again, and always rightly."""

import json
import random
from typing import Any

import orjson
import pytest

from relay.rules.outermost import doubled_key, members

NAMES = ("a", "b", "c", ":", "", ":a", "ä", "\\", 'a"')
TEXTS = ("x", ":", ":x", '":', "\\", " ", "", 1, None)
COLONS = (":", ": ", " : ", "\n:", "\t: ", "\r:")
COMMAS = (",", ", ", " ,\n")
BODIES = 3_000


def made(chance: random.Random, depth: int = 0) -> Any:
    """A value in which a tuple of pairs is an object, whose keys may stand there twice."""
    kind = 0.0 if depth == 0 else chance.random() * (depth + 1)
    if kind < 0.5:
        return tuple((chance.choice(NAMES), made(chance, depth + 1)) for _ in range(chance.randrange(5)))
    if kind < 1:
        return [made(chance, depth + 1) for _ in range(chance.randrange(3))]
    return chance.choice(TEXTS)


def written(value: Any, colon: str, comma: str) -> str:
    """Its JSON."""
    if isinstance(value, tuple):
        pairs = (f"{json.dumps(key, ensure_ascii=False)}{colon}{written(each, colon, comma)}" for key, each in value)
        return "{" + comma.join(pairs) + "}"
    if isinstance(value, list):
        return "[" + comma.join(written(each, colon, comma) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("colon", COLONS, ids=repr)
def test_a_doubled_key_is_seen_whatever_the_writing(colon: str) -> None:
    """The first that comes again in the outermost object, however body and texts are written; an inner one is none."""
    chance = random.Random(4)
    some = [(("a", 1), ("a", 2), ("b", 3)), (("a", (("b", 1), ("b", 2))), ("c", 1)), ()]
    doubled = 0
    for value in some + [made(chance) for _ in range(BODIES // len(COLONS))]:
        body = written(value, colon, chance.choice(COMMAS)).encode()
        names = [key for key, _ in value]
        again = [key for at, key in enumerate(names) if key in names[:at]]
        assert doubled_key(body, orjson.loads(body)) == (again[0] if again else None), body
        doubled += bool(again)
    assert 50 < doubled < 400


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        (rb'{"a":"\/x","b":1,"a":2}', "a"),
        (rb'{"a":"\/x","b":"\u0022:"}', None),
        (rb'{"a":1,"\u0061":2}', "a"),
        (rb'{"a\\":1,"a\\":2}', "a\\"),
        (rb'{"a":"\\","b":1}', None),
        (rb'{"b":{"a":1,"a":2},"c":{"d":{}}}', None),
    ],
)
def test_escapes_hide_no_key(body: bytes, twice: str | None) -> None:
    """Escapes in texts and in keys are seen through, those of slashes and letters too."""
    assert doubled_key(body, orjson.loads(body)) == twice


@pytest.mark.parametrize("colon", COLONS, ids=repr)
def test_each_value_is_found_where_it_stands(colon: str) -> None:
    """However the body is written; also in one that is too deep for msgspec."""
    chance = random.Random(5)
    deep = ("deep", written([], colon, ","))
    for value in [made(chance) for _ in range(BODIES // len(COLONS))]:
        pairs = {key: written(inner, colon, chance.choice(COMMAS)) for key, inner in value}
        for more in ((), (deep,), (("deep", "[" * 1_020 + "]" * 1_020),)):
            told = [*pairs.items(), *more]
            space = chance.choice(("", " ", "\n"))
            inner = ",".join(f"{space}{json.dumps(key)}{colon}{each}{space}" for key, each in told)
            body = f"{space}{{{inner}}}{space}".encode()
            assert orjson.loads(body).keys() == dict(told).keys()
            assert [(key, body[start:stop].decode()) for key, start, stop in members(body)] == told
