"""Where the tiny models' weights lie in the installed package."""

from __future__ import annotations

from pathlib import Path

PARTS = ("encoder", "language_model", "socialfusion", "llava")
"""An open_clip folder, a transformers folder, the SocialFusion model made of both, and a LLaVA."""


def folder(part: str = "") -> Path:
    """Return the folder of one of PARTS, or the folder that holds them all."""
    if part and part not in PARTS:
        raise ValueError(f"the demo world has no weights {part!r}: {list(PARTS)}")
    return Path(__file__).parent / "weights" / part
