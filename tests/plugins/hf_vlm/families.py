"""One tiny random checkpoint for each family that ``hf_vlm`` is tested on."""

# ruff: noqa: S106  tokens of a tokenizer are no passwords

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers

from tests.plugins.hf_vlm.tiny import (
    CHATML,
    PLAIN,
    qwen,
    qwen_words,
    save,
    seeded,
    text_settings,
    tokenizer,
)

hf: Any = transformers  # configs of many shapes, made from shared settings
_EYES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
_SIDE = {"height": 16, "width": 16}
_NORM: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def _id(words: Any, token: str) -> int:
    return int(words.convert_tokens_to_ids(token))


def llava(folder: Path) -> Path:
    words = tokenizer(template=PLAIN.replace("IMAGE", "<image>"), bos=True, image_token="<image>")
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**_EYES),
        text_config=hf.LlamaConfig(**text_settings(len(words))),
        image_token_id=_id(words, "<image>"),
    )
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=_SIDE),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.LlavaForConditionalGeneration, config), processor)


def llava_next(folder: Path) -> Path:
    words = tokenizer(template=PLAIN.replace("IMAGE", "<image>"), bos=True, image_token="<image>")
    pinpoints = [[16, 32], [32, 16], [32, 32]]
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**_EYES),
        text_config=hf.LlamaConfig(**text_settings(len(words))),
        image_token_id=_id(words, "<image>"),
        image_grid_pinpoints=pinpoints,
    )
    processor = hf.LlavaNextProcessor(
        hf.LlavaNextImageProcessor(
            size={"shortest_edge": 16}, crop_size=_SIDE, image_grid_pinpoints=pinpoints
        ),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.LlavaNextForConditionalGeneration, config), processor)


def paligemma(folder: Path) -> Path:
    words = tokenizer(bos=True, image_token="<image>")
    config = hf.PaliGemmaConfig(
        vision_config=hf.SiglipVisionConfig(**_EYES),
        text_config=hf.GemmaConfig(**text_settings(len(words))),
        image_token_id=_id(words, "<image>"),
        projection_dim=32,
        hidden_size=32,
    )
    images = hf.SiglipImageProcessor(size=_SIDE)
    images.image_seq_length = 4
    processor = hf.PaliGemmaProcessor(images, words)
    return save(folder, seeded(hf.PaliGemmaForConditionalGeneration, config), processor)


def gemma3(folder: Path) -> Path:
    words = tokenizer(
        template="<s>" + PLAIN.replace("IMAGE", "<start_of_image>"),
        bos=True,
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
    )
    config = hf.Gemma3Config(
        vision_config=hf.SiglipVisionConfig(**_EYES, vision_use_head=False),
        text_config=hf.Gemma3TextConfig(
            **text_settings(len(words), sliding_window=16, query_pre_attn_scalar=8),
            layer_types=["sliding_attention", "full_attention"],
        ),
        mm_tokens_per_image=4,
        boi_token_index=_id(words, "<start_of_image>"),
        eoi_token_index=_id(words, "<end_of_image>"),
        image_token_index=_id(words, "<image_soft_token>"),
    )
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size=_SIDE),
        words,
        image_seq_length=4,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.Gemma3ForConditionalGeneration, config), processor)


def idefics3(folder: Path) -> Path:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    words = tokenizer(
        "<fake_token_around_image>",
        "<end_of_utterance>",
        "<global-img>",
        *tiles,
        template=PLAIN.replace("IMAGE", "<image>"),
        bos=True,
        image_token="<image>",
    )
    config = hf.Idefics3Config(
        vision_config={**_EYES, "image_size": 32},
        text_config=hf.LlamaConfig(**text_settings(len(words))),
        image_token_id=_id(words, "<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    processor = hf.Idefics3Processor(
        hf.Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32}),
        words,
        image_seq_len=4,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.Idefics3ForConditionalGeneration, config), processor)


