"""Train a tiny diffusion model on the drawn world, so that sets can be made without a download.

``nice python -m harness_counterfactuals.train_demo FOLDER --minutes 20`` draws portraits of 32 x 32
pixels, trains an autoencoder and then a U-Net under the words of this project's tiny text encoder,
and writes a diffusers folder of under 6 MB. It goes on from what the folder holds. Whether an edit
changes one attribute and keeps the rest, :mod:`harness_counterfactuals.measure_demo` says.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness_counterfactuals.drawn import CAPTION, SIDE, drawn
from harness_counterfactuals.tiny import scheduler

_SETS, _BATCH, _SEED = 600, 32, 0
_AUTOENCODER_STEPS, _RATE = 800, 1e-3
_STATE = "training.safetensors"


def text_side() -> tuple[Any, Any]:
    """Return tokenizer and text encoder of the demo's dual encoder, as transformers has them."""
    from harness_demo_world.weights import folder
    from safetensors.torch import load_file
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    encoder = folder("encoder")
    weights = load_file(encoder / "open_clip_model.safetensors")
    config = CLIPTextConfig(
        vocab_size=len(weights["token_embedding.weight"]),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        hidden_act="gelu",
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model: Any = CLIPTextModel(config)
    model.load_state_dict(_of_clip(weights, model.state_dict().keys()), strict=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(encoder, model_max_length=24)
    return tokenizer, model.eval()


def _of_clip(weights: dict[str, Tensor], names: Any) -> dict[str, Tensor]:
    """Return open_clip's text weights under the names of transformers."""
    plain: dict[str, Tensor] = {
        "embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "embeddings.position_embedding.weight": weights["positional_embedding"],
        "final_layer_norm.weight": weights["ln_final.weight"],
        "final_layer_norm.bias": weights["ln_final.bias"],
    }
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    for layer in range(2):
        clip_prefix, new_prefix = f"transformer.resblocks.{layer}.", f"encoder.layers.{layer}."
        for kind in ("weight", "bias"):
            for old, new in parts.items():
                plain[f"{new_prefix}{new}.{kind}"] = weights[f"{clip_prefix}{old}.{kind}"]
            stacked = weights[f"{clip_prefix}attn.in_proj_{kind}"].chunk(3)
            for name, part in zip("qkv", stacked, strict=True):
                plain[f"{new_prefix}self_attn.{name}_proj.{kind}"] = part
    prefix = "text_model." if any(name.startswith("text_model.") for name in names) else ""
    return {prefix + name: tensor.float().contiguous() for name, tensor in plain.items()}


def networks() -> tuple[Any, Any]:
    """Return the autoencoder and the U-Net, untrained; words are attended to at 8 x 8 alone."""
    import diffusers

    torch.manual_seed(_SEED)
    vae: Any = diffusers.AutoencoderKL(
        block_out_channels=(16, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=6,
        norm_num_groups=8,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )
    unet: Any = diffusers.UNet2DConditionModel(
        sample_size=SIDE // 2,
        in_channels=6,
        out_channels=6,
        block_out_channels=(24, 48, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=8,
        cross_attention_dim=128,
    )
    layout = torch.channels_last  # faster on a CPU
    return vae.to(memory_format=layout), unet.to(memory_format=layout)


class Trainer:
    """Trains in the time there is, and goes on from what a folder holds.

    Args:
        folder: Where state and model lie.
        sets: Drawn sets to train on, 24 portraits each.
    """

    def __init__(self, folder: Path, sets: int) -> None:
        self._folder = folder
        (self._vae, self._unet), self._scheduler = networks(), scheduler()
        self._tokenizer, self._text = text_side()
        images, portrayed = drawn(range(sets))
        self._images = images.contiguous(memory_format=torch.channels_last)
        captions = ["", *(CAPTION.format(**person) for person in portrayed)]
        encoded = self._tokenizer(captions, padding="max_length", return_tensors="pt")
        with torch.inference_mode():
            self._words = self._text(encoded.input_ids)[0].clone()  # as the pipeline reads them

    def train(self, minutes: float) -> None:
        """Train the U-Net for some minutes, the autoencoder before it once, and write the model."""
        end = time.monotonic() + 60 * minutes
        state = self._folder / _STATE
        if state.exists():
            from safetensors.torch import load_model

            load_model(self._both(), state)
        else:
            self._autoencoder()
        latents = self._encoded()
        scale = 1 / latents.std().item()
        self._vae.register_to_config(scaling_factor=scale)
        self._denoiser(latents * scale, time.monotonic(), end)
        self._write()

    def _both(self) -> torch.nn.Module:
        return torch.nn.ModuleList([self._vae, self._unet])

    def _batches(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(time.time_ns())
        return iter(lambda: torch.randint(len(self._images), (_BATCH,), generator=generator), None)

    def _autoencoder(self) -> None:
        optimiser = torch.optim.AdamW(self._vae.parameters(), weight_decay=1e-4)
        for step, rows in zip(range(_AUTOENCODER_STEPS), self._batches(), strict=False):
            _set_rate(optimiser, step / _AUTOENCODER_STEPS)
            images = self._images[rows]
            posterior = self._vae.encode(images).latent_dist
            decoded = self._vae.decode(posterior.sample()).sample
            loss = functional.l1_loss(decoded, images) + 1e-6 * posterior.kl().mean()
            _descend(loss, optimiser)
            if step % 50 == 0:
                print(f"autoencoder, step {step}: {loss.item():.4f}", flush=True)

    def _encoded(self) -> Tensor:
        with torch.inference_mode():
            batches = torch.split(self._images, 256)
            parts = [self._vae.encode(batch).latent_dist.mean for batch in batches]
        return torch.cat(parts).clone()

    def _denoiser(self, latents: Tensor, start: float, end: float) -> None:
        optimiser = torch.optim.AdamW(self._unet.parameters(), weight_decay=1e-3)
        steps = self._scheduler.config.num_train_timesteps
        average = {name: one.detach().clone() for name, one in self._unet.named_parameters()}
        losses: list[float] = []
        for step, rows in zip(count(), self._batches(), strict=False):
            share = (time.monotonic() - start) / (end - start)
            if share >= 1:
                break
            _set_rate(optimiser, share)
            noise, at = torch.randn_like(latents[rows]), torch.randint(0, steps, (_BATCH,))
            noisy = self._scheduler.add_noise(latents[rows], noise, at)
            target = self._scheduler.get_velocity(latents[rows], noise, at)
            heard = torch.where(torch.rand(_BATCH) < 0.1, 0, rows + 1)  # some without words
            velocity = self._unet(noisy, at, encoder_hidden_states=self._words[heard]).sample
            loss = functional.mse_loss(velocity, target)
            _descend(loss, optimiser)
            losses.append(loss.item())
            weight = min(0.998, (1 + step) / (10 + step))
            for name, one in self._unet.named_parameters():
                average[name].lerp_(one.detach(), 1 - weight)
            if step % 100 == 99:
                print(f"U-Net, step {step + 1}: {sum(losses[-100:]) / 100:.4f}", flush=True)
        self._unet.load_state_dict(average)

    def _write(self) -> None:
        import diffusers
        from safetensors.torch import save_model

        self._folder.mkdir(parents=True, exist_ok=True)
        save_model(self._both(), str(self._folder / _STATE))
        pipeline = diffusers.StableDiffusionPipeline(
            vae=self._vae.half(),
            unet=self._unet.half(),
            scheduler=self._scheduler,
            text_encoder=self._text.half(),
            tokenizer=self._tokenizer,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.save_pretrained(self._folder / "model", safe_serialization=True)


def _set_rate(optimiser: torch.optim.Optimizer, share: float) -> None:
    """Set the learning rate: up in the first fiftieth, then down by a cosine."""
    for group in optimiser.param_groups:
        group["lr"] = _RATE * min(1, 50 * share) * (1 + math.cos(math.pi * share)) / 2


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()


def main() -> None:
    """Train for some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--sets", type=int, default=_SETS)
    chosen = parser.parse_args()
    Trainer(chosen.folder, chosen.sets).train(chosen.minutes)


if __name__ == "__main__":
    main()
