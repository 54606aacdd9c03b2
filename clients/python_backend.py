"""A backend that uses plausible-events as docs/clients.md says: `python python_backend.py CODE ADDRESS`.

Run by `clients/.venv`. The package asks api.ipify.org for the machine's public address; a test asks nobody, so that one
answer, ADDRESS, is given here.
"""

import sys

from plausible_events import PlausibleEvents


def public_address(_: PlausibleEvents) -> str:
    """What api.ipify.org would say."""
    return sys.argv[2]


if __name__ == "__main__":
    PlausibleEvents._get_ip = public_address  # noqa: SLF001 - see above
    exec(compile(sys.argv[1], "docs/clients.md", "exec"))
