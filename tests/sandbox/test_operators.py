"""What the sandbox shows has addresses and bodies in it: it is for whoever sits at the machine, or has the key."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.sandbox.sender import Sender

KEY = "a-key-of-the-operator"
FROM_ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/events"), ("DELETE", "/events"), ("GET", "/faults"), ("PUT", "/faults"), ("GET", "/x")],
)
@pytest.mark.parametrize("key", [None, KEY])
async def test_its_own_pages_need_the_key(
    opened: Callable[..., Awaitable[Sender]], method: str, path: str, key: str | None
) -> None:
    """401 from elsewhere without it, and a browser is asked for it."""
    sender = await opened(key=key)
    async with sender.session.request(method, f"{sender.url}{path}", headers=FROM_ELSEWHERE) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert "RELAY_ADMIN_KEY" in (await answer.json())["error"]


async def test_the_key_opens_them(opened: Callable[..., Awaitable[Sender]]) -> None:
    """As a browser sends it: as the password of any user."""
    sender = await opened(key=KEY)
    given = {"Authorization": aiohttp.encode_basic_auth("me", KEY)}
    async with sender.session.get(f"{sender.url}/events", headers=FROM_ELSEWHERE | given) as answer:
        assert answer.status == 200


async def test_plausibles_endpoints_need_none(opened: Callable[..., Awaitable[Sender]]) -> None:
    """Events come from anywhere, as at Plausible, and the script goes anywhere."""
    sender = await opened(key=KEY)
    status, _, _ = await sender.post(X_Forwarded_For="192.0.2.7")
    assert status == 202
    for path in ("/api/health", "/js/script.js"):
        async with sender.session.get(f"{sender.url}{path}", headers=FROM_ELSEWHERE) as answer:
            assert answer.status == 200
