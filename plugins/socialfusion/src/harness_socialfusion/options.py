"""What ``-o`` accepts, and the presets. Light: no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import Option
from harness.engine.loading import LOADING

from harness_socialfusion.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.descriptors import Json

CONNECTORS = ("linear", "mlp", "attention")

OPTIONS: tuple[Option, ...] = (
    Option(name="path", type="path", help="A saved SocialFusion folder, or package:NAME/folder."),
    Option(
        name="encoder",
        help="Encoder of open_clip: NAME:TAG, hf-hub:ORG/NAME, or local-dir:PATH.",
    ),
    Option(name="encoder_revision", help="Commit of an encoder on the hub."),
    Option(name="encoder_layer", type="int", default=-1, help="Block whose patch tokens are used."),
    Option(
        name="encoder_norm", type="bool", default=True, help="The encoder's last norm is applied."
    ),
    Option(name="language_model", help="Causal language model: a folder or a hub id."),
    Option(name="language_model_revision", help="Commit of a language model on the hub."),
    Option(name="connector", default="mlp", choices=CONNECTORS, help="Kind of connector."),
    Option(
        name="connector_layers",
        type="int",
        least=1,
        most=1_000,
        default=2,
        help="Layers of the connector.",
    ),
    Option(
        name="hidden",
        type="int",
        least=1,
        most=1_000_000,
        help="Connector's inner width; unset: the language model's.",
    ),
    Option(
        name="queries",
        type="int",
        least=1,
        most=100_000,
        default=64,
        help="Image tokens of an attention connector.",
    ),
    Option(
        name="merge",
        type="int",
        least=1,
        most=1_000,
        default=1,
        help="Merge k x k neighbouring patch tokens.",
    ),
    Option(
        name="prompt_format",
        choices=tuple(FORMATS),
        help="How turns become text; unset: the saved model's, else plain.",
    ),
    Option(
        name="weights",
        choices=("float32", "float16", "bfloat16"),
        help="Dtype of parts that are put together; unset: the language model's own.",
    ),
    Option(
        name="score_eos", type="bool", default=True, help="An option ends with end-of-sequence."
    ),
    Option(
        name="untrained",
        type="bool",
        default=False,
        help="Allow parts whose connector was never trained (answers mean nothing).",
    ),
    Option(
        name="seed",
        type="int",
        least=0,
        most=2**32 - 1,
        default=0,
        help="Seed of an untrained connector's weights.",
    ),
    *LOADING,
)

PRESETS: Mapping[str, Mapping[str, Json]] = {
    "demo": {"path": "package:harness_demo_world/weights/socialfusion"},
    "demo-untrained": {
        "encoder": "package:harness_demo_world/weights/encoder",
        "language_model": "package:harness_demo_world/weights/language_model",
        "hidden": 320,
        "merge": 2,
        "prompt_format": "answer_line",
        "weights": "float32",
        "untrained": True,
    },
    "clip-l-336-7b": {
        "encoder": "ViT-L-14-336:openai",
        "language_model": "lmsys/vicuna-7b-v1.5",
        "connector": "mlp",
        "connector_layers": 2,
        "encoder_layer": -2,
        "encoder_norm": False,
    },
}
PRESET_MARKS: Mapping[str, tuple[str, ...]] = {
    "demo": ("demo",),
    "demo-untrained": ("demo",),
}
