"""What the tests of `relay up` share: a rig that starts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.up.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Start `relay up` as often as the test wants; nothing of it outlives the test."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()
