"""Image-text matching heads as the harness sees them: a light identity first, weights later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, parse_options
from harness.engine.checkpoints import open_checkpoint, refuse_remote_code
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_device, resolve_dtype, torch_dtype
from harness.requests import Choose, Embed, Generate

from harness_open_clip.options import MATCHING_OPTIONS, TEMPLATE, unused_templates

if TYPE_CHECKING:
    from harness.engine.checkpoints import Checkpoint

    from harness_open_clip.matching_answerer import MatchingAnswerer

ARCHITECTURES = (
    "BlipForImageTextRetrieval",
    "Blip2ForImageTextRetrieval",
    "ViltForImageAndTextRetrieval",
)
"""Classes of transformers whose checkpoints are read."""

_SCHEME = 1  # raised when the way answers are computed changes their numbers


class MatchingModel:
    """A model with a matching head that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.

    Raises:
        UserError: a template without a single place for the option.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = parse_options(
            MATCHING_OPTIONS, options, owner="model 'matching'"
        )
        self._template = str(self._options["template"]).strip()
        if self._template.count("{}") != 1:
            raise UserError(f"{self._template!r} needs exactly one {{}} for the option",
                            where="option 'template'", fix="a photo of {}")  # fmt: skip

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        source = self._find()
        return {
            "model": "matching",
            "scheme": _SCHEME,
            "checkpoint": source.identity(runtime.cache or user_cache()),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            "template": self._template,
        }

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """See :class:`harness.models.contract.TellsUnused`."""
        return unused_templates(want, TEMPLATE, self._template)

    def load(self, runtime: Runtime) -> MatchingAnswerer:
        """Load the weights."""
        device, source = resolve_device(runtime.device), self._find()
        from harness_open_clip.matching_answerer import MatchingAnswerer, load

        dtype = torch_dtype(resolve_dtype(runtime.dtype, source.dtype))
        at_once = 1 if runtime.deterministic else runtime.batch_size or 16
        return MatchingAnswerer(load(source, device, dtype), self._template, at_once)

    def _find(self) -> Checkpoint:
        path = self._options.get("path")
        if not path:
            raise UserError(
                "matching needs a checkpoint",
                fix="-o path=FOLDER or HUB_ID, or -o preset=blip-itm-base",
            )
        checkpoint = open_checkpoint(str(path), revision=self._options.get("revision"))
        refuse_remote_code(checkpoint)
        named = str((checkpoint.config.get("architectures") or [""])[0])
        if named not in ARCHITECTURES:
            raise UserError(
                f"this checkpoint has no matching head: its architecture is {named or 'not named'}",
                where=checkpoint.folder / "config.json",
                fix=f"one of {', '.join(ARCHITECTURES)}; dual encoders: --model open_clip",
            )
        return checkpoint
