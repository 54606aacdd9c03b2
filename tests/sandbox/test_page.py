"""The page: one file that needs nothing else, and to which whatever a stranger sends is only text."""

import asyncio
import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from relay.sandbox.page import load_page
from tests.sandbox.sender import Sender

ATTACK = "<script>document.title='pwned'</script><img src=x onerror=document.title='pwned'>"
BODY = f'{{"n":"{ATTACK}","u":"javascript:document.title=1","d":"example.com","p":{{"{ATTACK}":"{ATTACK}"}}}}'


async def test_one_file_without_outside_parts(sender: Sender) -> None:
    """The page is a single HTML document that loads nothing from elsewhere."""
    async with sender.session.get(sender.url) as answer:
        html = await answer.text()

    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert html.startswith("<!doctype html>")
    assert re.findall(r"""(?:src|href)=["']?([^"'\s>]*)""", html) == ["data:,", "/events"]
    assert not re.search(r"@import|url\(", html)


async def test_policy_fits_the_page(sender: Sender) -> None:
    """The policy lets run exactly the script that is in the page, and nothing inline besides."""
    async with sender.session.get(sender.url) as answer:
        html, policy = await answer.text(), answer.headers["content-security-policy"]

    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\son\w+=|\sstyle=", html)


async def test_strangers_text_is_never_in_the_html(sender: Sender) -> None:
    """What was received is not in the document, only in the JSON, which no browser takes for HTML."""
    await sender.post(BODY)
    async with sender.session.get(sender.url) as page, sender.session.get(f"{sender.url}/events") as events:
        assert "pwned" not in await page.text()
        assert "pwned" in await events.text()
        assert events.content_type == "application/json"


def test_script_makes_no_markup() -> None:
    """The script knows no way to turn text into markup or code."""
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\(.on|\.href"

    assert not re.search(forbidden, load_page().html)


async def test_inert_in_a_real_browser(sender: Sender, tmp_path: Path) -> None:
    """In Chromium the attack stands in the table as text: no element of it exists, and the title is the page's own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on PATH: the page cannot be looked at in a real browser here")
    await sender.post(BODY)

    dom = await _dump_dom(chromium, sender.url, tmp_path)

    assert "&lt;script&gt;document.title='pwned'" in dom
    assert "javascript:document.title=1" in dom
    assert "<title>Sandbox · Plausible Relay</title>" in dom
    assert dom.count("<script>") == 1
    assert "<img" not in dom


async def _dump_dom(chromium: str, url: str, profile: Path) -> str:
    options = [
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
        *("disable-component-update", "disable-sync", f"user-data-dir={profile}", "virtual-time-budget=3000"),
    ]
    process = await asyncio.create_subprocess_exec(
        chromium,
        *(f"--{option}" for option in options),
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        dom, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return dom.decode()
