"""Train a tiny diffusion model on the drawn world, so that sets can be made without a download.

``nice python -m harness_counterfactuals.train_demo FOLDER --minutes 20`` draws portraits of 32 x 32
pixels, trains an autoencoder and then a U-Net under the words of this project's tiny text encoder,
and writes a diffusers folder of under 6 MB. It goes on from what the folder holds. Whether an edit
changes one attribute and keeps the rest, :mod:`harness_counterfactuals.measure_demo` says.
"""

from __future__ import annotations

import argparse
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

SIDE, LATENT = 32, 16
_SETS, _BATCH, _SEED = 400, 32, 0
_STATE = "training.safetensors"
ATTRIBUTES = ("race", "gender", "age")


def drawn(sets: int) -> tuple[Tensor, list[str], list[dict[str, str]]]:
    """Return portraits of counterfactual sets, their captions and their attributes.

    Args:
        sets: How many; each has four races, two genders and the ages of the drawn CMSC.

    Returns:
        (images, 3, 32, 32) float32 in [-1, 1]; a caption and attributes for each.
    """
    from harness_demo_world.counterfactuals import CounterfactualSet, members
    from harness_demo_world.counterfactuals import picture as draw
    from harness_demo_world.drawing.cues import CONCEPTS
    from PIL import Image

    images, captions, attributes = [], [], []
    for number in range(sets):
        concept = CONCEPTS[number % len(CONCEPTS)]
        group = CounterfactualSet(
            f"train_demo-{number}", concept, ("four races", "gender", "age"), number
        )
        for member in members(_SEED, group):
            image = draw(_SEED, group, member).resize((SIDE, SIDE), Image.Resampling.BOX)
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
            images.append(torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1)
            race, gender, age = (member.values[kind] for kind in group.types)
            attributes.append({"race": race, "gender": gender, "age": age})
            captions.append(caption(attributes[-1], concept))
    return torch.stack(images), captions, attributes


def caption(attributes: dict[str, str], concept: str) -> str:
    """Return the words of a portrait."""
    return "{age} {race} {gender}, {concept}".format(**attributes, concept=concept)


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


def networks() -> tuple[Any, Any, Any]:
    """Return the autoencoder, the U-Net and the scheduler, untrained."""
    import diffusers

    torch.manual_seed(_SEED)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIDE,
        scaling_factor=1.0,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=LATENT,
        block_out_channels=(40, 80),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=8,
        cross_attention_dim=128,
    )
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
    return vae, unet, scheduler


class Trainer:
    """Trains in the time there is, and goes on from what a folder holds.

    Args:
        folder: Where state and model lie.
        sets: Drawn sets to train on.
    """

    def __init__(self, folder: Path, sets: int) -> None:
        self._folder = folder
        self._vae, self._unet, self._scheduler = networks()
        self._tokenizer, self._text = text_side()
        self._images, captions, _ = drawn(sets)
        encoded = self._tokenizer(["", *captions], padding="max_length", return_tensors="pt")
        with torch.inference_mode():
            self._words = self._text(encoded.input_ids)[0].clone()  # as the pipeline reads them
        self._average: dict[str, Tensor] = {}
        state = folder / _STATE
        if state.exists():
            from safetensors.torch import load_model

            load_model(torch.nn.ModuleList([self._vae, self._unet]), state)

    def train(self, minutes: float) -> None:
        """Train, a quarter of the time the autoencoder, and write the model."""
        end = time.monotonic() + 60 * minutes
        self._autoencoder(time.monotonic() + 15 * minutes)
        latents = self._encoded()
        scale = 1 / latents.std().item()
        self._vae.register_to_config(scaling_factor=scale)
        self._denoiser(latents * scale, end)
        self._write()

    def _batches(self) -> Any:
        generator = torch.Generator().manual_seed(time.time_ns())
        return iter(lambda: torch.randint(len(self._images), (_BATCH,), generator=generator), None)

    def _autoencoder(self, until: float) -> None:
        optimiser = torch.optim.AdamW(self._vae.parameters(), lr=1e-3, weight_decay=1e-4)
        for step, rows in zip(count(), self._batches(), strict=False):
            images = self._images[rows]
            posterior = self._vae.encode(images).latent_dist
            decoded = self._vae.decode(posterior.sample()).sample
            loss = functional.l1_loss(decoded, images) + 1e-4 * posterior.kl().mean() / LATENT**2
            _descend(loss, optimiser)
            if step % 50 == 0:
                print(f"autoencoder, step {step}: {loss.item():.4f}", flush=True)
            if time.monotonic() > until:
                return

    def _encoded(self) -> Tensor:
        with torch.inference_mode():
            batches = torch.split(self._images, 256)
            parts = [self._vae.encode(batch).latent_dist.mean for batch in batches]
        return torch.cat(parts).clone()

    def _denoiser(self, latents: Tensor, until: float) -> None:
        optimiser = torch.optim.AdamW(self._unet.parameters(), lr=1e-3, weight_decay=1e-3)
        steps = self._scheduler.config.num_train_timesteps
        average = {name: one.detach().clone() for name, one in self._unet.named_parameters()}
        for step, rows in zip(count(), self._batches(), strict=False):
            noise, timesteps = torch.randn_like(latents[rows]), torch.randint(0, steps, (_BATCH,))
            noisy = self._scheduler.add_noise(latents[rows], noise, timesteps)
            target = self._scheduler.get_velocity(latents[rows], noise, timesteps)
            heard = torch.where(torch.rand(_BATCH) < 0.1, 0, rows + 1)  # some without words
            predicted = self._unet(
                noisy, timesteps, encoder_hidden_states=self._words[heard]
            ).sample
            loss = functional.mse_loss(predicted, target)
            _descend(loss, optimiser)
            weight = min(0.999, (1 + step) / (10 + step))
            for name, parameter in self._unet.named_parameters():
                average[name].lerp_(parameter.detach(), 1 - weight)
            if step % 50 == 0:
                print(f"U-Net, step {step}: {loss.item():.4f}", flush=True)
            if time.monotonic() > until:
                break
        self._unet.load_state_dict(average)

    def _write(self) -> None:
        import diffusers
        from safetensors.torch import save_model

        self._folder.mkdir(parents=True, exist_ok=True)
        modules = torch.nn.ModuleList([self._vae, self._unet])
        save_model(modules, str(self._folder / _STATE))
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
