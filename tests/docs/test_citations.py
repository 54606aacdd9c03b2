"""What the sources cite can be looked up: every document and every section that a comment names is in the repository.

Only that it is there; whether it really says so is for whoever reads both.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs" / "plausible.md"
FOLDERS = ("relay", "workers", "tests", "load", "clients/tests", "config", "docs")
KINDS = {".py", ".toml", ".conf", ".md", ".html", ".js", ".css"}
CLIENTS = sorted((ROOT / "clients").glob("*.[pm]*"))  # and not its node_modules
BESIDE = ("README.md", "CHANGELOG.md", "compose.yaml", "Dockerfile", "Makefile", "pyproject.toml")

PATHS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in KINDS]
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for path in [*PATHS, *(ROOT / name for name in BESIDE), *CLIENTS]
    if path != Path(__file__)  # which has to spell out what is wrong
}


def breaches(pattern: str) -> dict[str, list[str]]:
    """What the pattern finds, by the file that has it."""
    found = {path: re.findall(pattern, text, re.IGNORECASE) for path, text in TEXTS.items()}
    return {path.relative_to(ROOT).as_posix(): cited for path, cited in found.items() if cited}


def test_every_cited_section_exists() -> None:
    """Whatever number follows `contract section`, docs/plausible.md has a heading with it."""
    headings = re.findall(r"^## (\d+)\. ", TEXTS[CONTRACT], re.MULTILINE)
    cited = {number for numbers in breaches(r"contract section (\d+)").values() for number in numbers}
    assert cited
    assert cited <= set(headings)
    assert headings == [str(n) for n in range(1, 10)]


def test_sections_are_cited_in_one_way() -> None:
    """`contract section N` and no other spelling, so that a search finds every citation."""
    otherwise = breaches(r"(?:^|\S+\s+)(?:§+\s*\d+|(?<!contract )section \d+)")
    otherwise.pop("docs/plausible.md", None)  # it may point to its own sections
    assert otherwise == {}


def test_every_cited_document_exists() -> None:
    """A document is cited by its path in the repository, or in a document by its path from there."""
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in TEXTS.items()
        for name in re.findall(r"(?<![\w/.-])((?:\.\./)*[\w/-]+\.md)\b", text)
        if not ((ROOT / name).is_file() or (path.parent / name).is_file())
    ]
    assert missing == []


def test_nothing_cites_a_design() -> None:
    """There is no document of that name: what is promised, and why it is built so, stands in docs."""
    assert breaches(r"\bthe design\b|\bdesign(?:'s|,? section)") == {}
