"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, parse_options
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_device, resolve_dtype, torch_dtype
from harness.requests import Choose, Embed, Generate

from harness_open_clip.options import OPTIONS, TEMPLATES, unused_templates
from harness_open_clip.sources import Encoder, find_encoder

if TYPE_CHECKING:
    from harness_open_clip.answerer import DualEncoderAnswerer
    from harness_open_clip.training import TrainableEncoder

_IMAGENET = "imagenet"  # the 80 templates of CLIP's zero-shot classifiers
_SCHEME = 1  # raised when the way answers are computed changes their numbers


class DualEncoder:
    """A dual encoder that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = parse_options(OPTIONS, options, owner="model 'open_clip'")

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        return {**self._seen(self._find(), runtime), "templates": list(self._templates())}

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """See :class:`harness.models.contract.TellsUnused`."""
        return unused_templates(want, TEMPLATES, self._options["templates"])

    def load(self, runtime: Runtime) -> DualEncoderAnswerer:
        """Load the weights."""
        device = resolve_device(runtime.device)
        source, templates = self._find(), self._templates()
        facts = self._seen(source, runtime)
        from harness_open_clip.answerer import DualEncoderAnswerer
        from harness_open_clip.encoders import load

        encoder = load(source, device, torch_dtype(str(facts["dtype"])))
        return DualEncoderAnswerer(encoder, templates, runtime, facts)

    def load_model(self, runtime: Runtime) -> TrainableEncoder:
        """Load the weights for training."""
        device = resolve_device(runtime.device)
        source, facts = self._find(), self._seen(self._find(), runtime)
        from harness_open_clip.encoders import load
        from harness_open_clip.training import TrainableEncoder

        encoder = load(source, device, torch_dtype(str(facts["dtype"])))
        return TrainableEncoder(encoder, self._templates(), facts)

    def load_tower(self, runtime: Runtime) -> tuple[Any, Callable[[Sequence[Any]], object]]:
        """Return the image side, and what runs it on images."""
        return self.load_model(runtime).vision_tower()

    def _find(self) -> Encoder:
        path = self._options.get("path")
        if not path:
            raise UserError(
                "open_clip needs an encoder",
                fix="-o path=FOLDER, HUB_ID or NAME:TAG, or -o preset=clip-b-32",
            )
        form = str(self._options["format"])
        return find_encoder(str(path), self._options.get("revision"), form)

    def _seen(self, source: Encoder, runtime: Runtime) -> dict[str, Json]:
        """Return what an image's vector depends on beside the image."""
        return {
            "model": "open_clip",
            "scheme": _SCHEME,
            "checkpoint": source.identity(runtime.cache or user_cache()),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
        }

    def _templates(self) -> tuple[str, ...]:
        option = str(self._options["templates"])
        if option.strip() == _IMAGENET:
            from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

            return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
        templates = tuple(one.strip() for one in option.split("|") if one.strip())
        wrong = [one for one in templates if one.count("{}") != 1]
        if wrong or not templates:
            named = repr(wrong[0]) if wrong else "an empty list"
            raise UserError(
                f"{named} needs exactly one {{}} for the option",
                where="option 'templates'",
                fix="write {} once in each, such as 'a photo of {}|a drawing of {}'",
            )
        return templates
