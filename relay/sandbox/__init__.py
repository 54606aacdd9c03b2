"""A stand-in for Plausible on this machine: for trying the relay, for showing it, and for the tests of the project.

It answers `POST /api/event` as Plausible does, keeps what it received, and can be told to fail. Nothing leaves it.

- `serve.py`: starts and stops it. `app.py`: its routes and the way of one event through it.
- `ingest.py`: how Plausible reads a request: body, address, drops. `answers.py`: how it answers.
- `record.py`: what arrived, kept in memory. `faults.py`: the trouble it was told to make.
- `script.py`: the script at `/js/…`, in the place of Plausible's: `script.js`.
- `control.py`: `/events`, `/faults` and the page. `page/`: the page itself, put together by `page/__init__.py`.

It shows IPs and bodies on purpose, so it belongs on loopback.
"""

from relay.sandbox.app import build_sandbox
from relay.sandbox.serve import open_sandbox, serve_sandbox

__all__ = ["build_sandbox", "open_sandbox", "serve_sandbox"]
