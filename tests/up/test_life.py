"""A whole life of `relay up`: start, death of a child or of itself, end. Real processes, real signals."""

import json
import os
import shlex
import signal
import stat
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from relay.up.server_binary import find_server
from tests.up.rig import Rig, lives, wait_for


def test_start(rig: Rig) -> None:
    """One command starts everything, says where it is, and ends with a line to copy."""
    up = rig.start(RELAY_SITES="shop.example,example.org").until_up()
    run = up.run()
    *_, curl = up.greeting().splitlines()
    words = shlex.split(curl)
    assert words[:3] == ["curl", "-i", f"{run.door}/api/event"]
    assert json.loads(words[-1])["domain"] == "shop.example"
    assert run.sandbox is not None
    assert f"{run.sandbox}/" in up.greeting()
    with urlopen(f"{run.door}/health/live") as answer:
        assert answer.status == 200
    assert {note["role"] for note in up.children()} == {"sandbox", "serve", "work"}


def test_what_the_server_promises(rig: Rig) -> None:
    """The embedded server writes every event to disk before it answers, and is reached by its user only."""
    up = rig.start().until_up()
    with up.redis() as client:
        told = client.config_get(
            "appendonly", "appendfsync", "maxmemory-policy", "save", "port", "no-appendfsync-on-rewrite"
        )
    assert told == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
        "no-appendfsync-on-rewrite": "no",
    }
    private = [
        up.data,
        up.data / "valkey.sock",
        up.data / "run.json",
        up.data / "valkey.log",
        up.data / "appendonlydir",
    ]
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in private] == [0] * len(private)


def test_settings_reach_the_children(rig: Rig) -> None:
    """Every setting reaches the children by the environment, resolved; nothing secret stands in a command line."""
    config = rig.folder / "relay.toml"
    config.write_text('retry_base_s = 2.5\nsites = ["shop.example"]\n')
    secret = rig.folder / "upstream"
    secret.write_text("http://127.0.0.1:9/plausible\n")
    up = rig.start(RELAY_CONFIG=str(config), RELAY_UPSTREAM_FILE=str(secret), RELAY_PARTITIONS="3").until_up()
    assert {note["role"] for note in up.children()} == {"serve", "work"}  # an upstream of one's own: no sandbox
    for note in up.children():
        environ = {name: text for name, text in note["environ"].items() if name.startswith("RELAY_")}
        assert environ["RELAY_REDIS_URL"] == up.run().redis_url
        assert environ["RELAY_UPSTREAM"] == "http://127.0.0.1:9/plausible"
        assert environ["RELAY_LISTEN"] == up.run().door.removeprefix("http://")
        assert (environ["RELAY_RETRY_BASE_S"], environ["RELAY_SITES"], environ["RELAY_PARTITIONS"]) == (
            "2.5",
            "shop.example",
            "3",
        )
        assert not {"RELAY_CONFIG", "RELAY_UPSTREAM_FILE"} & environ.keys()
        assert "redis" not in " ".join(note["argv"])


def test_clean_end(rig: Rig) -> None:
    """SIGTERM ends everything in order, with exit code 0, and leaves the folder free."""
    up = rig.start().until_up()
    server = up.server_pid()
    assert up.end(signal.SIGTERM) == 0
    *first, last = (up.notes / "ends").read_text().split()
    assert (sorted(first), last) == (["serve", "work"], "sandbox")
    assert not up.children()
    assert not lives(server)
    assert "bye bye" in (up.data / "valkey.log").read_text()
    assert not (up.data / "run.json").exists()
    assert not (up.data / "valkey.sock").exists()


def test_data_outlives_a_kill(rig: Rig) -> None:
    """A killed supervisor leaves no process behind, and a new one finds every event on the same folder and port."""
    up = rig.start().until_up()
    listen = up.run().door.removeprefix("http://")
    with up.redis() as client:
        for number in range(3):
            client.xadd(f"relay:{{{number}}}:events", {"e": "an event"})
    pids = [up.server_pid(), *(note["pid"] for note in up.children())]
    up.process.kill()
    again = rig.start(RELAY_LISTEN=listen).until_up()
    wait_for("no process of the killed one", lambda: not any(lives(pid) for pid in pids))
    assert "3 events from before" in again.greeting()
    assert again.run().door == f"http://{listen}"
    assert again.end() == 0


