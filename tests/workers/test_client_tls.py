"""TLS that a client must not trust: certificates for another host, out of date, or of an authority nobody knows.

Not one byte of an event goes to a server that can't show who it is.
"""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from relay.rules.judge import NoAnswer, Trouble
from tests.workers.test_client_connections import server_tls
from tests.workers.wire import DELIVERED, EVENT, answering, post, serving
from workers.client import Client

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def openssl(folder: Path, words: str) -> None:
    """Run it in that folder."""
    program = which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subprocess.run([program, *words.split()], cwd=folder, check=True, capture_output=True)


def issue(authority: Path, name: str, *, host: str, days: int) -> Path:
    """A folder with a certificate of that authority for the host, good from now on for so many days, and its key."""
    folder = authority / name
    folder.mkdir()
    openssl(folder, f"req -new {KEY} -subj /CN={host} -addext subjectAltName={host} -keyout key.pem -out request.pem")
    signed = "-CA ../ca.pem -CAkey ../ca-key.pem -CAcreateserial -copy_extensions copy"
    openssl(folder, f"x509 -req -in request.pem {signed} -days {days} -out certificate.pem")
    return folder


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an authority of our own and three certificates of it."""
    folder = tmp_path_factory.mktemp("authority")
    openssl(folder, f"req -x509 {KEY} -days 2 -subj /CN=ours -keyout ca-key.pem -out ca.pem")
    issue(folder, "good", host="IP:127.0.0.1", days=2)
    issue(folder, "another", host="DNS:plausible.io", days=2)
    issue(folder, "expired", host="IP:127.0.0.1", days=-1)
    return folder


@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("another", True, "TLS: IP address mismatch"),
        ("expired", True, "TLS: certificate has expired"),
        ("good", False, "TLS: unable to get local issuer certificate"),
    ],
    ids=["another host", "expired", "unknown authority"],
)
async def test_who_cannot_show_who_he_is_gets_nothing(
    authority: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str, *, trusted: bool
) -> None:
    """Each is UNREACHABLE, which no event dies of, with words that tell the operator what to mend."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    async with serving(answering, tls=server_tls(authority / name)) as wire:
        answer = await post(Client(wire.url, 5.0, 5.0), EVENT)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.UNREACHABLE
    assert answer.detail.startswith(words)
    assert wire.requests == []


async def test_the_authority_is_enough(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same authority a certificate for the right host at the right time is taken."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    async with serving(answering, tls=server_tls(authority / "good")) as wire:
        client = Client(wire.url, 5.0, 5.0)
        assert await post(client, EVENT) == DELIVERED
        client.close()
