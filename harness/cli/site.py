"""``harness site``: a static site of finished evaluations, and a server for this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.errors import CheckFailed
from harness.plugins import plugins


@click.group(
    short_help="Build or serve a site of evaluations.",
    epilog="Examples: harness site build out results; harness site serve out",
)
def site() -> None:
    """Build a static site of finished evaluations, or show one to this machine."""


@site.command(epilog="Example: harness site build out results --layout asd_main")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--duplicates",
    type=click.Choice(["fail", "newest", "mean"]),
    default="fail",
    show_default=True,
    help="When evaluations claim one cell: stop, take the newest, or the mean over seeds.",
)
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="NAME|FILE",
    help="A table of this layout comes first (repeat for more).",
)
@click.option(
    "--images",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Thumbnails of so many samples a task, wrong ones first; 0 for none.",
)
@click.option("--figures/--no-figures", default=True, help="Draw figures (needs matplotlib).")
@click.option("--profile", metavar="NAME", help="Look for data as this profile says.")
@click.option("--data", "folders", multiple=True, metavar="TASK=PATH", help="Where data lie.")
@click.option("--strict", is_flag=True, help="End with 1 when a directory was left out.")
def build(out: Path, places: tuple[str, ...], duplicates: Any, **options: Any) -> None:
    """Write a site into a folder: leaderboard, a page an evaluation, a browser of samples.

    It needs no server and asks nothing of the network. Prompts and pictures are read again from
    the task's data, where they are the data that were asked. A site that is there is replaced.
    """
    from harness.analysis.results import read_analyses
    from harness.cli.leaderboard import newest_of, over_seeds
    from harness.cli.run import data_paths
    from harness.config.settings import load_settings
    from harness.site.build import build_site
    from harness.site.questions import Sources
    from harness.specs.catalog import load_catalog
    from harness.tables.build import TableOptions
    from harness.tables.known import Known
    from harness.tables.layout import load_layout

    layouts = tuple(load_layout(name) for name in options["layouts"])
    if not places:
        places = tuple(dict.fromkeys(name for layout in layouts for name in layout.runs))
    records, left_out = newest_of(places, whole=True)
    analyses, damaged = read_analyses(places or [load_settings(profile=options["profile"]).results])
    for problem in damaged:
        click.echo(f"left out: {problem}", err=True)
    known = Known()
    given = data_paths(options["folders"])
    sources = Sources(
        catalog=load_catalog(plugins().spec_folders()),
        settings=load_settings(profile=options["profile"], data=given),
        pictures=options["images"],
        figures=options["figures"],
        say=lambda text: click.echo(text, err=True),
        layouts=layouts,
    )
    ways = TableOptions(
        duplicates=duplicates,
        seed_interval=over_seeds() if duplicates == "mean" else None,
        supports=known.supports,
    )
    click.echo(build_site(out, known.ordered(records), ways, sources, analyses))
    if options["strict"] and (left_out or damaged):
        raise CheckFailed(f"{len(left_out) + len(damaged)} of the directories were left out")


@site.command(epilog="Example: harness site serve out --port 8000")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(out: Path, port: int) -> None:
    """Show a built site to this machine alone; Ctrl-C ends it."""
    from harness.site.serve import server

    with server(out, port) as held:
        click.echo(f"http://127.0.0.1:{held.server_address[1]}/index.html")
        try:
            held.serve_forever()
        except KeyboardInterrupt as ended:
            if type(ended) is not KeyboardInterrupt:  # a signal, which has an exit code of its own
                raise
