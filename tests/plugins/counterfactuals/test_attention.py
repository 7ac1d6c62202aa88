"""Prompt-to-Prompt on a tiny random SDXL: what is replaced, exactly, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from diffusers.models.attention_processor import AttnProcessor2_0  # noqa: E402
from harness_counterfactuals import attention, editors, generate  # noqa: E402
from harness_counterfactuals.checkpoints import TEXT_TO_IMAGE, open_checkpoint  # noqa: E402
from harness_counterfactuals.plan import Base, PlannedImage, planned_sets  # noqa: E402
from harness_counterfactuals.spec import Editing, Spec  # noqa: E402
from harness_counterfactuals.templates import fill  # noqa: E402
from harness_counterfactuals.tiny import write_tiny  # noqa: E402

from harness.errors import UserError  # noqa: E402

from .specs import spec_with  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any], Spec]:
    """The pipeline, its tokenizers, and a spec of its size."""
    folder = tmp_path_factory.mktemp("tiny")
    checkpoint = open_checkpoint(str(write_tiny(folder)), TEXT_TO_IMAGE)
    return (
        generate.load_pipeline(checkpoint, "float32", CPU),
        checkpoint.tokenizers(),
        spec_with(folder),
    )


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute in one thread: how several share a sum depends on the batch, as the command says."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(
    tiny: tuple[Any, list[Any], Spec], editor: Editing, base: Base | None = None, batch: int = 8
) -> list[np.ndarray[Any, Any]]:
    pipeline, tokenizers, spec = tiny
    spec = replace(spec, editor=editor)
    sampler = generate.Sampler(pipeline, spec)
    maker = editors.PromptToPrompt(spec, sampler, tokenizers, batch, lambda _: None)
    base = base or next(planned_sets(spec)).bases[0]
    return [np.asarray(image) for image in maker.make(base, 7)]


def plain(tiny: tuple[Any, list[Any], Spec], prompts: list[str]) -> list[np.ndarray[Any, Any]]:
    """Images of the pipeline with diffusers' own attention."""
    pipeline, _, spec = tiny
    pipeline.unet.set_attn_processor(AttnProcessor2_0())
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(7))
    images = pipeline(
        prompts,
        num_inference_steps=spec.generator.steps,
        guidance_scale=spec.generator.guidance,
        negative_prompt=[""] * len(prompts),
        height=32,
        width=32,
        latents=noise.repeat(len(prompts), 1, 1, 1),
    ).images
    return [np.asarray(image) for image in images]


def equal(first: list[np.ndarray[Any, Any]], second: list[np.ndarray[Any, Any]]) -> bool:
    return all(map(np.array_equal, first, second))


def test_share_0_is_plain_generation(tiny: Any) -> None:
    base = next(planned_sets(tiny[2])).bases[0]
    prompts = [image.prompt.text for image in base.images]
    assert equal(made(tiny, Editing(cross=0, self_share=0)), plain(tiny, prompts))


def test_the_source_is_made_as_if_nothing_were_edited(tiny: Any) -> None:
    alone = made(tiny, Editing(cross=0, self_share=0))
    edited = made(tiny, Editing(cross=1, self_share=1))
    assert np.array_equal(alone[0], edited[0])
    assert not np.array_equal(alone[1], edited[1])


def test_equal_prompts_give_equal_images(tiny: Any) -> None:
    prompt = fill("a photo of {a race} man", {"race": "Asian"})
    same = Base("x", tuple(PlannedImage({}, str(at), prompt) for at in range(3)), 1)
    images = made(tiny, Editing(cross=0.5, self_share=0.5), same)
    assert equal(images, [images[0]] * 3)


def test_a_batch_of_fewer_rows_gives_the_same_bytes(tiny: Any, one_thread: None) -> None:
    editor = Editing(blend=("{race}",))
    assert equal(made(tiny, editor), made(tiny, editor, batch=2))


