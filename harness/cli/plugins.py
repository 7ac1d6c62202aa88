"""``harness plugins``: what is installed, what each adds, and why one failed."""

from __future__ import annotations

from dataclasses import asdict

import click

from harness.cli._format import print_json, print_table
from harness.plugin_info import PluginInfo
from harness.plugins import plugins as loaded


@click.command(epilog="Examples: harness plugins --json; harness --block-plugin NAME plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(*, as_json: bool) -> None:
    """List plugins, what they add, and why one failed.

    The environment variable HARNESS_BLOCK_PLUGINS blocks plugins by name, separated by commas.
    """
    infos = loaded().infos
    if as_json:
        print_json([asdict(info) for info in infos])
        return
    rows = [
        (info.name, f"{info.distribution} {info.version}", info.status, _said(info))
        for info in infos
    ]
    print_table(("plugin", "from", "status", "adds"), rows)


def _said(info: PluginInfo) -> str:
    if info.problem:
        return info.problem
    return "\n".join(f"{kind}: {', '.join(ids)}" for kind, ids in info.adds.items())
