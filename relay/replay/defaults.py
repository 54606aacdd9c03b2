"""What is a page, when no rule of the user's says otherwise, and by what name everything else is left out.

Lists of what web servers and frameworks really serve. Each can be switched off in `--rules`, and a rule of the user's
own goes first. Answers by path and by User-Agent are cached: logs repeat them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from relay.replay.outcomes import LeftOut
from relay.rules.bots import looks_like_bot

METHODS: Final = frozenset({"GET", "HEAD"})
_LONGEST_CACHED: Final = 512

_STATIC = frozenset(
    [
        "css",
        "js",
        "mjs",
        "cjs",
        "map",
        "json",
        "xml",
        "txt",
        "ico",
        "png",
        "jpg",
        "jpeg",
        "jpe",
        "gif",
        "svg",
        "webp",
        "avif",
        "bmp",
        "tif",
        "tiff",
        "heic",
        "woff",
        "woff2",
        "ttf",
        "otf",
        "eot",
        "mp3",
        "mp4",
        "m4a",
        "m4s",
        "m4v",
        "webm",
        "ogg",
        "ogv",
        "oga",
        "wav",
        "flac",
        "mov",
        "avi",
        "mkv",
        "ts",
        "m3u8",
        "mpd",
        "vtt",
        "pdf",
        "zip",
        "gz",
        "tgz",
        "bz2",
        "xz",
        "zst",
        "tar",
        "7z",
        "rar",
        "dmg",
        "exe",
        "msi",
        "deb",
        "rpm",
        "apk",
        "iso",
        "bin",
        "csv",
        "tsv",
        "xls",
        "xlsx",
        "doc",
        "docx",
        "ppt",
        "pptx",
        "odt",
        "wasm",
        "webmanifest",
        "manifest",
        "rss",
        "atom",
        "swf",
        "appcache",
        "br",
        "pem",
        "crt",
        "asc",
        "sig",
        "sha256",
        "torrent",
        "yml",
        "yaml",
        "toml",
        "lock",
        "log",
    ]
)
_STATIC_FOLDERS = re.compile(
    r"/(?:_next/(?:static|image|data)|_nuxt|_app/immutable|static|assets|dist|build/assets|wp-content|wp-includes|"
    r"cdn-cgi|node_modules|bundles|media/cache|__vite|@vite|\.well-known)(?:/|$)"
)
_HEALTH = re.compile(
    r"/(?:_?health(?:z|check|-check|_check)?|livez?|liveness|readyz?|readiness|ping|up|_?status|server-status|"
    r"nginx_status|stub_status|basic_status|metrics|heartbeat|_?alive|actuator(?:/.*)?|health/.*)/?",
    re.IGNORECASE,
)
_HEALTH_AGENTS = re.compile(
    rb"kube-probe|ELB-HealthChecker|GoogleHC|HealthCheck|Consul Health|HAProxy|Envoy/HC|Traefik"
)
_API = re.compile(
    r"/(?:api|graphql|graphiql|rest|rpc|jsonrpc|wp-json|xmlrpc\.php|wp-cron\.php|wp-admin/admin-ajax\.php|"
    r"oauth2?|socket\.io|sockjs|signalr|ws|sse)(?:/|$)|/wp-(?:cron|login)\.php|/xmlrpc\.php",
    re.IGNORECASE,
)


def page_or_not(path: str) -> LeftOut | None:
    """None for what looks like a page; `path` is without its query."""
    return _cached_kind(path) if len(path) < _LONGEST_CACHED else _kind(path)


def bot_or_not(user_agent: bytes | None) -> LeftOut | None:
    """None for what Plausible would take for a person's browser or app."""
    if user_agent is None:
        return None
    return _cached_agent(user_agent) if len(user_agent) < _LONGEST_CACHED else _agent(user_agent)


def _kind(path: str) -> LeftOut | None:
    name = path.rpartition("/")[2]
    _, dot, extension = name.rpartition(".")
    if dot and extension.lower() in _STATIC:
        return LeftOut.STATIC
    if _STATIC_FOLDERS.match(path):
        return LeftOut.STATIC
    if _HEALTH.fullmatch(path):
        return LeftOut.HEALTH_CHECK
    return LeftOut.API if _API.match(path) else None


def _agent(user_agent: bytes) -> LeftOut | None:
    if _HEALTH_AGENTS.search(user_agent):
        return LeftOut.HEALTH_CHECK
    return LeftOut.BOT if looks_like_bot(user_agent) else None


_cached_kind = lru_cache(maxsize=16_384)(_kind)
_cached_agent = lru_cache(maxsize=16_384)(_agent)