def idefics2(folder: Path) -> Path:
    words = tokenizer(
        "<end_of_utterance>",
        template=PLAIN.replace("IMAGE", "<image>"),
        bos=True,
        image_token="<image>",
        image_boundary_token="<fake_token_around_image>",
    )
    settings = text_settings(len(words))
    config = hf.Idefics2Config(
        vision_config=_EYES | {"image_size": 32},
        perceiver_config={
            "hidden_size": 32,
            "resampler_n_latents": 4,
            "resampler_depth": 1,
            "resampler_n_heads": 2,
            "resampler_head_dim": 8,
            "num_key_value_heads": 1,
        },
        text_config=hf.MistralConfig(**settings, sliding_window=None),
        image_token_id=_id(words, "<image>"),
    )
    processor = hf.Idefics2Processor(
        hf.Idefics2ImageProcessor(
            size={"shortest_edge": 16, "longest_edge": 32}, do_image_splitting=False
        ),
        words,
        image_seq_len=4,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.Idefics2ForConditionalGeneration, config), processor)


def internvl(folder: Path) -> Path:
    words = tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        template=CHATML.replace("IMAGE", "<IMG_CONTEXT>\n"),
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    config = hf.InternVLConfig(
        vision_config=hf.InternVLVisionConfig(
            **{**_EYES, "image_size": [32, 32], "patch_size": [8, 8]}
        ),
        text_config=hf.Qwen2Config(**text_settings(len(words))),
        image_token_id=_id(words, "<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(
            size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=2
        ),
        words,
        video_processor=hf.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.InternVLForConditionalGeneration, config), processor)


def _qformer(text: Any, words: Any, name: str) -> Any:
    queries = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "encoder_hidden_size": 16,
        "max_position_embeddings": 512,
        "vocab_size": len(words),
        "cross_attention_frequency": 1,
    }
    config = getattr(hf, f"{name}Config")(
        vision_config=_EYES,
        qformer_config=queries,
        text_config=text,
        num_query_tokens=4,
        image_token_index=_id(words, "<image>"),
    )
    return seeded(getattr(hf, f"{name}ForConditionalGeneration"), config)


def _opt(words: Any) -> Any:
    return hf.OPTConfig(
        vocab_size=len(words),
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        word_embed_proj_dim=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def blip2(folder: Path) -> Path:
    words = tokenizer("<image>", bos=True)
    images = hf.BlipImageProcessor(size=_SIDE)
    processor = hf.Blip2Processor(images, words, num_query_tokens=4)
    return save(folder, _qformer(_opt(words), words, "Blip2"), processor)


def blip2_t5(folder: Path) -> Path:
    words = tokenizer("<image>")
    text = hf.T5Config(
        vocab_size=len(words),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=2,
        feed_forward_proj="gated-gelu",
    )
    images = hf.BlipImageProcessor(size=_SIDE)
    processor = hf.Blip2Processor(images, words, num_query_tokens=4)
    return save(folder, _qformer(text, words, "Blip2"), processor)


def instructblip(folder: Path) -> Path:
    words = tokenizer("<image>", bos=True)
    images = hf.BlipImageProcessor(size=_SIDE)
    processor = hf.InstructBlipProcessor(images, words, words, num_query_tokens=4)
    return save(folder, _qformer(_opt(words), words, "InstructBlip"), processor)


def mllama(folder: Path) -> Path:
    words = tokenizer(
        template="<s>" + PLAIN.replace("IMAGE", "<|image|>"), bos=True, image_token="<|image|>"
    )
    settings = text_settings(len(words), num_hidden_layers=3)
    settings.pop("head_dim")
    config = hf.MllamaConfig(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 16,
            "patch_size": 8,
            "max_num_tiles": 4,
            "intermediate_layers_indices": [0],
            "vision_output_dim": 32,
        },
        text_config={**settings, "cross_attention_layers": [1]},
        image_token_index=_id(words, "<|image|>"),
    )
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessor(size=_SIDE, max_image_tiles=4, **_NORM),
        words,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.MllamaForConditionalGeneration, config), processor)


