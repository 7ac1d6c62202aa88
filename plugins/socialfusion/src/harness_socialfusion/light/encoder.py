"""A vision transformer of plain shape: the operations of open_clip's, and of its preprocessing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.descriptors import Json
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from harness_socialfusion.light import MOST_BYTES
from harness_socialfusion.sources import read_json

_VISION = {
    "image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio", "pool_type",
    "pos_embed_type",
}  # fmt: skip
_PREPROCESSING = {"mean", "std", "interpolation", "resize_mode"}
_WEIGHTS = "open_clip_model.safetensors"
_PREFIX = "visual."


class LightTower(nn.Module):
    """Patch tokens of a vision transformer, its modules and weights named as open_clip names them.

    Args:
        config: ``vision_cfg`` of an open_clip folder.
        output: Width of the projection, which answers do not use.
    """

    def __init__(self, config: Mapping[str, Any], output: int) -> None:
        super().__init__()
        width, patch = int(config["width"]), int(config["patch_size"])
        self._patch = patch
        positions = (int(config["image_size"]) // patch) ** 2 + 1
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(positions, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.Module()
        heads, inner = width // int(config["head_width"]), int(width * config["mlp_ratio"])
        self.transformer.resblocks = nn.ModuleList(
            _Block(width, heads, inner) for _ in range(int(config["layers"]))
        )
        self.proj = nn.Parameter(torch.empty(width, output))

    def forward_intermediates(
        self, pixels: Tensor, *, indices: Sequence[int], normalize_intermediates: bool, **_: object
    ) -> dict[str, list[Tensor]]:
        """Return ``image_intermediates``: one block's patch tokens (B, D, rows, columns)."""
        (index,) = indices
        rows, columns = (size // self._patch for size in pixels.shape[2:])
        hidden = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.view(1, 1, -1).expand(len(hidden), -1, -1)
        hidden = torch.cat([first, hidden], dim=1) + self.positional_embedding
        hidden = self.ln_pre(hidden)
        blocks = list(self.get_submodule("transformer.resblocks").children())
        for block in blocks[: index + 1]:
            hidden = block(hidden)
        if normalize_intermediates:
            hidden = self.ln_post(hidden)
        tokens = hidden[:, 1:].reshape(len(hidden), rows, columns, -1)
        return {"image_intermediates": [tokens.permute(0, 3, 1, 2).contiguous()]}


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, inner), gelu=nn.GELU(), c_proj=nn.Linear(inner, width)
            )
        )

    def forward(self, hidden: Tensor) -> Tensor:
        normed = self.ln_1(hidden)
        hidden = hidden + self.attn(normed, normed, normed, need_weights=False)[0]
        added: Tensor = hidden + self.mlp(self.ln_2(hidden))
        return added


class Preprocessing:
    """Images to pixels as open_clip prepares them: squashed to a square, bicubic, normalised.

    Args:
        config: ``preprocess_cfg`` of an open_clip folder.
        size: Side of the square, in pixels.
    """

    def __init__(self, config: Mapping[str, Any], size: int) -> None:
        self._size = size
        self._mean, self._std = (
            torch.tensor(config[key])[:, None, None] for key in ("mean", "std")
        )
        self.settings: dict[str, Json] = {
            "size": [size, size],
            "mode": "RGB",
            "mean": config["mean"],
            "std": config["std"],
            "interpolation": "bicubic",
            "resize_mode": "squash",
            "fill_color": 0,
        }

    def __call__(self, image: Image.Image) -> Tensor:
        """Return pixels (3, H, W), float32."""
        square = (self._size, self._size)
        if image.size != square:
            image = image.resize(square, Image.Resampling.BICUBIC)
        if image.mode != "RGB":
            image = image.convert("RGB")
        pixels = torch.from_numpy(np.array(image, copy=True)).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255).sub_(self._mean).div_(self._std)


def open_encoder(folder: Path) -> tuple[LightTower, dict[str, Json], Preprocessing] | None:
    """Return a folder's vision tower in float32, and its preprocessing as data and as a function.

    ``None`` when it is no plain transformer.
    """
    config = read_json(folder / "open_clip_config.json")
    model, preprocessing = config.get("model_cfg"), config.get("preprocess_cfg")
    vision = model.get("vision_cfg") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not isinstance(vision, Mapping):
        return None
    is_plain = (
        vision.keys() == _VISION
        and vision["pos_embed_type"] == "sin_cos_2d"
        and type(vision["layers"]) is type(vision["image_size"]) is int
        and model.keys() == {"embed_dim", "vision_cfg", "text_cfg"}
        and isinstance(preprocessing, Mapping)
        and preprocessing.keys() == _PREPROCESSING
        and preprocessing["interpolation"] == "bicubic"
        and preprocessing["resize_mode"] == "squash"
        and [path.name for path in folder.glob("*.safetensors")] == [_WEIGHTS]
        and (folder / _WEIGHTS).stat().st_size <= MOST_BYTES
    )
    if not is_plain:
        return None
    assert isinstance(preprocessing, Mapping)
    try:
        prepare = Preprocessing(preprocessing, int(vision["image_size"]))
        with torch.random.fork_rng(devices=[]):
            tower = LightTower(vision, int(model["embed_dim"]))
    except (ArithmeticError, AssertionError, TypeError, ValueError, RuntimeError):
        return None  # open_clip says what is wrong with the shape
    weights = load_file(folder / _WEIGHTS)
    weights = {
        name.removeprefix(_PREFIX): weight
        for name, weight in weights.items()
        if name.startswith(_PREFIX)
    }
    shapes = {name: weight.shape for name, weight in tower.state_dict().items()}
    if shapes != {name: weight.shape for name, weight in weights.items()}:
        return None
    tower.load_state_dict(weights)
    return tower.eval(), prepare.settings, prepare
