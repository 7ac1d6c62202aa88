"""``harness quality``: flags, and one call for each folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from harness.commands import as_json, device, number, print_json, print_table, tell
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_counterfactuals.quality.images import ImageFolder
    from harness_counterfactuals.quality.measure import Measured


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

    A DIR is a folder that `harness make counterfactuals` wrote, or any folder of images. Of other
    folders there are FID, KID and diversity alone. FID and KID compare Inception's features with
    --inception, else the encoder's, which are not comparable with published numbers.
    """
    if inception is None and encoder is None:
        raise UserError("nothing to measure with",
                        fix="--encoder PATH, --inception FILE, or both")  # fmt: skip
    if inception is not None and reference is None and encoder is None:
        raise UserError("--inception compares with real images", fix="--reference DIR")
    from harness.resources import home_path

    from harness_counterfactuals.filters.encoder import shared_encoder
    from harness_counterfactuals.quality.features import EncoderFeatures, Inception, Network
    from harness_counterfactuals.quality.images import ImageFolder

    opened = [ImageFolder(home_path(path), everything=everything) for path in folders]
    real = None if reference is None else ImageFolder(home_path(reference), everything=True)
    shared = None if encoder is None else shared_encoder(encoder, device)
    network: Network
    if inception is not None:
        network = Inception(home_path(inception), device)
    else:
        assert shared is not None
        network = EncoderFeatures(shared)
    reference_measured = None if real is None else _measured(real, network, None)
    report = {
        "settings": _settings(network, shared),
        "reference": None if reference_measured is None else _counts(reference_measured),
        "sets": [
            _report(_measured(folder, network, shared), reference_measured) for folder in opened
        ],
    }
    if out is not None:
        from harness.runs.seal import write_json

        write_json(home_path(out), report)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _measured(folder: ImageFolder, network: Any, encoder: Any) -> Measured:
    from harness.progress import EachMinute

    from harness_counterfactuals.quality.measure import measure

    count = EachMinute(tell, folder.path.name, len(folder), "images")
    measured = measure(folder, network, encoder, count.advance)
    if folder.unreadable:
        tell(
            f"{folder.path}: {len(folder.unreadable):,} images take no part, as they cannot be "
            f"opened, such as {folder.unreadable[0]}"
        )
    return measured


def _settings(network: Any, encoder: Any) -> dict[str, Any]:
    from harness_counterfactuals.quality.measure import KID_IMAGES

    return {
        "features": network.settings,
        "fid": "Heusel et al. 2017, Eq. 6, unbiased covariances, float64",
        "kid": f"unbiased, kernel (x y / D + 1)^3, all pairs of at most {KID_IMAGES:,} images on "
        "each side, chosen by a hash of their names; 95 % by the jackknife over sets",
        "encoder": None if encoder is None else encoder.identity,
    }


def _counts(measured: Measured) -> dict[str, Any]:
    folder = measured.folder
    return {"folder": str(folder.path), "images": measured.images,
            "unreadable": len(folder.unreadable),
            "dropped_by_filters": len(folder.made_rows) - len(folder.rows)}  # fmt: skip


def _report(measured: Measured, reference: Measured | None) -> dict[str, Any]:
    import math

    from harness_counterfactuals.quality.measure import balance, distances

    consistency = measured.set_consistency()
    folder = measured.folder
    return {
        **_counts(measured),
        **({} if reference is None else distances(measured, reference)),
        "diversity": {name: None if math.isnan(value) else value
                      for name, value in measured.diversity().items()},
        "clip_score": {name: each.to_json() for name, each in measured.clip_scores().items()},
        "consistency": None if consistency is None else consistency.to_json(),
        "balance": balance(folder.rows) if folder.rows else {},
        "balance_before_filters": balance(folder.made_rows) if folder.made_rows else {},
    }  # fmt: skip


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