def glm4v(folder: Path) -> Path:
    special: dict[str, Any] = {
        "image_token": "<|image|>",
        "image_start_token": "<|begin_of_image|>",
        "image_end_token": "<|end_of_image|>",
        "video_token": "<|video|>",
    }
    displayed = "<|begin_of_image|><|image|><|end_of_image|>"
    words = tokenizer(
        "<|begin_of_video|>",
        "<|end_of_video|>",
        template=PLAIN.replace("IMAGE", displayed),
        **special,
    )
    rope = {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [1, 1, 2],
        "partial_rotary_factor": 1.0,
    }
    config = hf.Glm4vConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "num_heads": 2,
            "patch_size": 4,
            "image_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 24,
        },
        text_config=text_settings(len(words), rope_parameters=rope),
        image_token_id=_id(words, "<|image|>"),
        video_token_id=_id(words, "<|video|>"),
        image_start_token_id=_id(words, "<|begin_of_image|>"),
        image_end_token_id=_id(words, "<|end_of_image|>"),
        video_start_token_id=_id(words, "<|begin_of_video|>"),
        video_end_token_id=_id(words, "<|end_of_video|>"),
    )
    size = {"shortest_edge": 16 * 16, "longest_edge": 2 * 32 * 32}
    processor = hf.Glm4vProcessor(
        hf.Glm4vImageProcessor(size=size, patch_size=4),
        words,
        video_processor=hf.Glm4vVideoProcessor(patch_size=4),
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.Glm4vForConditionalGeneration, config), processor)


def deepseek_vl(folder: Path) -> Path:
    words = tokenizer(
        template=PLAIN.replace("IMAGE", "<image_placeholder>"),
        bos=True,
        image_token="<image_placeholder>",
    )
    config = hf.DeepseekVLConfig(
        vision_config=hf.SiglipVisionConfig(**_EYES),
        text_config=hf.LlamaConfig(**text_settings(len(words))),
        image_token_id=_id(words, "<image_placeholder>"),
    )
    processor = hf.DeepseekVLProcessor(
        hf.DeepseekVLImageProcessor(size=_SIDE, min_size=4),
        words,
        chat_template=words.chat_template,
        num_image_tokens=4,
    )
    return save(folder, seeded(hf.DeepseekVLForConditionalGeneration, config), processor)


def llava_onevision(folder: Path) -> Path:
    words = tokenizer(
        template=PLAIN.replace("IMAGE", "<image>"), image_token="<image>", video_token="<video>"
    )
    pinpoints = [[16, 32], [32, 16], [32, 32]]
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**_EYES, vision_use_head=False),
        text_config=hf.Qwen2Config(**text_settings(len(words))),
        image_token_id=_id(words, "<image>"),
        video_token_id=_id(words, "<video>"),
        image_grid_pinpoints=pinpoints,
    )
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessor(size=_SIDE, image_grid_pinpoints=pinpoints),
        words,
        hf.LlavaOnevisionVideoProcessor(size=_SIDE),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.LlavaOnevisionForConditionalGeneration, config), processor)


def aya_vision(folder: Path) -> Path:
    words = tokenizer(
        "<|START_OF_IMG|>",
        "<|END_OF_IMG|>",
        "<|IMG_LINE_BREAK|>",
        "TILE",
        "TILE_GLOBAL",
        template=PLAIN.replace("IMAGE", "<image>"),
        bos=True,
        image_token="<image>",
        image_patch_token="<|IMG_PATCH|>",
    )
    settings = text_settings(len(words), sliding_window=4096)
    config = hf.AyaVisionConfig(
        vision_config=hf.SiglipVisionConfig(**{**_EYES, "image_size": 32}, vision_use_head=False),
        text_config=hf.Cohere2Config(**settings, layer_types=["full_attention"] * 2),
        image_token_id=_id(words, "<|IMG_PATCH|>"),
        downsample_factor=2,
    )
    processor = hf.AyaVisionProcessor(
        hf.GotOcr2ImageProcessor(
            size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=2
        ),
        words,
        patch_size=16,
        img_size=32,
        downsample_factor=1,
        chat_template=words.chat_template,
    )
    return save(folder, seeded(hf.AyaVisionForConditionalGeneration, config), processor)


