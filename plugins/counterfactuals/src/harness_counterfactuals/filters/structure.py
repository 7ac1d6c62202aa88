"""How far an edit moves an image from its source: DINO's cosine distance, or LPIPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.descriptors import Json
from harness.errors import UserError
from harness.packages import versions
from harness.resources import home_path

from harness_counterfactuals.contract import Score
from harness_counterfactuals.filters.encoder import checkpoint_of
from harness_counterfactuals.filters.words import sources

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row


class _Measure(Protocol):
    @property
    def needs(self) -> Mapping[str, str]: ...

    def prepare(self, image: Image.Image) -> Any: ...

    def distance(self, first: Any, other: Any) -> float: ...


class Structure:
    """The distance of each image to the source of its base."""

    name, version = "structure", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        from harness.models.devices import resolve_device

        measure: type[_Dino | _Lpips] = _Dino if options["measure"] == "dino" else _Lpips
        wanted = "a vision transformer" if measure is _Dino else "torchvision's weights of AlexNet"
        device = resolve_device(str(options["device"]))
        self._measure: _Measure = measure(checkpoint_of(options, self.name, wanted), device)
        self._most = float(str(options["most"]))
        self.needs = {**self._measure.needs, "device type": device.type}

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return ``distance`` for each image; none for the source itself."""
        import torch

        scores = []
        with torch.inference_mode():
            prepared = [self._measure.prepare(image) for image in images]
            for row_number, source in enumerate(sources(rows)):
                if row_number == source:
                    scores.append(Score({"distance": None}))
                    continue
                distance = self._measure.distance(prepared[row_number], prepared[source])
                drops = "" if distance <= self._most else "more than the edit changes"
                scores.append(Score({"distance": distance}, drops))
        return scores


class _Dino:
    """``1 - cos`` of the last layer's class tokens (Caron et al. 2021; self-similarity of ViTs)."""

    def __init__(self, checkpoint: str, device: Any) -> None:
        from harness.engine.checkpoints import (
            load_image_processor,
            load_pretrained,
            open_checkpoint,
            refuse_remote_code,
        )
        from harness.engine.weights import user_cache
        from transformers import AutoModel

        source = open_checkpoint(checkpoint)
        refuse_remote_code(source)
        self._processor = load_image_processor(source.folder)
        self._model = load_pretrained(AutoModel, source).to(device).eval()
        self._device = device
        facts = source.identity(user_cache())
        self.needs = {"checkpoint": checkpoint, **versions("torch", "transformers"),
                      **{key: str(value) for key, value in sorted(facts.items())}}  # fmt: skip

    def prepare(self, image: Image.Image) -> Any:
        """Return the class token, a unit vector (D,) float64."""
        inputs = self._processor(images=[image], return_tensors="pt").to(self._device)
        token = self._model(**inputs).last_hidden_state[0, 0].double()
        return token / token.norm()

    def distance(self, first: Any, other: Any) -> float:
        """Return ``1 - cos``, in [0, 2]."""
        return float(1 - first @ other)


class _Lpips:
    """LPIPS 0.1 with AlexNet (Zhang et al. 2018), at the images' own size.

    The package brings its linear weights; those of AlexNet are torchvision's, by path.
    """

    def __init__(self, checkpoint: str, device: Any) -> None:
        import warnings

        from harness.engine.checkpoints import iterate_file
        from harness.engine.weights import hash_file

        try:
            import lpips
        except ImportError:
            raise UserError("lpips is not installed", fix="pip install lpips") from None
        path = home_path(checkpoint)
        if not path.is_file():
            raise UserError("the file does not exist", where=path,
                            fix="checkpoint: FILE, torchvision's weights of AlexNet")  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torchvision, whose old argument lpips gives
            self._net = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
        _fill(self._net.net, dict(iterate_file(path)), path)
        self._net = self._net.to(device).eval().requires_grad_(requires_grad=False)
        self._device = device
        self.needs = {"sha256": hash_file(path), **versions("torch", "torchvision", "lpips")}

    def prepare(self, image: Image.Image) -> Any:
        """Return an image as (1, 3, H, W) float32 in [-1, 1]."""
        from torchvision.transforms.functional import to_tensor

        return (to_tensor(image)[None] * 2 - 1).to(self._device)

    def distance(self, first: Any, other: Any) -> float:
        """Return LPIPS."""
        return float(self._net(first, other))


def _fill(slices: Any, weights: Mapping[str, Any], path: object) -> None:
    """Put AlexNet's convolutions into lpips' slices, which number them as torchvision does.

    Raises:
        UserError: weights of another network.
    """
    state = slices.state_dict()
    named = {name: f"features.{name.partition('.')[2]}" for name in state}
    missing = [key for key in named.values() if key not in weights]
    if missing or any(state[name].shape != weights[key].shape for name, key in named.items()):
        raise UserError("not the weights of AlexNet", where=path,
                        fix="torchvision's alexnet-owt-7be5be79.pth")  # fmt: skip
    slices.load_state_dict({name: weights[key] for name, key in named.items()})
