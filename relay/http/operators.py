"""What only operators may see of the door: `/metrics`, and the reasons in `/health/ready`."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web

from relay.rules.access import may_look


@dataclass(frozen=True, slots=True)
class Operators:
    """Decides by the rule of relay/rules/access.py, with the key of RELAY_ADMIN_KEY if there is one."""

    key: str | None

    def include(self, request: web.Request) -> bool:
        """Whether the request comes from one of them."""
        return may_look(request.remote or "", request.raw_headers, self.key)

    def refusal(self) -> web.Response:
        """401, which says what would be right."""
        advice = "set RELAY_ADMIN_KEY, and " if self.key is None else ""
        told = {
            "error": f"not from here without the key: {advice}send it as Authorization: Bearer …, or ask on loopback"
        }
        headers = {"WWW-Authenticate": 'Basic realm="relay"'}
        return web.Response(status=401, body=orjson.dumps(told), content_type="application/json", headers=headers)
