"""`relay check`: the settings, and whether Redis and Plausible answer. The asking is done in probes.py."""

import asyncio
import json
from dataclasses import asdict

import click

from relay.cli.options import settings_options
from relay.cli.probes import Finding, ask_redis, ask_upstream
from relay.settings import Settings, missing, variable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@settings_options()
@click.pass_context
def check(ctx: click.Context, settings: Settings, *, as_json: bool) -> None:
    """Check the settings, and whether Redis and Plausible answer and fit.

    Exit code 0: all is well, but for what lines with ! say; 1: something does not answer or does not fit; 2: the
    settings cannot be used.
    """
    findings = [_settings(settings), *asyncio.run(_ask(settings))]
    well = all(finding.ok for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.name:<9} {'ok' if finding.ok else 'FAILED':<7} {finding.says}")
            for warning in finding.warnings:
                click.echo(f"{'':<9} {'':<7} ! {warning}")
    ctx.exit(0 if well else 1)


def _settings(settings: Settings) -> Finding:
    """Loading them was the check; what `serve` and `work` would still need is told."""
    lacking = [variable(name) for name in missing(settings, "serve")]
    also = f"; `relay serve` and `relay work` would also need {', '.join(lacking)}" if lacking else ""
    return Finding("settings", ok=True, says=f"can be used{also}")


async def _ask(settings: Settings) -> tuple[Finding, Finding]:
    return await asyncio.gather(ask_redis(settings), ask_upstream(settings))
