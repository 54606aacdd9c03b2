"""Certificates of an authority of our own, good and expired, and the server's side of TLS that shows one of them."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Final

KEY: Final = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
HOST: Final = "IP:127.0.0.1"
OPENSSL: Final = which("openssl")
"""The program that makes them; without it there is no TLS."""


@dataclass(slots=True)
class Certificates:
    """Those that were made in `folder`. `authority` is what a client has to trust."""

    folder: Path
    context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._make()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show("good")

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    def show(self, name: str) -> None:
        """Show this one (`good` or `expired`) to whoever connects from now on."""
        self.context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}-key.pem")

    def _make(self) -> None:
        self._openssl(f"req -x509 {KEY} -days 2 -subj /CN=ours -keyout ca-key.pem -out ca.pem")
        for name, days in (("good", 2), ("expired", -1)):
            wanted = f"-subj /CN={name} -addext subjectAltName={HOST}"
            self._openssl(f"req -new {KEY} {wanted} -keyout {name}-key.pem -out {name}.csr")
            signed = "-CA ca.pem -CAkey ca-key.pem -CAcreateserial -copy_extensions copy"
            self._openssl(f"x509 -req -in {name}.csr {signed} -days {days} -out {name}.pem")

    def _openssl(self, words: str) -> None:
        assert OPENSSL is not None
        subprocess.run([OPENSSL, *words.split()], cwd=self.folder, check=True, capture_output=True)