def qwen2_vl(folder: Path) -> Path:
    return qwen(folder, "qwen2_vl")


def qwen3_5(folder: Path) -> Path:
    """A decoder with a layer of linear attention."""
    words, ids, template = qwen_words()
    vision = {"depth": 2, "num_heads": 2, "patch_size": 4, "temporal_patch_size": 2}
    vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
    config = hf.Qwen3_5Config(
        vision_config={**vision, "num_position_embeddings": 16},
        text_config=text_settings(
            len(words),
            rope_parameters={**rope, "mrope_interleaved": True, "partial_rotary_factor": 1.0},
            layer_types=["linear_attention", "full_attention"],
            linear_num_value_heads=2,
            linear_num_key_heads=2,
            linear_key_head_dim=8,
            linear_value_head_dim=8,
        ),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    size = {"shortest_edge": 16 * 16, "longest_edge": 48 * 48}
    processor = hf.Qwen3VLProcessor(
        image_processor=hf.Qwen2VLImageProcessor(size=size, patch_size=4),
        tokenizer=words,
        video_processor=hf.Qwen3VLVideoProcessor(patch_size=4),
        chat_template=template,
    )
    return save(folder, seeded(hf.Qwen3_5ForConditionalGeneration, config), processor)


def lfm2_vl(folder: Path) -> Path:
    """A decoder with a layer of convolution."""
    words = tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        template=CHATML.replace("IMAGE", "<image>"),
        image_token="<image>",
        image_start_token="<|image_start|>",
        image_end_token="<|image_end|>",
        image_thumbnail="<|img_thumbnail|>",
    )
    eyes = {name: _EYES[name] for name in ("hidden_size", "intermediate_size")}
    config = hf.Lfm2VlConfig(
        vision_config=hf.Siglip2VisionConfig(
            **eyes, num_hidden_layers=2, num_attention_heads=2, patch_size=4, num_patches=16
        ),
        text_config=hf.Lfm2Config(
            **text_settings(len(words), layer_types=["conv", "full_attention"]),
            block_ff_dim=48,
            block_auto_adjust_ff_dim=False,
        ),
        image_token_id=_id(words, "<image>"),
        downsample_factor=2,
    )
    images = hf.Lfm2VlImageProcessor(
        encoder_patch_size=4,
        tile_size=16,
        max_image_tokens=16,
        min_image_tokens=4,
        max_num_patches=64,
        do_image_splitting=False,
        downsample_factor=2,
    )
    processor = hf.Lfm2VlProcessor(images, words, chat_template=words.chat_template)
    return save(folder, seeded(hf.Lfm2VlForConditionalGeneration, config), processor)


def blip(folder: Path) -> Path:
    """Its text looks at the image by cross-attention."""
    words = tokenizer(bos=True)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    config = hf.BlipConfig(
        text_config={**sizes, "vocab_size": len(words), "encoder_hidden_size": 16},
        vision_config={**_EYES},
    )
    processor = hf.BlipProcessor(hf.BlipImageProcessor(size=_SIDE), words)
    return save(folder, seeded(hf.BlipForConditionalGeneration, config), processor)


def git(folder: Path) -> Path:
    """Its image comes before any text."""
    words = tokenizer(bos=True)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    config = hf.GitConfig(
        vision_config={**_EYES},
        **sizes,
        vocab_size=len(words),
        num_attention_heads=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    processor = hf.GitProcessor(hf.CLIPImageProcessor(size={"shortest_edge": 16}), words)
    return save(folder, seeded(hf.GitForCausalLM, config), processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    made.__name__: made
    for made in (
        llava,
        llava_next,
        paligemma,
        gemma3,
        idefics2,
        idefics3,
        internvl,
        blip2,
        blip2_t5,
        instructblip,
        mllama,
        glm4v,
        deepseek_vl,
        llava_onevision,
        aya_vision,
        qwen2_vl,
    )
}
