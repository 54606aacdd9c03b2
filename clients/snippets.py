"""The snippets of docs/clients.md, as the tests run them. Only their host is changed, as a user changes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs/clients.md"
HOST: Final = "https://events.example.com"
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(heading: str, *languages: str) -> list[str]:
    """The code under a heading of the page that is written in one of the languages, in its order."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE.name} has no heading {heading!r}"
    return [code for language, code in FENCE.findall(found[1]) if language in languages]


def pointed_at(door: str, code: str) -> str:
    """The code with that door in place of the page's; it has to name one."""
    assert HOST in code, code
    return code.replace(HOST, door)


def with_option(code: str, option: str) -> str:
    """The code with one more option beside `domain`, as a user would add it."""
    domain = re.search(r'\bdomain: "example\.com",', code)
    assert domain, code
    return code.replace(domain[0], f"{domain[0]} {option},")