@pytest.mark.parametrize("role", ["serve", "work", "sandbox"])
def test_child_comes_back(rig: Rig, role: str) -> None:
    """A process that dies is started again, and the log says which and how it ended; the others do not notice."""
    up = rig.start().until_up()
    others = sorted(note["pid"] for note in up.children() if note["role"] != role)
    dead = up.child(role)
    os.kill(dead, signal.SIGKILL)
    wait_for(f"another {role}", lambda: up.children(role) and up.child(role) != dead)
    assert "ended with signal SIGKILL after" in up.said()
    assert sorted(note["pid"] for note in up.children() if note["role"] != role) == others


def test_server_comes_back(rig: Rig) -> None:
    """A server that dies is started again on the same socket, with everything that it had answered for."""
    up = rig.start().until_up()
    with up.redis() as client:
        client.set("kept", "yes")
    others = sorted(note["pid"] for note in up.children())
    dead = up.server_pid()
    os.kill(dead, signal.SIGKILL)
    wait_for("the server's new start", lambda: "↻ server started again" in up.said())
    wait_for("the key", lambda: _value(up.run().redis_url, "kept") == "yes")
    assert sorted(note["pid"] for note in up.children()) == others
    assert up.end() == 0


def test_second_ctrl_c_hurries(rig: Rig) -> None:
    """A second Ctrl-C does not wait for a worker that does not end, and the exit code says that one was killed."""
    up = rig.start(STAND_IN_WORK="deaf").until_up()
    server = up.server_pid()
    worker = up.child("work")
    up.process.send_signal(signal.SIGINT)
    wait_for("the door's end", lambda: "← door ended" in up.said())
    wait_for("hurry", lambda: "hurrying" in up.said() or _press(up.process))
    assert up.exit_code() == 1
    assert "worker did not end within 3 s, killing it" in up.said()
    assert not lives(worker)
    assert not lives(server)


def test_signal_while_starting(rig: Rig) -> None:
    """A signal before everything serves ends what has been started, too."""
    up = rig.start()
    wait_for("the first process", lambda: "started as process" in up.said())
    assert up.end(signal.SIGINT) == 0
    assert not up.children()
    assert not (up.data / "run.json").exists()


def test_redis_of_ones_own(rig: Rig) -> None:
    """With a Redis named no server is started, and run.json says which it is, for the other commands."""
    other = rig.start().until_up()
    data = rig.folder / "second"
    up = rig.start(RELAY_REDIS_URL=other.run().redis_url, RELAY_DATA=str(data)).until_up()
    assert up.run().redis_url == other.run().redis_url
    assert not (data / "valkey.log").exists()
    assert up.end() == 0
    assert lives(other.server_pid())


def test_run_json_of_another_is_left_alone(rig: Rig) -> None:
    """With a Redis of one's own a second one may use the same folder, but it does not hide the first."""
    first = rig.start().until_up()
    second = rig.start(RELAY_REDIS_URL=first.run().redis_url).until_up()
    assert first.run().pid == first.process.pid
    assert "describes process" in second.said()
    assert second.end() == 0
    assert first.run().pid == first.process.pid


def test_long_data_path(rig: Rig) -> None:
    """A data folder too deep for a unix socket works all the same; the socket's own folder goes with the end."""
    deep = rig.folder.joinpath(*["a folder with a long name"] * 4)
    up = rig.start(RELAY_DATA=str(deep)).until_up()
    with up.redis() as client:
        socket = Path(client.config_get("unixsocket")["unixsocket"])
        assert client.ping()
    assert socket.parent != deep
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert up.end() == 0
    assert not socket.parent.exists()


def test_long_load(rig: Rig) -> None:
    """A server that reads much data back is waited for, with its progress told, and only then the others start."""
    first = rig.start().until_up()
    with first.redis() as client, client.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"key {number}", os.urandom(2000).hex())
        pipeline.execute()
        client.bgrewriteaof()
        wait_for("the snapshot", lambda: client.info("persistence")["aof_base_size"] > 1_000_000)
    assert first.end() == 0
    real = find_server().path
    slow = rig.folder / "bin" / "valkey-server"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {real} "$1"\nexec {real} "$@" --key-load-delay 1000\n')
    slow.chmod(0o755)
    up = rig.start(PATH=f"{slow.parent}:{os.environ['PATH']}").until_up()
    progress, others = up.said().index("reading its data back"), up.said().index("worker started")
    assert progress < others
    with up.redis() as client:
        assert client.dbsize() == 5000


def _value(redis_url: str, key: str) -> str | None:
    try:
        with redis.Redis.from_url(redis_url, socket_timeout=5, decode_responses=True) as client:
            return str(client.get(key))
    except redis.RedisError:
        return None


def _press(process: subprocess.Popen[bytes]) -> bool:
    """Press Ctrl-C again; False, as pressing alone is not yet what is waited for."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    return False
