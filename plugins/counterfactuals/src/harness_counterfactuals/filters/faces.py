"""One person with a visible face, by torchvision's person keypoints (COCO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.packages import versions
from harness.resources import home_path

from harness_counterfactuals.contract import Score
from harness_counterfactuals.filters.encoder import checkpoint_of

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row

_NOSE, _EYES = 0, (1, 2)


class OneFace:
    """Counts people and visible faces: a face has its nose and an eye."""

    name, version = "one_face", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        from harness.engine.weights import hash_file
        from harness.models.devices import resolve_device

        checkpoint = home_path(
            checkpoint_of(options, self.name, "weights of keypointrcnn_resnet50_fpn")
        )
        self._person, self._keypoint, self._area = (
            float(str(options[name])) for name in ("person", "keypoint", "area")
        )
        self._device = resolve_device(str(options["device"]))
        self._detector = _detector(checkpoint).to(self._device)
        self.needs = {
            "sha256": hash_file(checkpoint),
            "device type": self._device.type,
            **versions("torch", "torchvision"),
        }

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:  # noqa: ARG002
        """Return ``people`` and ``faces`` for each image."""
        return [self._score(image) for image in images]

    def _score(self, image: Image.Image) -> Score:
        import torch
        from torchvision.transforms.functional import to_tensor

        with torch.inference_mode():
            detected = self._detector([to_tensor(image).to(self._device)])[0]
        people, faces = self.count(detected, image.width * image.height)
        drops = "" if people == faces == 1 else (
            "no person" if not people else "several people" if people > 1 else "no face to be seen"
        )  # fmt: skip
        return Score({"people": float(people), "faces": float(faces)}, drops)

    def count(self, detected: Mapping[str, Any], area: float) -> tuple[int, int]:
        """Return people and those among them whose face is visible.

        Args:
            detected: Of one image: ``boxes`` (N, 4), ``scores`` (N,), ``keypoints_scores`` (N, 17).
            area: Pixels of the image.
        """
        boxes, scores = detected["boxes"], detected["scores"]
        share = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / area
        person = (scores >= self._person) & (share >= self._area)
        seen = detected["keypoints_scores"] >= self._keypoint
        face = seen[:, _NOSE] & (seen[:, _EYES[0]] | seen[:, _EYES[1]])
        return int(person.sum()), int((person & face).sum())


def _detector(checkpoint: Path) -> Any:
    """Return the detector with its weights.

    Raises:
        UserError: no such file, or weights of another network.
    """
    from harness.engine.checkpoints import check_loaded, iterate_file
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    if not checkpoint.is_file():
        raise UserError("the file does not exist", where=checkpoint,
                        fix="checkpoint: FILE, torchvision's weights of the detector")  # fmt: skip
    detector = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None).eval()
    try:
        missing, unexpected = detector.load_state_dict(dict(iterate_file(checkpoint)), strict=False)
    except RuntimeError as error:
        raise UserError(
            f"these are weights of another network: {error}", where=checkpoint
        ) from None
    check_loaded(missing, unexpected, checkpoint)
    return detector
