"""``harness quality``: flags, and one call for each folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from harness.commands import as_json, device, number, print_json, print_table, tell
from harness.errors import UserError


@click.command(
    epilog="""Examples:

\b
  harness quality made/ --encoder ViT-B-32:openai
  harness quality made/ other/ --reference real/ --inception inception-2015-12-05.pt
"""
)
@click.argument("folders", metavar="DIR...", nargs=-1, required=True,
                type=click.Path(path_type=Path))  # fmt: skip
@click.option("--reference", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of real images: gives FID and KID.")  # fmt: skip
@click.option("--inception", type=click.Path(path_type=Path), metavar="FILE",
              help="Use the features of this network (inception-2015-12-05.pt).")  # fmt: skip
@click.option("--encoder", metavar="PATH",
              help="Dual encoder for prompts, diversity and consistency; a folder, hub id or "
              "NAME:TAG.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Include images that filters dropped.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report as JSON to this file.",
)
@device
@as_json
def quality(  # noqa: PLR0913  one parameter for each flag
    *,
    folders: tuple[Path, ...],
    reference: Path | None,
    inception: Path | None,
    encoder: str | None,
    everything: bool,
    out: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Measure image sets: distance to real images, diversity, balance, fit of prompts, consistency.

    A DIR is a folder that `harness make counterfactuals` wrote, or any folder of images. For other
    folders only FID, KID and diversity are computed. FID and KID use Inception's features if
    --inception is given, else the encoder's, which do not compare with published numbers.
    """
    if inception is None and encoder is None:
        raise UserError("neither --encoder nor --inception is given",
                        fix="--encoder PATH, --inception FILE, or both")  # fmt: skip
    if inception is not None and reference is None and encoder is None:
        raise UserError("--inception needs real images to compare with", fix="--reference DIR")
    from harness.resources import home_path

    from harness_counterfactuals.quality.report import quality_report

    report = quality_report(
        folders,
        reference=reference,
        inception=inception,
        encoder=encoder,
        everything=everything,
        device=device,
        say=tell,
    )
    if out is not None:
        from harness.runs.seal import write_json

        write_json(home_path(out), report)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _print(report: dict[str, Any]) -> None:
    sets = report["sets"]
    rows: list[tuple[str, ...]] = [("images", *(f"{each['images']:,}" for each in sets))]
    if report["reference"] is not None:
        real = report["reference"]
        click.echo(f"reference: {real['folder']}, {real['images']:,} images; "
                   f"features: {report['settings']['features']['network']}")  # fmt: skip
        rows.append(("FID", *(number(each["fid"]) for each in sets)))
        rows.append(("KID x 1,000 [95 %]", *(_kid(each) for each in sets)))
    for name, text in (("consistency", "consistency [95 %]"),):
        rows.append((text, *(_mean(each[name], 3) for each in sets)))
    rows.append(("diversity", *(number(each["diversity"].get(""), digits=3) for each in sets)))
    concepts = list(dict.fromkeys(name for each in sets for name in each["clip_score"]))
    rows += [
        (f"CLIP score, {name}", *(_mean(each["clip_score"].get(name), 2) for each in sets))
        for name in concepts
    ]
    parts = list(dict.fromkeys(name for each in sets for name in each["balance"]))
    rows += [
        (f"evenness of {name}",
         *(number(each["balance"].get(name, {}).get("evenness"), digits=4) for each in sets))
        for name in parts
    ]  # fmt: skip
    print_table(("", *(each["folder"] for each in sets)), rows)
    for each in sets:
        for key in ("fid_refused", "kid_refused"):
            if each.get(key):
                click.echo(f"{each['folder']}: {each[key]}")


def _kid(each: dict[str, Any]) -> str:
    if each["kid"] is None:
        return "--"
    ends = (number(each[key], 1000) for key in ("kid_low", "kid_high"))
    return f"{number(each['kid'], 1000)} [{', '.join(ends)}]"


def _mean(value: dict[str, Any] | None, digits: int) -> str:
    if value is None:
        return "--"
    ends = (number(value[key], digits=digits) for key in ("low", "high"))
    return f"{number(value['value'], digits=digits)} [{', '.join(ends)}]"
