"""The names by which the server knows scripts that it has loaded."""

from functools import cache
from hashlib import sha1


@cache
def sha(script: str) -> str:
    """What EVALSHA takes for the script."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()
