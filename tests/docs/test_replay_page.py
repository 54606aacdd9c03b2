"""docs/replay.md can be typed along: its files and commands give what it shows, and its tables name what there is."""

import re
import shlex
from pathlib import Path

from relay.replay.formats import FORMATS
from relay.replay.outcomes import LeftOut, Reason
from tests.cli.shell import relay

PAGE = (Path(__file__).parents[2] / "docs/replay.md").read_text(encoding="utf-8")
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```\n", re.DOTALL)
_RUN = re.compile(r"<!-- run -->\n```\n\$ relay (.*?)\n(.*?)```\n", re.DOTALL)


def test_the_page_can_be_typed_along(tmp_path: Path) -> None:
    """Each command prints what stands under it, to the last space."""
    for name, text in _FILE.findall(PAGE):
        (tmp_path / name).write_text(text)
    shown = _RUN.findall(PAGE)
    assert len(shown) == 3
    for command, output in shown:
        done = relay(*shlex.split(command), cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, output, ""), command


def test_the_tables_are_whole() -> None:
    """Every format and every reason has its row, and no row is made up."""
    rows = re.findall(r"^\| ((?:`[a-z_0-9]+`(?:, )?)+)(?: and a name)? \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)}
    assert named == {*FORMATS, *LeftOut, *Reason}
