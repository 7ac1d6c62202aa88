"""What `harness quality` and studies of image sets report, as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.progress import EachMinute
from harness.resources import home_path

from harness_counterfactuals.filters.encoder import shared_encoder
from harness_counterfactuals.quality.features import EncoderFeatures, Inception, Network
from harness_counterfactuals.quality.images import ImageFolder
from harness_counterfactuals.quality.measure import (
    KID_IMAGES,
    Measured,
    balance,
    distances,
    measure,
)


def quality_report(  # noqa: PLR0913  a keyword for each flag
    folders: Sequence[Path | ImageFolder],
    *,
    reference: Path | ImageFolder | None,
    inception: Path | None,
    encoder: str | None,
    everything: bool = False,
    device: str = "auto",
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return settings, what there is of the reference, and the numbers of each folder.

    Args:
        folders: Sets, or any folders of images; paths, or opened ones.
        reference: Folder of real images: gives FID and KID.
        inception: File of the network whose features are compared; the encoder's without it.
        encoder: Dual encoder for prompts, diversity and consistency.
        everything: Whether images count that filters dropped.
        device: As ``--device`` takes it.
        say: Takes notes on progress.

    Raises:
        UserError: a folder, network or encoder that cannot be used.
    """
    opened = [_opened(folder, everything=everything) for folder in folders]
    real = None if reference is None else _opened(reference, everything=True)
    shared = None if encoder is None else shared_encoder(encoder, device)
    network: Network
    if inception is not None:
        network = Inception(home_path(inception), device)
    else:
        assert shared is not None
        network = EncoderFeatures(shared)
    measured = None if real is None else _measured(real, network, None, say)
    return {
        "settings": _settings(network, shared),
        "reference": None if measured is None else _counts(measured),
        "sets": [_report(_measured(folder, network, shared, say), measured) for folder in opened],
    }


def _opened(folder: Path | ImageFolder, *, everything: bool) -> ImageFolder:
    if isinstance(folder, ImageFolder):
        return folder
    return ImageFolder(home_path(folder), everything=everything)


def _measured(
    folder: ImageFolder, network: Network, encoder: Any, say: Callable[[str], None]
) -> Measured:
    count = EachMinute(say, folder.path.name, len(folder), "images")
    measured = measure(folder, network, encoder, count.advance)
    if folder.unreadable:
        say(
            f"{folder.path}: {len(folder.unreadable):,} images are left out, as they cannot be "
            f"opened, such as {folder.unreadable[0]}"
        )
    return measured


def _settings(network: Any, encoder: Any) -> dict[str, Any]:
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
