"""`relay check` against a real Redis and a real HTTP server, through real processes."""

import json
import os
import re
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

from relay.queue import keys
from relay.up.server_binary import find_server
from tests.cli.shell import relay

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
    ("config", "words"),
    [
        ({"appendfsync": "no"}, "durability no; durability is 'no'"),
        ({"appendonly": "no"}, "set appendonly yes and appendfsync always"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, "set maxmemory-policy noeviction"),
    ],
)
def test_the_real_durability_is_told(
    check: Check,
    redis_url: str,
    config: dict[str, str],
    words: str,
) -> None:
    """A server that would lose or throw away acknowledged events fails, with what would be right."""
    with redis.Redis.from_url(redis_url) as client:
        for name, value in config.items():
            client.config_set(name, value)
    code, found = check("--redis-url", redis_url)
    assert code == 1
    assert words in found["redis"]["says"]


def test_a_weaker_durability_is_a_warning(check: Check, redis_url: str) -> None:
    """A server that can lose two seconds, or that does not tell, can be used, but not without a word."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("appendfsync", "everysec")
        code, found = check("--redis-url", redis_url)
        assert code == 0
        (warning,) = found["redis"]["warnings"]
        assert warning.startswith("durability is 'everysec'")
        assert warning.endswith("set appendonly yes and appendfsync always")
        client.acl_setuser("default", enabled=True, commands=["-config"], passwords=[f"+{SECRET}"])
        code, found = check("--redis-url", redis_url)
    assert code == 0
    assert found["redis"]["warnings"][0].startswith("durability is 'unknown'")


def test_warnings_are_seen_in_the_text_too(redis_url: str, tmp_path: Path) -> None:
    """What is weaker than promised stands on a line of its own."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("appendfsync", "everysec")
    done = relay("check", "--redis-url", redis_url, cwd=tmp_path)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.lstrip().startswith("! durability is 'everysec'")]


def test_another_number_of_partitions_fails(check: Check, redis_url: str) -> None:
    """A data set that `serve` and `work` would refuse is told before they start, and nothing is written."""
    with redis.Redis.from_url(redis_url) as client:
        assert check("--redis-url", redis_url, "--partitions", "4")[0] == 0
        assert client.dbsize() == 0
        client.hset(keys.FORM, "partitions", "8")
    code, found = check("--redis-url", redis_url, "--partitions", "4")
    assert code == 1
    assert "was begun with 8 partitions, and RELAY_PARTITIONS is 4" in found["redis"]["says"]
    assert "RELAY_PARTITIONS=8" in found["redis"]["says"]
    assert check("--redis-url", redis_url)[0] == 0


def test_a_door_is_no_plausible(check: Check, redis_url: str, tmp_path: Path) -> None:
    """A door as the upstream would send every event round in a circle, so it is recognised and refused."""
    environ = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "RELAY_REDIS_URL": redis_url,
        "RELAY_LISTEN": "127.0.0.1:0",
        "RELAY_UPSTREAM": f"http://{NOWHERE}",
        "RELAY_SITES": "*",
        "RELAY_LOG_FORMAT": "text",
    }
    command = [sys.executable, "-m", "relay", "serve"]
    with subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as door:
        try:
            assert door.stderr is not None
            url = next(named[0] for line in door.stderr if (named := re.search(r"http://127.0.0.1:\d+", line)))
            code, found = check("--upstream", url)
        finally:
            door.terminate()
    assert code == 1
    assert "events would go round in a circle" in found["upstream"]["says"]


@pytest.mark.parametrize(
    ("upstream", "ok", "words"),
    [
        (200, True, "answers in"),
        (401, False, "answers 401, something before Plausible asks who we are; right would be to let POST /api/event"),
        (403, False, "answers 403"),
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
    """An answer below 500 shows that something answers, but not one that sends us away."""
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
    assert f"{upstream} answers" in check("--data", "data", "--redis-url", redis_url)[1]["upstream"]["says"]
    other = check("--data", "data", "--redis-url", f"redis://{NOWHERE}")[1]["upstream"]["says"]
    assert other.startswith("none is named"), "a relay on another Redis has nothing to do with this one"
    gone = subprocess.Popen(["true"])
    gone.wait()
    file.write_text(json.dumps(run | {"pid": gone.pid}))
    assert "none is named or running" in check("--data", "data")[1]["redis"]["says"]


@pytest.mark.parametrize("data", ["file", "file/below"])
def test_a_file_is_no_data_folder(check: Check, data: str, tmp_path: Path) -> None:
    """What `relay up` would refuse is told before, with what would be right."""
    (tmp_path / "file").touch()
    code, found = check("--data", data)
    assert code == 1
    assert found["redis"]["says"] == (
        f"{data} cannot be the data folder: file is a file; right would be a folder in RELAY_DATA"
    )
