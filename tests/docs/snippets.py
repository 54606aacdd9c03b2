"""The code on the pages for senders: read from the page, made to post to a relay under test, run, or taken apart."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
HOST, KEY, ORDER = "https://events.example.com", "prk_…", "order-4711"
FILES = {"bash": "snippet.sh", "python": "snippet.py", "js": "snippet.mjs", "java": "Sender.java"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|^## ([^\n]+)$", re.MULTILINE | re.DOTALL)
_TEXT = re.compile(r'"""(?:\n\s*)?(.*?)\s*"""', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of code under a heading of a page."""

    page: str
    title: str
    language: str
    code: str

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.page}: {self.title}"

    def for_relay(self, url: str, key: str) -> str:
        """The code with the relay and the key in place of those of the page, and an order number of its own."""
        order = f"order of {self.name}"
        return self.code.replace(HOST, url).replace(KEY, key).replace(ORDER, order)

    def run(self, folder: Path, url: str, key: str) -> "subprocess.CompletedProcess[str]":
        """Run it in that folder."""
        file = folder / FILES[self.language]
        file.write_text(self.for_relay(url, key), encoding="utf-8")
        return subprocess.run(
            [*interpreter(self.language), file.name],
            cwd=folder,
            text=True,
            capture_output=True,
            timeout=100,
            check=False,
        )


def snippets(page: str) -> list[Snippet]:
    """All of a page, in their order."""
    found, title = [], ""
    for language, code, heading in _BLOCK.findall((FOLDER / f"{page}.md").read_text(encoding="utf-8")):
        title = heading or title
        if code:
            found.append(Snippet(page, title, language, code))
    return found


def interpreter(language: str) -> list[str]:
    """What runs a language here; empty if nothing does."""
    if language == "python":
        return [sys.executable, "-W", "error"]
    command = {"bash": ["bash", "-euo", "pipefail"], "js": ["node"], "java": ["java", "-XX:TieredStopAtLevel=1"]}[
        language
    ]
    found = shutil.which(command[0])
    if found is None or (language == "java" and _major(found) < 17):  # text blocks, `java Sender.java`
        return []
    return [found, *command[1:]]


def _major(java: str) -> int:
    told = subprocess.run([java, "-version"], text=True, capture_output=True, timeout=60, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a snippet would send."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def swift_request(code: str) -> Request:
    """The one request of a Swift snippet; a line of a queue stands for the lines."""
    (url,) = re.findall(r'URL\(string: "([^"]+)"\)', code)
    (method,) = re.findall(r'httpMethod = "(\w+)"', code)
    headers = {name: value for value, name in re.findall(r'setValue\("([^"]*)", forHTTPHeaderField: "([^"]+)"\)', code)}
    (body,) = _TEXT.findall(code)
    return Request(method, url, headers, filled(body))


def kotlin_requests(code: str) -> dict[str, Request]:
    """The requests of the Kotlin program, by the function that sends them."""
    constants = {f"${name}": _text_of(value) for name, value in re.findall(r"const val (\w+) = (.+)", code)}
    (firefox,) = re.findall(r'FIREFOX = "(.+)"', code)
    said = {"address": "81.2.69.142", "userAgent": firefox, "order": re.findall(r'sale\("([^"]+)"', code)[0]}
    functions = dict(re.findall(r"^fun (\w+)\(.*?\{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL))
    common = re.findall(r'setRequestProperty\("([^"]+)", "([^"]+)"\)', functions["connect"])
    (method,) = re.findall(r'requestMethod = "(\w+)"', functions["connect"])
    found = {}
    for name in ("fromApp", "fromServer", "sale", "flush"):
        ((url, kind),) = re.findall(r'connect\("([^"]+)", "([^"]+)"\)', functions[name])
        own = {
            key: said[value] for key, value in re.findall(r'setRequestProperty\("([^"]+)", (\w+)\)', functions[name])
        }
        (body,) = _TEXT.findall(functions["add" if name == "flush" else name])
        body = filled(body.replace("$DEVICE", constants["$DEVICE"]))
        found[name] = Request(
            method, url, {**dict(common), "Content-Type": kind} | own, f"[{body}]" if name == "fromApp" else body
        )
    return found


def texts_of(code: str) -> list[str]:
    """The JSON texts and the headers of a Kotlin or Java program, with what is filled in left out."""
    texts = [re.sub(r"\$\{[^}]*\}|\$\w+", "%s", text) for text in _TEXT.findall(code)]
    return sorted([*texts, *re.findall(r'(?:setRequestProperty|connect)\("[^)]*\)', code)])


def filled(text: str) -> str:
    """A JSON text with an id, a time and a name where a program fills them in."""
    text = re.sub(r'("id": )"[^"]*"', rf'\1"{uuid4()}"', text)
    text = re.sub(r'("occurred_at": )"[^}]*?\}?\)?", "name"', r'\1"2025-11-25T21:04:05Z", "name"', text)
    text = re.sub(r'("name": )"[$\\][^"]*"', r'\1"Sync"', text)
    json.loads(text)
    return text


def _text_of(literal: str) -> str:
    return literal.strip('"')
