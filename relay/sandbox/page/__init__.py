"""The page at `/`: `page.html` with `page.css` and `page.js` put into it, so that one file needs nothing else.

What the page shows comes from strangers, so the policy lets run only the script whose hash stands in it, and lets no
text become markup (`require-trusted-types-for`).
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Page:
    """The document and the headers that it is served with."""

    html: str
    headers: dict[str, str]


def load_page() -> Page:
    """Read the three files of the package and return the page with its Content-Security-Policy."""
    parts = files(__name__)
    style = parts.joinpath("page.css").read_text("utf-8")
    script = parts.joinpath("page.js").read_text("utf-8")
    frame = parts.joinpath("page.html").read_text("utf-8")
    html = frame.replace("/* page.css */", style).replace("/* page.js */", script)
    policy = (
        "default-src 'none'",
        f"script-src {_hash_of(script)}",
        f"style-src {_hash_of(style)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return Page(
        html,
        {
            "content-security-policy": "; ".join(policy),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
        },
    )


def _hash_of(inline: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
