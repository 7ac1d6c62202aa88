"""Makes images by a diffusers pipeline: one seed, several prompts, one batch.

Every row starts from the same noise, made on the CPU, so that a device changes rounding at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from harness.errors import UserError, error_text, one_line
from harness.models.devices import torch_dtype

from harness_counterfactuals.attention import BlendMaps, Control, Edits, install
from harness_counterfactuals.checkpoints import XL, Checkpoint, blend_positions

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.spec import Generator, Spec


def load_pipeline(checkpoint: Checkpoint, dtype: str, device: torch.device) -> Any:
    """Load a checkpoint's pipeline.

    Raises:
        UserError: it cannot be loaded.
    """
    import diffusers
    import transformers

    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    if checkpoint.kind == XL:
        options["add_watermarker"] = False
    elif checkpoint.kind.startswith("StableDiffusion") and "XL" not in checkpoint.kind:
        # What is unsafe is a filter's to say: a pipeline's own check blackens images in silence.
        options |= {"safety_checker": None, "requires_safety_checker": False}
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    diffusers.utils.logging.disable_progress_bar()
    try:
        pipeline = getattr(diffusers, checkpoint.kind).from_pretrained(
            checkpoint.folder,
            dtype=torch_dtype(dtype),
            variant=checkpoint.variant,
            **options,
        )
        pipeline.to(device)
    except torch.OutOfMemoryError:
        raise UserError("its weights do not fit the device", where=checkpoint.folder) from None
    except Exception as error:  # noqa: BLE001  whatever damaged files make diffusers raise
        raise UserError(
            f"cannot be loaded: {one_line(error_text(error))}", where=checkpoint.folder
        ) from None
    pipeline.set_progress_bar_config(disable=True)
    pipeline.vae.enable_slicing()  # rows are decoded one at a time
    return pipeline


class Sampler:
    """Samples rows of one batch from the same noise, under a control of attention.

    Args:
        pipeline: The checkpoint's.
        spec: Size, steps, guidance and negative prompt.
        refiner: Pipeline that finishes the images, without edits.
    """

    def __init__(self, pipeline: Any, spec: Spec, refiner: Any = None) -> None:
        self._pipeline, self._refiner, self._spec = pipeline, refiner, spec
        self._control = Control()
        install(pipeline.unet, self._control)
        scale = pipeline.vae_scale_factor
        self._side = spec.height // scale, spec.width // scale

    def sample(self, prompts: Sequence[str], seed: int, edits: Edits | None) -> list[Image.Image]:
        """Return an image for each prompt.

        Args:
            prompts: One a row.
            seed: It gives the noise of every row.
            edits: What rows take from each other; ``None`` for plain generation.

        Raises:
            torch.OutOfMemoryError: also by the CPU's allocator, as it says it.
        """
        generator = self._spec.generator
        device = self._pipeline.device
        options: dict[str, Any] = {
            "prompt": list(prompts),
            "num_inference_steps": generator.steps,
            "guidance_scale": generator.guidance,
            "negative_prompt": [generator.negative_prompt] * len(prompts),
        }
        base = {
            **options,
            "height": self._spec.height,
            "width": self._spec.width,
            "latents": self._noise(len(prompts), seed),
            # A scheduler that adds noise adds the same to every row.
            "generator": _generators(len(prompts), seed),
            "callback_on_step_end": self._after,
        }
        if self._refiner is not None:
            base |= {"denoising_end": generator.refine_from, "output_type": "latent"}
        self._begin(None if edits is None else edits.to(device))
        with torch.inference_mode():
            images = self._pipeline(**base).images
            if self._refiner is not None:
                images = self._refiner(
                    **options,
                    image=images,
                    denoising_start=generator.refine_from,
                    generator=_generators(len(prompts), seed),
                ).images
        return list(images)

    def _noise(self, rows: int, seed: int) -> torch.Tensor:
        unet = self._pipeline.unet
        shape = (1, unet.config.in_channels, *self._side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return noise.expand(rows, -1, -1, -1).to(self._pipeline.device, unet.dtype).clone()

    def _begin(self, edits: Edits | None) -> None:
        control, editor = self._control, self._spec.editor
        steps = _steps(self._spec.generator)
        control.edits, control.step = edits, 0
        control.cross_steps = round(editor.cross * steps)
        control.self_steps = round(editor.self_share * steps)
        control.self_positions = self._side[0] * self._side[1] // 4
        blends = edits is not None and edits.words is not None
        positions = blend_positions(self._pipeline.unet.config, self._side)
        control.blend = BlendMaps(positions) if blends else None

    def _after(self, pipeline: Any, index: int, _: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Count the step; under a local blend, keep the source where its words are not."""
        control = self._control
        # A scheduler of second order asks the network twice a step; the share is what counts.
        steps = _steps(self._spec.generator)
        control.step = int((index + 1) * steps / pipeline.num_timesteps)
        edits, editor = control.edits, self._spec.editor
        if edits is None or control.blend is None or control.step <= editor.blend_from * steps:
            return {}
        latents = values["latents"]
        mask = control.blend.mask(latents.shape[-2:], edits.source, editor.threshold)
        if mask is None:
            return {}
        return {"latents": torch.where(mask, latents, latents[edits.source])}


def _steps(generator: Generator) -> int:
    """Return the steps that are made under a control: those before a refiner."""
    share = generator.refine_from if generator.refiner else 1.0
    return max(1, round(generator.steps * share))


def _generators(rows: int, seed: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for _ in range(rows)]


def in_batches(
    rows: int,
    most: int,
    make: Callable[[list[int]], list[Image.Image]],
    less: Callable[[int], None],
) -> list[Image.Image]:
    """Make the rows of a base in one batch, or in several where memory lacks.

    Each batch begins with the source, row 0, so that a row is made the same way in any of them.

    Args:
        rows: Images of the base; the source is the first.
        most: Rows of a batch, at most.
        make: Returns the images of some rows.
        less: Told how many rows fit, when fewer do.

    Raises:
        UserError: two rows do not fit the memory.
    """
    images: dict[int, Image.Image] = {}
    most = min(most, rows)
    while len(images) < rows:
        missing = [row for row in range(1, rows) if row not in images]
        batch = [0, *missing[: max(1, most - 1)]] if missing else [0]
        try:
            made = make(batch)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_memory(error):
                raise
            if len(batch) <= min(2, rows):
                raise UserError(
                    "the memory of the device is too small for two images at once",
                    fix="a smaller size, generator: {dtype: float16}, or another --device",
                ) from None
            most = max(2, len(batch) // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            less(most)
            continue
        images |= dict(zip(batch, made, strict=True)) | {0: images.get(0, made[0])}
    return [images[row] for row in range(rows)]


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
