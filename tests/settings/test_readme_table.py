"""The README's table of settings says what the model says. Run this file to print the table.

It stands between `<!-- settings -->` and `<!-- /settings -->`.
"""

from pathlib import Path

from relay.settings import Settings, listing

OPENS, CLOSES = "<!-- settings -->", "<!-- /settings -->"


def table() -> str:
    """Write the table: variable, default with its unit, meaning."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for row in listing():
        has_default = Settings.model_fields[row.name].default not in (None, ())
        default = f"`{row.default}`" if has_default else row.default
        unit = f" {row.shape.unit}" if has_default and row.shape.unit else ""
        rows.append(f"| `{row.variable}` | {default}{unit} | {row.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    """What a reader of the README learns of the settings is what the relay does."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert OPENS in readme
    assert CLOSES in readme
    assert readme.partition(OPENS)[2].partition(CLOSES)[0].strip() == table()


if __name__ == "__main__":
    print(table())  # noqa: T201 - what it is run for
