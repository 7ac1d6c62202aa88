"""``harness site``: a static site of finished evaluations, and a server for this machine."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import click
import harness
from harness import commands
from harness.commands import Skips, data_paths, tell
from harness.errors import CheckFailed, UserError


@click.group(
    short_help="Build or serve a site of evaluations.",
    epilog="Examples: harness site build out results; harness site serve out",
)
def site() -> None:
    """Build a static site of finished evaluations, or show one to this machine."""


@site.command(epilog="Example: harness site build out results --layout asd_main")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@commands.duplicates()
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="NAME|FILE",
    help="Put a table of this layout first (repeat for more).",
)
@click.option(
    "--images",
    type=commands.Whole(0),
    default=200,
    show_default=True,
    help="Show thumbnails of at most N samples per task, wrong ones first; 0 for none.",
)
@click.option(
    "--with-images",
    is_flag=True,
    help="Also show images of real people; check the licence of the data first.",
)
@click.option("--figures/--no-figures", default=True, help="Draw figures (needs matplotlib).")
@commands.profile
@commands.data
@commands.include
@click.option("--strict", is_flag=True, help="Exit with 1 if a directory was left out.")
def build(out: Path, places: tuple[str, ...], duplicates: Any, **options: Any) -> None:
    """Write a site into a folder: leaderboard, a page per evaluation, a browser of samples.

    The site needs no server and no network. Prompts and images are read again from the task's
    data, where these are the data that were evaluated. An existing site is replaced.
    """
    skips = Skips()
    if not options["images"]:
        commands.refuse_idle(("with_images",), "shows images, and --images 0 shows none")
    page = harness.build_site(
        out,
        places,
        duplicates=duplicates,
        layouts=options["layouts"],
        images=options["images"],
        with_images=options["with_images"],
        figures=options["figures"],
        profile=options["profile"],
        data=dict(data_paths(options["data"])),
        on_skipped=skips,
        on_note=tell,
    )
    click.echo(page)
    if options["strict"] and skips.left_out:
        raise CheckFailed(f"{skips.left_out} of the directories were left out")


@site.command(epilog="Examples: harness site serve out; harness site serve out --live")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=commands.Whole(0, 65535),
    default=8000,
    show_default=True,
    help="Port of this machine; 0 for any that is free.",
)
@click.option(
    "--live", is_flag=True, help="Rebuild the site from the results folder as evaluations finish."
)
@click.option("--results", type=click.Path(path_type=Path), help="With --live: follow this folder.")
@commands.include
def serve(out: Path, port: int, *, live: bool, results: Path | None) -> None:
    """Show a built site to this machine alone; Ctrl-C ends it.

    With --live it follows a run: the site is rebuilt, without figures, when an evaluation is
    finished, and each page shows the progress of unfinished ones.
    """
    from harness_site.live import following
    from harness_site.serve import server

    if results is not None and not live:
        raise UserError(
            "--results only applies to --live: a built site already has its results", fix="--live"
        )
    ended = threading.Event()
    build = partial(
        harness.build_site,
        out,
        duplicates="newest",
        figures=False,
        on_note=tell,
        on_skipped=_nothing,
    )
    with following(out, port, results, build, ended, tell) if live else server(out, port) as http:
        click.echo(f"http://127.0.0.1:{http.server_address[1]}/index.html")
        try:
            http.serve_forever()
        except KeyboardInterrupt as stopped:
            if type(stopped) is not KeyboardInterrupt:  # a signal, which has its own exit code
                raise
        finally:
            ended.set()


def _nothing(_: object) -> None:
    """Say nothing of what a live site leaves out: an evaluation at work is no fault."""
