"""The visual tower of an open_clip model, for ``harness probe``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.encoders import Encoder, EncoderRequest
from harness.engine.weights import hash_files
from harness.errors import UserError
from harness.resources import home_path

from harness_open_clip.sources import CONFIG
from harness_open_clip.sources import Encoder as Source

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.models import Runtime
    from harness.samples.images import LoadedImage
    from harness_analyses.towers import Tower

_LOCAL = "local-dir:"


def find(request: EncoderRequest) -> Encoder:
    """Find the encoder ``NAME:TAG`` or ``local-dir:PATH``.

    Raises:
        UserError: a folder without an open_clip config, or a name without its tag.
    """
    identity: dict[str, Json] = {"kind": "open_clip", "dtype": request.dtype}
    if request.rest.startswith(_LOCAL):
        folder = home_path(request.rest.removeprefix(_LOCAL))
        files = [path for pattern in ("*.json", "open_clip_*") for path in folder.glob(pattern)]
        if not (folder / CONFIG).is_file():
            raise UserError(f"this is not an open_clip encoder: it has no {CONFIG}", where=folder)
        identity["sha256"] = hash_files(set(files), request.runtime.cache)
        source = Source(request.rest, folder)
    elif not all(request.rest.partition(":")):
        raise UserError(
            f"{request.name!r} needs a tag", fix="open_clip:ViT-B-32:openai, for example"
        )
    else:
        version = importlib.metadata.version("open_clip_torch")
        identity |= {"name": request.rest, "version": version}
        source = Source(request.rest, None)
    return Encoder(request.name, identity, lambda: load(source, request.runtime))


def load(source: Source, runtime: Runtime) -> Tower:
    """Load the visual tower of an encoder in open_clip's format.

    Raises:
        UserError: open_clip cannot load it.
    """
    import torch
    from harness.models.devices import resolve_device, resolve_dtype, torch_dtype
    from harness_analyses.towers import Tower
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from harness_open_clip.encoders import create_model

    visual = create_model(source).visual
    prepare = image_transform_v2(PreprocessCfg(**visual.preprocess_cfg), is_train=False)
    device, dtype = resolve_device(runtime.device), torch_dtype(resolve_dtype(runtime.dtype, None))
    visual = visual.to(device, dtype).eval()

    def run(images: Sequence[LoadedImage]) -> object:
        pixels = torch.stack([prepare(image.pixels) for image in images])
        return visual(pixels.to(device, dtype))

    return Tower(f"open_clip:{source.name}", visual, run)
