"""Lines of a log as the tests of replay need them."""

import time

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def clf(path: str = "/", at_s: float | None = None, visitor: int = 1, status: int = 200, agent: str = AGENT) -> str:
    """A line of a combined log."""
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() if at_s is None else at_s))
    ip = f"203.0.{visitor // 250}.{visitor % 250 + 1}"
    return f'{ip} - - [{at}] "GET {path} HTTP/1.1" {status} 12 "https://ref.example/" "{agent}"\n'
