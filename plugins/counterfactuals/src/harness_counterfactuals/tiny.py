"""A tiny checkpoint with random weights, for tests and for trying the command without a download.

``python -m harness_counterfactuals.tiny FOLDER`` writes one of SDXL's shape; its images are noise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def write_tiny(folder: Path, *, xl: bool = True, seed: int = 0) -> Path:
    """Write a checkpoint: a megabyte, 16 x 16 latents for images of 32 x 32.

    Args:
        folder: Where to.
        xl: SDXL with two text encoders; otherwise of the shape of Stable Diffusion 1.5.
        seed: It gives the weights.

    Returns:
        The folder.
    """
    import diffusers
    import torch
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(seed)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(16, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
    )
    parts: dict[str, Any] = {
        "vae": vae,
        "scheduler": scheduler(),
        "unet": _unet(xl=xl),
        "text_encoder": CLIPTextModel(_text_config()),
        "tokenizer": _tokenizer(),
    }
    if xl:
        parts["text_encoder_2"] = CLIPTextModelWithProjection(_text_config())
        parts["tokenizer_2"] = _tokenizer()
        pipeline = diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)
    else:
        pipeline = diffusers.StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def scheduler() -> Any:
    """Return the scheduler of the tiny checkpoint and of the demo's model."""
    import diffusers

    return diffusers.DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )


def _unet(*, xl: bool) -> Any:
    import diffusers

    options: dict[str, Any] = {}
    if xl:
        options = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 32,
            "transformer_layers_per_block": (1, 2),
        }
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=8,
        norm_num_groups=8,
        cross_attention_dim=64 if xl else 32,
        **options,
    )


def _text_config() -> Any:
    from transformers import CLIPTextConfig

    words = _vocabulary()
    return CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=32,
        bos_token_id=words["<|startoftext|>"],
        eos_token_id=words["<|endoftext|>"],
        pad_token_id=words["<|endoftext|>"],
    )


def _vocabulary() -> dict[str, int]:
    """Return CLIP's kind of vocabulary with letters alone, so that a letter is a token."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "an</w>"]
    return {token: at for at, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}


def _tokenizer() -> Any:
    from tempfile import TemporaryDirectory

    from transformers import CLIPTokenizer

    with TemporaryDirectory() as name:
        vocabulary, merges = Path(name, "vocab.json"), Path(name, "merges.txt")
        vocabulary.write_text(json.dumps(_vocabulary()), "utf-8")
        merges.write_text("#version: 0.2\na n</w>\n", "utf-8")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)


if __name__ == "__main__":
    write_tiny(Path(sys.argv[1]))
