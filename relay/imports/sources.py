"""The names that Plausible shows for well-known sources, by host and by tag.

A short list of the most common ones; Plausible itself knows some hundreds. Any other source keeps its host or its
tag, which is what Plausible does with a source it does not know.
"""

import re
from typing import Final

_BY_NAME: dict[str, tuple[str, ...]] = {
    "Baidu": ("baidu.com",),
    "Bing": ("bing.com", "ntp.msn.com"),
    "Brave": ("search.brave.com",),
    "Discord": ("discord.com", "discordapp.com"),
    "DuckDuckGo": ("duckduckgo.com",),
    "Ecosia": ("ecosia.org",),
    "Facebook": ("facebook.com", "fb.com", "fb.me"),
    "GitHub": ("github.com",),
    "Gmail": ("mail.google.com",),
    "Hacker News": ("news.ycombinator.com",),
    "Instagram": ("instagram.com",),
    "LinkedIn": ("linkedin.com", "lnkd.in"),
    "Linktree": ("linktr.ee",),
    "Microsoft Teams": ("statics.teams.cdn.office.net",),
    "Perplexity": ("perplexity.ai",),
    "Pinterest": ("pinterest.com",),
    "Qwant": ("qwant.com",),
    "Reddit": ("reddit.com",),
    "Sogou": ("sogou.com",),
    "Telegram": ("t.me", "telegram.org"),
    "TikTok": ("tiktok.com",),
    "Twitter": ("twitter.com", "t.co", "x.com"),
    "Wikipedia": ("wikipedia.org",),
    "Yahoo!": ("search.yahoo.com",),
    "Yandex": ("ya.ru", "yandex.com", "yandex.ru"),
    "Youtube": ("youtube.com", "youtu.be"),
}
_BY_HOST = {host: name for name, hosts in _BY_NAME.items() for host in hosts}
_GOOGLE: Final = re.compile(r"(?:^|\.)google\.(?:com|[a-z]{2}|com?\.[a-z]{2})$")
_SHORT = {
    "adwords": "Google",
    "fb": "Facebook",
    "google": "Google",
    "google-ads": "Google",
    "google_ads": "Google",
    "googleads": "Google",
    "ig": "Instagram",
    "yt": "Youtube",
}
_BY_TAG = {name.lower(): name for name in _BY_NAME} | _BY_HOST | _SHORT


def named_by_host(host: str) -> str | None:
    """The source that this host, or a domain above it, is known to be; None for all others."""
    host = host.lower()
    rest = host
    while rest:
        if name := _BY_HOST.get(rest):
            return name
        rest = rest.partition(".")[2]
    return "Google" if _GOOGLE.search(host) else None


def named_by_tag(tag: str) -> str:
    """The source that a `utm_source`, `source` or `ref` means: a known one in any case, else the tag itself."""
    return _BY_TAG.get(tag.lower(), tag)
