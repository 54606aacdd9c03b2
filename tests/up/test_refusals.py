"""What `relay up` refuses, before it starts anything, and how it says so."""

import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from relay.queue import keys
from relay.settings import Address, Settings
from relay.up.everything import sandbox_address
from relay.up.ports import AddressTakenError
from tests.up.rig import Rig, lives


@pytest.fixture
def taken() -> Iterator[Address]:
    """An address where somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Address("127.0.0.1", listener.getsockname()[1])


def test_folder_in_use(rig: Rig) -> None:
    """A second one on the same folder is refused at once, and told which process has it and what to do."""
    first = rig.start().until_up()
    second = rig.start()
    assert second.exit_code() == 1
    assert f"data folder {first.data} is in use" in second.said()
    assert f"process {first.process.pid}" in second.said()
    assert "RELAY_DATA" in second.said()
    assert "Traceback" not in second.said()
    assert first.run().pid == first.process.pid
    assert lives(first.server_pid())
    assert first.end() == 0


def test_door_taken(rig: Rig, taken: Address) -> None:
    """A taken door is refused before anything is started; the message names the address and the setting."""
    up = rig.start(RELAY_LISTEN=str(taken))
    assert up.exit_code() == 1
    assert f"The door cannot listen on {taken}: another process does." in up.said()
    assert "RELAY_LISTEN=" in up.said()
    assert "started" not in up.said()
    assert not (up.data / "run.json").exists()


def test_chosen_sandbox_taken(rig: Rig, taken: Address) -> None:
    """A sandbox address that was chosen and is taken is refused."""
    up = rig.start(RELAY_SANDBOX_LISTEN=str(taken))
    assert up.exit_code() == 1
    assert f"The sandbox cannot listen on {taken}" in up.said()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_one_port_for_door_and_sandbox(rig: Rig, host: str) -> None:
    """Two settings that exclude each other are both named: no other process is to blame, whatever the port's hosts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    up = rig.start(RELAY_LISTEN=f"127.0.0.1:{port}", RELAY_SANDBOX_LISTEN=f"{host}:{port}")
    assert up.exit_code() == 2
    assert f"RELAY_LISTEN=127.0.0.1:{port} and RELAY_SANDBOX_LISTEN={host}:{port} are settings of" in up.said()
    assert "another process" not in up.said()
    assert not up.data.exists()


def test_default_sandbox_taken(taken: Address, capsys: pytest.CaptureFixture[str]) -> None:
    """A default sandbox address that is taken, or the door's, moves to a free port and says so."""
    by_default = Settings.model_construct(_fields_set=set(), sandbox_listen=taken)
    elsewhere = sandbox_address(by_default, Address("127.0.0.1", 1), grace_s=0)
    assert elsewhere.host == taken.host
    assert elsewhere.port not in {0, taken.port}
    assert f"{taken} is taken, the sandbox listens on {elsewhere} instead" in capsys.readouterr().err
    chosen = Settings(sandbox_listen=Address("127.0.0.1", 8001))
    with pytest.raises(AddressTakenError):
        sandbox_address(chosen, Address("127.0.0.1", 8001), grace_s=0)


def test_refused_settings_end_everything(rig: Rig) -> None:
    """A process that refuses its settings is not started again: everything ends, with its message and exit code 2."""
    up = rig.start(STAND_IN_SERVE="refuses")
    assert up.exit_code() == 2
    assert "stand-in: these settings will not do" in up.said()
    assert "The door refuses its configuration" in up.said()
    assert not up.children()


def test_another_number_of_partitions(rig: Rig) -> None:
    """It is refused before a door or a worker starts, and each step of the way out that is told works."""
    first = rig.start(RELAY_PARTITIONS="8").until_up()
    with first.redis() as client:
        client.hset(keys.FORM, "partitions", "8")  # as the first door does
    assert first.end() == 0
    refused = rig.start(RELAY_PARTITIONS="4")
    assert refused.exit_code() == 2
    assert "kept in 8 partitions, and RELAY_PARTITIONS is 4.\nGo on with RELAY_PARTITIONS=8." in refused.said()
    assert f"move {first.data} away" in refused.said()
    assert not list(refused.notes.iterdir()), "no door, worker or sandbox was started"
    again = rig.start(RELAY_PARTITIONS="8").until_up()
    assert again.end() == 0
    first.data.rename(first.data.with_name("away"))
    assert rig.start(RELAY_PARTITIONS="4").until_up().end() == 0


def test_another_number_of_partitions_on_a_redis_of_ones_own(rig: Rig) -> None:
    """There the way out is to delete the key, since no folder holds the data."""
    other = rig.start().until_up()
    with other.redis() as client:
        client.hset(keys.FORM, "partitions", "8")
    environ = {"RELAY_REDIS_URL": other.run().redis_url, "RELAY_PARTITIONS": "4"}
    refused = rig.start(RELAY_DATA=str(rig.folder / "second"), **environ)
    assert refused.exit_code() == 2
    assert f"redis-cli DEL {keys.FORM}" in refused.said()
    assert "move" not in refused.said()
    with other.redis() as client:
        client.delete(keys.FORM)
    assert rig.start(RELAY_DATA=str(rig.folder / "second"), **environ).until_up().end() == 0


def test_damaged_log(rig: Rig) -> None:
    """A log that the server cannot read stops the start, nothing is deleted, and the advice given does mend it."""
    up = rig.start().until_up()
    with up.redis() as client:
        for number in range(100):
            client.rpush("list", number)
    assert up.end() == 0
    part = up.data / "appendonlydir" / "appendonly.aof.1.incr.aof"
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 20] = b"?" * 20
    part.write_bytes(damaged)

    refused = rig.start()
    assert refused.exit_code() == 1
    assert "append-only log is damaged" in refused.said()
    assert part.read_bytes() == damaged
    [advice] = [line for line in refused.said().splitlines() if "--fix" in line and "exec -a" in line]
    subprocess.run(shlex.split(advice), input=b"y\n", check=True, capture_output=True)
    mended = rig.start().until_up()
    with mended.redis() as client:
        assert client.lrange("list", 0, -1) == [str(number) for number in range(client.llen("list"))]
        assert 0 < client.llen("list") < 100


@pytest.mark.parametrize(
    ("file", "content", "advice"),
    [
        ("appendonly.aof.1.base.rdb", b"REDIS0099", "written by another or newer server"),
        ("appendonly.aof.1.base.rdb", b"REDIS0009 cut of", "append-only log is damaged"),
        ("appendonly.aof.manifest", b"nonsense\n", "append-only log is damaged"),
    ],
)
def test_unreadable_data(rig: Rig, file: str, content: bytes, advice: str) -> None:
    """Whatever else the server cannot read is told apart, with the server's own last lines."""
    up = rig.start().until_up()
    assert up.end(signal.SIGTERM) == 0
    (up.data / "appendonlydir" / file).write_bytes(content)
    refused = rig.start()
    assert refused.exit_code() == 1
    assert advice in refused.said()
    assert "Its last log lines" in refused.said()
    assert (up.data / "appendonlydir" / file).read_bytes() == content
