"""`relay check` against a real Redis and a real HTTP server, through real processes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import redis

from relay.up.server_binary import find_server

Check = Callable[..., tuple[int, dict[str, dict[str, Any]]]]
NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens there
SECRET = "hunter2"


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run `relay check --json` in an empty folder; returns its exit code and its findings by name."""

    def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        command = [sys.executable, "-m", "relay", "check", "--json", *arguments]
        done = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["ok"] is (done.returncode == 0)
        return done.returncode, {finding["name"]: finding for finding in said["checks"]}

    return run


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A real server of our own on a unix socket, as `up` configures it, with a password."""
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--requirepass", SECRET, "--dir", str(tmp_path)]
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    server = subprocess.Popen([find_server().path, *options, *durable], stdout=subprocess.DEVNULL)
    deadline_s = monotonic() + 10
    while not socket.exists():
        assert monotonic() < deadline_s
        sleep(0.01)
    yield f"unix://:{SECRET}@{socket}"
    server.terminate()
    server.wait(10)


class Plausible(BaseHTTPRequestHandler):
    """Answers a GET with the status that its server was told."""

    def do_GET(self) -> None:
        """Answer, and redirect to a fixed place where the status is a redirect."""
        assert self.path == "/api/event"
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Location", "https://elsewhere.example/api/event")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(params=[404])
def upstream(request: pytest.FixtureRequest) -> Iterator[str]:
    """A real HTTP server in Plausible's place that answers with the parametrized status."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plausible)
    server.status = request.param  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_is_well(check: Check, redis_url: str, upstream: str) -> None:
    """A Redis that keeps its promise and a Plausible that answers 404 to a GET are what the relay needs."""
    code, found = check("--redis-url", redis_url, "--upstream", upstream, "--sites", "*")
    assert code == 0
    assert list(found) == ["settings", "redis", "upstream"]
    assert found["settings"]["says"] == "can be used"
    assert found["redis"]["says"].endswith("redis.sock answers, durability always")


def test_nothing_named_tells_what_up_would_do(check: Check) -> None:
    """On a fresh machine check is content, and says which server `up` would start and what `serve` lacks."""
    code, found = check()
    assert code == 0
    assert str(find_server().path) in found["redis"]["says"]
    assert "`relay up` would start the sandbox on 127.0.0.1:8001" in found["upstream"]["says"]
    assert "RELAY_UPSTREAM, RELAY_REDIS_URL, RELAY_SITES" in found["settings"]["says"]


def test_what_does_not_answer_fails(check: Check) -> None:
    """Both are asked, and each says what would be right."""
    code, found = check("--redis-url", f"redis://:{SECRET}@{NOWHERE}", "--upstream", f"http://{NOWHERE}")
    assert code == 1
    for name in ("redis", "upstream"):
        assert not found[name]["ok"]
        assert "right would be " in found[name]["says"]


def test_a_redis_that_lets_nobody_in_fails(check: Check, redis_url: str) -> None:
    """A wrong password is said, not shown."""
    code, found = check("--redis-url", redis_url.replace(SECRET, "wrong"))
    assert code == 1
    assert "password" in found["redis"]["says"]


@pytest.mark.parametrize(
    ("config", "ok", "words"),
    [
        ({"appendfsync": "everysec"}, True, "set appendonly yes and appendfsync always"),
        ({"appendonly": "no"}, True, "durability memory"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, False, "set maxmemory-policy noeviction"),
    ],
)
def test_the_real_durability_is_told(
    check: Check,
    redis_url: str,
    config: dict[str, str],
    ok: bool,  # noqa: FBT001 - a table's column
    words: str,
) -> None:
    """A weaker promise is said with what would be right; a server that throws events away fails."""
    with redis.Redis.from_url(redis_url) as client:
        for name, value in config.items():
            client.config_set(name, value)
    code, found = check("--redis-url", redis_url)
    assert code == (0 if ok else 1)
    assert words in found["redis"]["says"]


@pytest.mark.parametrize(
    ("upstream", "ok", "words"),
    [
        (200, True, "answers in"),
        (401, True, "answers in"),
        (301, False, "sends us to https://elsewhere.example/api/event"),
        (502, False, "answers 502"),
    ],
    indirect=["upstream"],
)
def test_what_an_upstream_may_answer(
    check: Check,
    upstream: str,
    ok: bool,  # noqa: FBT001 - a table's column
    words: str,
) -> None:
    """Any answer below 500 that is no redirect shows that something answers."""
    code, found = check("--upstream", upstream)
    assert code == (0 if ok else 1)
    assert words in found["upstream"]["says"]


def test_a_running_up_is_found(check: Check, redis_url: str, upstream: str, tmp_path: Path) -> None:
    """Without names, what a living `relay up` wrote into its data folder is asked; a dead one's is not."""
    run = {"pid": os.getpid(), "redis_url": redis_url, "upstream": upstream, "door": "http://x", "sandbox": None}
    file = tmp_path / "data" / "run.json"
    file.parent.mkdir()
    file.write_text(json.dumps(run))
    code, found = check("--data", "data")
    assert code == 0
    assert "redis.sock answers" in found["redis"]["says"]
    assert f"{upstream} answers" in found["upstream"]["says"]
    gone = subprocess.Popen(["true"])
    gone.wait()
    file.write_text(json.dumps(run | {"pid": gone.pid}))
    assert "none is named or running" in check("--data", "data")[1]["redis"]["says"]