def test_replaced_maps_are_the_sources_to_0(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row's map, read off with the identity as its values, is the source's moved by hand."""
    edits: attention.Edits | None = None
    seen: list[int] = []
    original = attention.Control.cross

    def cross(self: attention.Control, query: Any, key: Any, value: Any) -> Any:
        nonlocal edits
        edits = self.edits
        assert edits is not None
        if self.step < self.cross_steps:
            rows = edits.rows
            eye = torch.eye(77).expand(len(query), query.shape[1], 77, 77)
            maps = original(self, query, key, eye)[rows:]  # those with the prompt
            source = torch.nn.functional.scaled_dot_product_attention(query, key, eye)[rows]
            for row in range(rows):
                moved = source @ edits.mixes[row] if row else source
                assert torch.allclose(maps[row], moved, atol=1e-6)
                remaining = (edits.mixes[row] == torch.eye(77)).all(0)
                assert torch.equal(maps[row][..., remaining], source[..., remaining])
        seen.append(self.step)
        return original(self, query, key, value)

    monkeypatch.setattr(attention.Control, "cross", cross)
    made(tiny, Editing(cross=0.5))
    assert set(seen) == {0, 1, 2, 3}


def test_self_attention_is_the_sources_for_its_share_of_the_steps(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[tuple[int, bool], int] = {}
    original = attention.Control.self_

    def self_(self: attention.Control, query: Any, key: Any, value: Any) -> Any:
        eye = torch.eye(query.shape[2]).expand(len(query), query.shape[1], -1, -1)
        maps = original(self, query, key, eye)[3:]
        shared = bool(torch.equal(maps[1], maps[0]))
        if query.shape[2] <= self.self_positions:
            counts[self.step, shared] = counts.get((self.step, shared), 0) + 1
        else:
            assert not shared
        return original(self, query, key, value)

    monkeypatch.setattr(attention.Control, "self_", self_)
    made(tiny, Editing(cross=0, self_share=0.5))
    assert {key for key in counts if key[0] < 2} == {(0, True), (1, True)}
    assert {key for key in counts if key[0] >= 2} == {(2, False), (3, False)}


def test_a_local_blend_keeps_the_source_outside_its_words(tiny: Any) -> None:
    nothing = Editing(cross=0, self_share=0, blend=("chef",), threshold=1.0, blend_from=0.0)
    images = made(tiny, nothing)
    assert equal(images, [images[0]] * 3)  # no region is over its own largest value
    some = made(tiny, replace(nothing, threshold=0.9))
    assert not equal(some, [some[0]] * 3)


def test_reweighting_and_refining_change_edited_rows_alone(tiny: Any) -> None:
    replaced = made(tiny, Editing(cross=1))
    for editor in (Editing(cross=1, reweight={"chef": 3.0}), Editing(cross=1, edit="refine")):
        other = made(tiny, editor)
        assert np.array_equal(replaced[0], other[0])
        assert not np.array_equal(replaced[1], other[1])


@pytest.mark.slow
def test_stable_diffusion_is_edited_too(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write_tiny(tmp_path, xl=False)), TEXT_TO_IMAGE)
    pipeline = generate.load_pipeline(checkpoint, "float32", CPU)
    item = (pipeline, checkpoint.tokenizers(), spec_with(tmp_path))
    base = next(planned_sets(item[2])).bases[0]
    prompts = [image.prompt.text for image in base.images]
    assert equal(made(item, Editing(cross=0, self_share=0)), plain(item, prompts))
    assert not equal(made(item, Editing()), plain(item, prompts))


def test_too_little_memory_makes_smaller_batches_of_the_same_images() -> None:
    requested: list[list[int]] = []
    notes: list[int] = []

    def make(rows: list[int]) -> list[Any]:
        requested.append(rows)
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [f"image {row}" for row in rows]

    images: list[Any] = generate.in_batches(6, 6, make, notes.append)
    assert images == [f"image {row}" for row in range(6)]
    assert requested == [[0, 1, 2, 3, 4, 5], [0, 1, 2], [0, 3, 4], [0, 5]]
    assert notes == [3]


def test_memory_that_holds_no_two_images_is_said() -> None:
    def make(_: list[int]) -> list[Any]:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(UserError, match="is too small for two images"):
        generate.in_batches(6, 6, make, lambda _: None)
    with pytest.raises(RuntimeError, match="another"):
        generate.in_batches(2, 2, _fails, lambda _: None)


def _fails(_: list[int]) -> list[Any]:
    raise RuntimeError("another fault")
