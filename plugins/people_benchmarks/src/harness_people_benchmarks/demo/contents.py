"""What the twins are called, without a line of drawing: the plugin loads with every command."""

from __future__ import annotations

BENCHMARKS: tuple[str, ...] = (
    "pairs", "genderbias_vl", "sb_bench", "vlbiasbench", "pope", "fer_plus", "vl_checklist",
    "face_human_bench", "imagenet", "karpathy", "emotic",
)  # fmt: skip
VERSION = 1
"""Raised when a byte of a drawn twin changes."""
