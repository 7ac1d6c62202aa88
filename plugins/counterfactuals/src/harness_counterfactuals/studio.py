"""Everything loaded that makes sets: the checkpoint, its editor, and what an image's row says.

A studio is what a process needs to make any set of a spec; workers and the command have the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from harness.descriptors import Json
from harness.jsonfiles import as_object, read_json
from harness.models import threads
from harness.models.devices import resolve_device, resolve_dtype
from harness.runs.seal import not_written, write_whole

from harness_counterfactuals.checkpoints import (
    REFINERS,
    TEXT_TO_IMAGE,
    Checkpoint,
    open_checkpoint,
)
from harness_counterfactuals.editors import InstructPix2Pix, make_editor
from harness_counterfactuals.generate import Sampler, load_pipeline
from harness_counterfactuals.manifest import Row
from harness_counterfactuals.provenance import encoded
from harness_counterfactuals.spec import Spec
from harness_counterfactuals.tokens import check_tokens

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.plan import PlannedImage, PlannedSet

_PACKAGES = ("diffusers", "torch", "transformers", "pillow")


@dataclass(frozen=True, slots=True)
class Materials:
    """The files that images are made from, found and hashed; no weight is loaded.

    Attributes:
        device: ``cpu`` or ``cuda``, and which.
        dtype: That of the weights.
    """

    spec: Spec
    checkpoint: Checkpoint
    refiner: Checkpoint | None
    tokenizers: list[Any]
    device: torch.device
    dtype: str
    hashes: Mapping[str, str]

    @property
    def scheduler(self) -> str:
        """Class of its scheduler."""
        path = self.checkpoint.folder / "scheduler" / "scheduler_config.json"
        return str(as_object(read_json(path), path).get("_class_name", ""))

    @property
    def identity(self) -> dict[str, Json]:
        """What two processes must share for their sets to be of one folder."""
        return {
            **self.spec.making(),
            "models": dict(self.hashes),
            "dtype": self.dtype,
            "device type": self.device.type,
            "packages": dict(packages()),
        }


def find_materials(spec: Spec, device: str) -> Materials:
    """Find what a spec's images are made from, and check every prompt's tokens.

    Raises:
        UserError: a checkpoint that cannot be used, a device that is not there, or a prompt that
            the text encoder does not read whole.
    """
    checkpoint = open_checkpoint(spec.generator.model, TEXT_TO_IMAGE, spec.generator.revision)
    refiner = None
    if spec.generator.refiner:
        refiner = open_checkpoint(spec.generator.refiner, REFINERS)
    tokenizers = checkpoint.tokenizers()
    check_tokens(spec, tokenizers)
    resolved = resolve_device(device)
    stored = None if resolved.type == "cpu" else "float16"  # half is slow on a CPU, where it runs
    hashes = checkpoint.hashes()
    if refiner is not None:
        hashes |= {f"refiner.{part}": digest for part, digest in refiner.hashes().items()}
    return Materials(
        spec,
        checkpoint,
        refiner,
        tokenizers,
        resolved,
        resolve_dtype(spec.generator.dtype, stored),
        hashes,
    )


def packages() -> dict[str, str]:
    """Return the versions of the packages that images depend on."""
    return {name: version(name) for name in _PACKAGES}


class Studio:
    """Makes sets.

    Args:
        materials: What they are made from.
        folder: Where images are written.
        batch: Images made at once, at most.
        say: Takes notes for the record.
    """

    def __init__(
        self, materials: Materials, folder: Path, batch: int, say: Callable[[str], None]
    ) -> None:
        self._materials, self._folder = materials, folder
        spec, device, dtype = materials.spec, materials.device, materials.dtype
        refiner = None
        if materials.refiner is not None:
            refiner = load_pipeline(materials.refiner, dtype, device)
        pipeline = load_pipeline(materials.checkpoint, dtype, device)
        sampler = Sampler(pipeline, spec, refiner)
        self._editor = make_editor(spec, sampler, materials.tokenizers, device, dtype, batch, say)
        hashes = dict(materials.hashes)
        if isinstance(self._editor, InstructPix2Pix):
            current_hashes = self._editor.checkpoint.hashes()
            hashes |= {f"editor.{part}": digest for part, digest in current_hashes.items()}
        self._models = json.dumps(hashes, sort_keys=True)
        self._schedule = json.dumps(spec.editor.to_json(), sort_keys=True)
        # Neither the load nor the number of workers decides: kernels may round by their threads.
        parameters = sum(weights.numel() for weights in pipeline.unet.parameters())
        self._put_back = threads.settle(threads.AUTO, parameters, device=device.type, fixed=True)

    def close(self) -> None:
        """Give PyTorch the threads that it had."""
        if self._put_back is not None:
            self._put_back()

    def make(self, planned: PlannedSet) -> list[Row]:
        """Make a set: write its images and return their rows, in the order of the plan.

        Raises:
            UserError: an image cannot be written, or memory lacks.
        """
        rows: list[Row] = []
        for base in planned.bases:
            images = self._editor.make(base, planned.seed)
            for at, (image, about) in enumerate(zip(images, base.images, strict=True)):
                row = self._row(planned, base.name, about, is_source=at == base.source)
                rows.append(self._written(row, image))
        return rows

    def _row(self, planned: PlannedSet, base: str, image: PlannedImage, *, is_source: bool) -> Row:
        spec = self._materials.spec
        return Row(
            file=image.file,
            set=planned.name,
            base=base,
            concept=planned.concept.name,
            group=planned.concept.group,
            split=planned.split,
            attributes=image.attributes,
            prompt=image.prompt.text,
            is_source=is_source,
            seed=planned.seed,
            editor=spec.editor.kind,
            schedule=self._schedule,
            models=self._models,
            spec=spec.sha256,
            sha256="",
            width=spec.width,
            height=spec.height,
        )

    def _written(self, row: Row, image: Image.Image) -> Row:
        spec = self._materials.spec
        provenance: dict[str, Json] = {
            "made by": "social-harness-counterfactuals",
            "generated": True,
            "people": "nobody in this image exists",
            "generator": spec.generator.model,
            "models": json.loads(row.models),
            "spec": row.spec,
            "set": row.set,
            "prompt": row.prompt,
            "seed": row.seed,
            "licence": spec.licence,
        }
        data = encoded(image.convert("RGB"), provenance, spec.format, spec.quality)
        path = self._folder / row.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(error, path.parent) from None
        write_whole(path, [data])
        digest = hashlib.sha256(data).hexdigest()
        return replace(row, sha256=digest, width=image.width, height=image.height)
