"""GET /js/{name}: Plausible's script, passed on."""

from typing import Final

from relay.http.openapi.pieces import TEXT, Json, answer
from relay.http.scripts import CONTENT_TYPE, NAME, PASSED_ON

_KEPT: Final = ("Cache-Control", "ETag", *PASSED_ON)
_TOLD: Final[Json] = {"type": "string"}

SCRIPT: Final[Json] = {
    "/js/{name}": {
        "get": {
            "operationId": "script",
            "tags": ["events"],
            "summary": "Plausible's script",
            "description": "As Plausible serves it under that name. Nothing of who asks is told there.",
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "description": "As Plausible's scripts are named; a query is not read.",
                    "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"},
                    "example": "script.outbound-links.js",
                },
                {
                    "name": "If-None-Match",
                    "in": "header",
                    "description": "The ETag of the copy that is there.",
                    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
                },
            ],
            "responses": {
                "200": answer("The script.", _TOLD, kind=CONTENT_TYPE, headers=_KEPT),
                "304": answer("It is the one that is there.", None, headers=_KEPT),
                "404": answer("Plausible has none of this name.", _TOLD, kind=TEXT, headers=["Cache-Control"]),
                "502": answer(
                    "Plausible's answer is no script.", _TOLD, kind=TEXT, headers=["Cache-Control", "Retry-After"]
                ),
                "503": answer(
                    "Plausible is away, or too many scripts are asked for at once.",
                    _TOLD,
                    kind=TEXT,
                    headers=["Cache-Control", "Retry-After"],
                ),
            },
        }
    },
}
