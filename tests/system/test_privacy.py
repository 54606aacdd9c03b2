"""Nothing of a person comes out anywhere: telling events through every fate, then a look at all that was written."""

import json
import signal
from base64 import b64encode
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.http.door import connection
from tests.system.rig import Relay, event, until

IPS: Final = ("203.0.113.77", "2001:db8:77::5e")
AGENT: Final = "Sentinel-Agent/77.1 (Käfer)"
KEY: Final = "operators-sentinel-key"
SECRET: Final = "s3nt1nel"  # in bodies, cookies and whatever else a browser sends
TELLING: Final = (*IPS, AGENT.rpartition(" ")[0], KEY, SECRET, b64encode(f"x:{SECRET}".encode()).decode().rstrip("="))


async def sent(relay: Relay, name: str, *, ip: str = IPS[0], agent: str = AGENT, **more: object) -> int:
    """Post an event that is full of what must not spread; the status."""
    body = event(name, props={"mail": f"{SECRET}@example.org"}, url=f"https://example.com/?t={SECRET}", **more)
    return await relay.post(
        body,
        X_Forwarded_For=ip,
        User_Agent=agent,
        Cookie=f"session={SECRET}",
        Authorization=f"Bearer {KEY}",
        Proxy_Authorization="Basic " + b64encode(f"x:{SECRET}".encode()).decode(),
        Referer=f"https://{SECRET}.example/",
        X_Api_Key=SECRET,
    )


async def refusals(relay: Relay) -> None:
    """What the door refuses, and what is no HTTP at all."""
    assert await sent(relay, "", domain=f"{SECRET}.example", revenue={"amount": SECRET, "currency": SECRET}) == 400
    assert await relay.post(f"no json, {SECRET}".encode(), User_Agent=AGENT, X_Forwarded_For=IPS[1]) == 400
    assert await relay.post(SECRET.encode() * 130_000, User_Agent=AGENT, X_Forwarded_For=IPS[1]) == 413
    port = urlsplit(relay.door).port
    assert port is not None
    head = f"POST /api/event?{SECRET} HTTP/1.1\r\nHost: x\r\nUser-Agent: {AGENT}\r\nX-Forwarded-For: {IPS[1]}\r\n"
    for broken in (f"X-\0: {SECRET}\r\n\r\n", f"{SECRET}\r\n\r\n", "Content-Length: x\r\n\r\n", f"X: {SECRET * 5_000}"):
        async with await connection(port) as socket:
            await socket.send((head + broken).encode())
            assert (await socket.answer()).status == 400
    async with await connection(port) as socket:  # and one that goes away in its middle
        await socket.send(f"{head}Content-Length: 100\r\n\r\n{SECRET}".encode())


async def every_fate(relay: Relay) -> None:
    """Delivered, dropped, refused, retried, parked, dead."""
    before = relay.ledger()
    await relay.faults(
        {"status": 400, "match": {"name": "refused"}},
        {"status": 503, "match": {"name": "retried"}, "count": 2},
        {"reset": "after", "match": {"name": "Sale"}},
    )
    for ip in IPS:
        for name in ("fine", "refused", "retried"):
            assert await sent(relay, name, ip=ip) == 202
        assert await sent(relay, "dropped", ip=ip, agent=f"Googlebot/2.1 {AGENT}") == 202
        assert await sent(relay, "Sale", ip=ip, revenue={"amount": "9.99", "currency": "EUR"}) == 202
    await refusals(relay)
    await relay.settled(accepted=before["accepted"] + 10, dead=before["dead"] + 4, dropped=before["dropped"] + 2,
                        pending=0)  # fmt: skip


async def every_kill(relay: Relay) -> None:
    """Under way while each process dies and comes back."""
    await relay.faults({"delay_s": 0.5, "match": {"name": "killed"}})
    for role in ("work", "serve", "valkey"):
        assert await sent(relay, "killed") == 202
        await relay.killed(role)
        await until("a door that takes events", lambda: accepts(relay))


async def accepts(relay: Relay) -> bool:
    """Whether the door takes an event now; each try is one that must not be told of."""
    try:
        return await sent(relay, "killed") == 202
    except OSError:
        return False


async def told(relay: Relay) -> dict[str, str]:
    """All that the relay writes and answers: its output, its files but for the events', pages and commands."""
    found = {"output": relay.said()}
    files = (path for path in (relay.folder / "data").iterdir() if path.is_file())  # events are in a folder below
    found |= {path.name: path.read_text("latin-1") for path in files}
    for path in ("/metrics", "/health/ready", "/health/live"):
        async with relay.http.get(relay.door + path, headers={"Authorization": f"Bearer {KEY}"}) as answer:
            assert answer.status == 200
            found[path] = await answer.text()
    for words in ("status", "status --json", "status --by site", "dead list", "dead list --json", "audit", "check"):
        done = relay.command(*words.split())
        assert done.returncode == 0, done.stderr
        found[words] = done.stdout + done.stderr
    return found | {"command lines": command_lines(relay)}


def command_lines(relay: Relay) -> str:
    """How its processes were called, as everybody on the machine can see."""
    pids = [relay.process.pid, *(relay.child(role) for role in ("work", "serve", "valkey", "sandbox"))]
    return "\n".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)


async def test_nobody_is_told_of(tmp_path: Path) -> None:
    """No address, agent, body, cookie or key is in any log line, file, page or command, in both log formats."""
    relay = Relay(tmp_path, {"RELAY_ADMIN_KEY": KEY, "RELAY_LOG_LEVEL": "debug", "RELAY_SITES": "example.com"})
    relay.environ["RELAY_LOG_FORMAT"] = "text"
    async with relay:
        await every_fate(relay)
        await every_kill(relay)
        relay.stop(signal.SIGKILL)
        relay.environ["RELAY_LOG_FORMAT"] = "json"
        await relay.start()
        await relay.settled(pending=0)
        await every_fate(relay)
        found = await told(relay)
        shown = relay.command("dead", "export")
    assert all(text in shown.stdout for text in (*IPS, SECRET)), "what is looked for does exist"
    assert json.loads(found["status --json"])["ledger"]["dead"] == 8
    assert " door: " in found["output"], "text lines"
    assert '"process": "worker"' in found["output"], "and JSON lines"
    assert '"level": "debug"' in found["output"], "down to the debug level"
    assert [(place, text) for place, written in found.items() for text in TELLING if text in written] == []
