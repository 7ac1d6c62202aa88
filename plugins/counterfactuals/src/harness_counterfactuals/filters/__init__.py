"""The filters of this distribution, as a spec names them under ``filters``; none is imported.

No filter classifies people: a filter by words compares an image with the words of its own prompt.
"""

from __future__ import annotations

from harness.descriptors import Option

from harness_counterfactuals.contract import FilterDescriptor

_HERE = "harness_counterfactuals.filters"
_INSTALL = "pip install 'social-harness-counterfactuals[filters]'"
_ENCODER = Option(
    name="encoder",
    help="Dual encoder, as the model open_clip takes it: a folder, hub id or NAME:TAG.",
)
_DEVICE = Option(
    name="device",
    default="cpu",
    changes_numbers=False,
    help="Device: cpu, cuda, cuda:1, mps or auto.",
)


def _least(default: float, text: str) -> Option:
    return Option(name="least", type="float", default=default, least=-1, most=1, help=text)


DESCRIPTORS = (
    FilterDescriptor(
        id="one_person",
        target=f"{_HERE}.words:OnePerson",
        summary="One person is to be seen, by a dual encoder and neutral words.",
        options=(
            _ENCODER,
            _least(0.5, "Smallest probability of the first text among the texts."),
            Option(
                name="texts",
                type="data",
                default=["a photo of one person", "a photo of several people",
                         "a photo without people"],
                help="The text that should fit, and the others.",
            ),
            _DEVICE,
        ),
        requires=("open_clip",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="one_face",
        target=f"{_HERE}.faces:OneFace",
        summary="One person with a visible face, by torchvision's keypoint detector.",
        options=(
            Option(name="checkpoint", type="path",
                   help="Weights of keypointrcnn_resnet50_fpn (.pth or .safetensors)."),
            Option(name="person", type="float", default=0.8, least=0, most=1,
                   help="Smallest score of a person."),
            Option(name="keypoint", type="float", default=0.0,
                   help="Smallest score (a logit) of the nose and of one eye."),
            Option(name="area", type="float", default=0.05, least=0, most=1,
                   help="Smallest share of the image that a person takes, to be counted."),
            _DEVICE,
        ),
        requires=("torchvision",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="similarity",
        target=f"{_HERE}.words:Similarity",
        summary="Cosine of an image with its own prompt, and with its edited words alone.",
        options=(_ENCODER, _least(0.2, "Smallest cosine with the prompt."), _DEVICE),
        requires=("open_clip",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="direction",
        target=f"{_HERE}.words:Direction",
        summary="The edit moves an image along its words: cosine of the two differences.",
        options=(_ENCODER, _least(0.2, "Smallest cosine."), _DEVICE),
        requires=("open_clip",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="structure",
        target=f"{_HERE}.structure:Structure",
        summary="An edit keeps what it should not change: distance to its source.",
        options=(
            Option(name="measure", default="dino", choices=("dino", "lpips"),
                   help="Distance: dino, cosine of an encoder's class tokens; lpips, by AlexNet."),
            Option(name="checkpoint",
                   help="For dino, folder or hub id of a vision transformer; for lpips, "
                   "torchvision's weights of AlexNet."),
            Option(name="most", type="float", default=0.4, least=0,
                   help="Largest distance to the source."),
            _DEVICE,
        ),
        requires=("transformers",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="safety",
        target=f"{_HERE}.safety:Safety",
        summary="Stable Diffusion's safety checker; its margin is kept.",
        options=(
            Option(name="checkpoint", help="Folder or hub id of the checker."),
            Option(name="most", type="float", default=0.0, help="Largest margin that passes."),
            _DEVICE,
        ),
        requires=("diffusers",),
        install=_INSTALL,
    ),
    FilterDescriptor(
        id="near_duplicates",
        target=f"{_HERE}.duplicates:NearDuplicates",
        summary="Sources that look like an earlier set's, by a perceptual hash.",
        options=(
            Option(name="most", type="int", default=8, least=0, most=256,
                   help="Bits of 256 by which two images may differ and still be duplicates."),
        ),
        requires=("imagehash",),
        install=_INSTALL,
    ),
)  # fmt: skip
