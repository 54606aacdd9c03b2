"""Which User-Agents Plausible would probably take for a bot (contract section 4)."""

import pytest

from relay.rules.bots import looks_like_bot

CHROME = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    "agent",
    [
        b"Googlebot/2.1 (+http://www.google.com/bot.html)",
        b"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
        CHROME.replace(b"Chrome", b"HeadlessChrome"),
        b"node",
        b"Node.js",
        b"WordPress/6.5; https://example.com",
        b"k6/0.51.0 (https://k6.io/)",
        b"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        *(b"acme-%b/1.0" % word for word in b"bot crawler checker monitor probe fetcher scraper proxy".split()),
        *(b"acme_%b" % word for word in b"collector project script".split()),
        b"ACME-PROXY",
    ],
)
def test_bots(agent: bytes) -> None:
    """Known bots, headless browsers, bare tools, and any token that ends in a word of the trade are bots."""
    assert looks_like_bot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        None,
        b"",
        CHROME,
        b"okhttp/4.12.0",
        b"Dart/3.4 (dart:io)",
        b"Heartwitch/3 CFNetwork/1496.0.7 Darwin/23.5.0",
        b"curl/8.7.1",
        b"python-requests/2.32.3",
        b"Python/3.11 aiohttp/3.14.4",
        b"axios/1.7.2",
        b"Go-http-client/1.1",
        b"plausible-relay/1.0",
        b"Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36",
        b"bottle/0.12",
        b"nodemon/3",
        b"node-fetch/1.0 (+https://github.com/node-fetch)",
        b"\xff\xfe",
    ],
)
def test_not_bots(agent: bytes | None) -> None:
    """Browsers, the usual HTTP libraries, our own name, a phone named Cubot and no agent at all are not."""
    assert not looks_like_bot(agent)
