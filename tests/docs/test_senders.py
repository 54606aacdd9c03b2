"""docs/senders.md and its pages: whoever copies their code has his events kept, for the right visitor and only once.

Run against a real relay: curl, Python, Node, Java. Of Swift and Kotlin the requests are read from the page and sent.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import requests

from relay.queue.connection import connect
from relay.queue.stored import StoredEvent
from relay.rules.source import Kind
from tests.docs.snippets import (
    FOLDER,
    Request,
    Snippet,
    interpreter,
    kotlin_requests,
    snippets,
    swift_request,
    texts_of,
)
from tests.http.door import kept_in
from tests.http.posting import made, source
from tests.http.process import Serve
from tests.server import TestServer

RUN = [each for page in ("curl", "python", "node") for each in snippets(page)]
SWIFT = snippets("swift")
KOTLIN, JAVA = snippets("kotlin")
KINDS = ("From an app", "From a server", "A sale", "A queue")
VISITOR = "81.2.69.142"
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Relay:
    """A running relay with an app and a server as its sources."""

    url: str
    redis_url: str
    app: str
    server: str

    def key(self, title: str) -> str:
        """The key for a section of a page."""
        return self.app if title.startswith("From an app") else self.server

    def kept(self) -> list[StoredEvent]:
        """Every event that it has."""

        async def read() -> list[StoredEvent]:
            async with connect(self.redis_url) as redis:
                return await kept_in(redis)

        return asyncio.run(read())


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Give one for all the tests here."""
    folder = tmp_path_factory.mktemp("senders")
    server = TestServer(folder / "redis")
    server.start()
    given = (source("app", Kind.APP, "example.com"), source("server", Kind.BACKEND, "example.com"))
    app, backend = asyncio.run(made(server.url, *given))
    serve = asyncio.run(Serve.start(folder / "serve.log", server.url, "--missing-ip", "accept"))
    yield Relay(f"http://127.0.0.1:{serve.port}", server.url, app, backend)
    serve.close()
    server.close()


def is_right(title: str, event: StoredEvent) -> bool:
    """Whether an event is what the section is about."""
    agent = event.user_agent or b""
    if title.startswith("From an app"):
        return agent.startswith(b"AppVersion/3.2 (")
    if title.startswith("A queue"):
        return event.ip == VISITOR
    has_revenue = orjson.loads(event.body).get("revenue") == {"amount": "19.90", "currency": "EUR"}
    return event.ip == VISITOR and agent.startswith(b"Mozilla/5.0 (") and has_revenue == ("sale" in title)


def run(snippet: Snippet, folder: Path, url: str, key: str) -> str:
    """Run it; what it printed."""
    done = snippet.run(folder, url, key)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needs(language: str) -> None:
    """Skip what nothing here can run."""
    if not interpreter(language):
        pytest.skip(f"nothing here runs {language}: install Node 18, or a JDK 17, and the page's code is run, too")


def test_each_page_has_its_four_sections() -> None:
    """Every page of the folder is known here, and none lacks a section."""
    assert {path.stem for path in FOLDER.iterdir()} == {"curl", "python", "node", "swift", "kotlin"}
    for page in ("curl", "node", "swift"):
        assert [each.title for each in snippets(page)] == list(KINDS)
    wanted = [f"{kind} with {library}" for library in ("requests", "httpx") for kind in KINDS]
    assert [each.title for each in snippets("python")] == wanted


@pytest.mark.parametrize("snippet", [each for each in RUN if "queue" not in each.title], ids=lambda each: each.name)
def test_an_event_is_kept_once(snippet: Snippet, relay: Relay, tmp_path: Path) -> None:
    """For the visitor that it names; a sale that is sent again with its key is still one."""
    needs(snippet.language)
    before = len(relay.kept())
    for _ in range(2 if "sale" in snippet.title else 1):
        run(snippet, tmp_path, relay.url, relay.key(snippet.title))
    (event,) = relay.kept()[before:]
    assert is_right(snippet.title, event)


@pytest.mark.parametrize("snippet", [each for each in RUN if "queue" in each.title], ids=lambda each: each.name)
def test_a_queue_waits_for_the_network(snippet: Snippet, relay: Relay, tmp_path: Path) -> None:
    """What can't be sent stays and goes out with the next; what is sent again is kept once."""
    needs(snippet.language)
    queue = tmp_path / "queue.ndjson"
    before = len(relay.kept())
    assert "later" in run(snippet, tmp_path, NOWHERE, relay.server)
    unsent = queue.read_bytes()
    assert unsent.count(b"\n") == 1
    run(snippet, tmp_path, relay.url, relay.server)
    assert queue.read_bytes() == b""
    queue.write_bytes(unsent)  # as if the answer had not come
    run(snippet, tmp_path, relay.url, relay.server)
    events = relay.kept()[before:]
    assert len(events) == 3
    assert all(is_right(snippet.title, event) for event in events)


def test_java(relay: Relay, tmp_path: Path) -> None:
    """The whole program: offline first, then all four."""
    needs("java")
    before = len(relay.kept())
    assert "later" in run(JAVA, tmp_path, NOWHERE, relay.server)
    for _ in range(2):
        run(JAVA, tmp_path, relay.url, relay.server)
    events = [orjson.loads(event.body)["name"] for event in relay.kept()[before:]]
    assert sorted(events) == ["Purchase"] + ["Signup"] * 4 + ["Sync"] * 3
    assert (tmp_path / "queue.ndjson").read_bytes() == b""


def test_kotlin_says_what_java_says() -> None:
    """The same JSON, the same headers, the same addresses."""
    assert texts_of(KOTLIN.code) == texts_of(JAVA.code)


def sent(asked: Request) -> None:
    """Send what a snippet would; it has to be taken."""
    answer = requests.request(asked.method, asked.url, headers=asked.headers, data=asked.body.encode(), timeout=30)
    assert answer.status_code == 202, answer.text
    assert answer.text == "ok" or answer.json()["refused"] == 0, answer.text


@pytest.mark.parametrize("snippet", SWIFT, ids=lambda each: each.title)
def test_swifts_requests(snippet: Snippet, relay: Relay) -> None:
    """Read from the page and sent: the event is kept."""
    before = len(relay.kept())
    sent(swift_request(snippet.for_relay(relay.url, relay.key(snippet.title))))
    (event,) = relay.kept()[before:]
    assert event.site == "example.com"


@pytest.mark.parametrize("name", ["fromApp", "fromServer", "sale", "flush"])
def test_kotlins_requests(name: str, relay: Relay) -> None:
    """Read from the page and sent: the event is kept."""
    before = len(relay.kept())
    sent(kotlin_requests(KOTLIN.for_relay(relay.url, relay.server))[name])
    (event,) = relay.kept()[before:]
    assert event.site == "example.com"
