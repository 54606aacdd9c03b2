"""Who can get at what `relay up` keeps: its own user, and nobody else on the machine or the network."""

import stat
from pathlib import Path

from tests.up.rig import Rig


def modes(folder: Path) -> dict[str, int]:
    """What others than the owner may do with each thing in the folder."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.rglob("*")}


def test_the_server_is_its_users_alone(rig: Rig) -> None:
    """It listens on no port, its socket is mode 0700, and all it writes is closed to others, even in an open folder."""
    data = rig.folder / "data"
    data.mkdir(mode=0o755)
    up = rig.start().until_up()
    with up.redis() as server:
        server.xadd("relay:{0}:events", {"e": "x"})
        assert server.config_get("port")["port"] == "0"
        assert server.config_get("unixsocketperm")["unixsocketperm"] == "700"
    socket = data / "valkey.sock"
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    found = modes(data)
    assert any(name.endswith(".aof") for name in found), "the events are in one of these files"
    assert [name for name, others in found.items() if others] == []
    assert up.end() == 0
    assert [name for name, others in modes(data).items() if others] == []


def test_a_new_data_folder_is_closed(rig: Rig) -> None:
    """A folder that `relay up` makes is mode 0700, so that not even its names are seen."""
    up = rig.start().until_up()
    assert stat.S_IMODE(up.data.stat().st_mode) == 0o700
    assert up.end() == 0
