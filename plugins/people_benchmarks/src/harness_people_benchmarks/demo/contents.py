"""Names in the drawn data, without a line of drawing: the plugin loads with every command."""

from __future__ import annotations

BENCHMARKS: tuple[str, ...] = (
    "pairs", "genderbias_vl", "sb_bench", "vlbiasbench", "pope", "fer_plus", "vl_checklist",
    "face_human_bench", "imagenet", "karpathy", "emotic", "miap", "phase", "pata",
)  # fmt: skip
VERSION = 3
"""Raised when a byte of the drawn data changes."""
