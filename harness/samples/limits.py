"""Bounds of what is opened. Light, so that the command line can show them."""

from __future__ import annotations

MAX_PIXELS = 200_000_000
"""Pixels of an image; a larger one is an error of its sample (see ``--max-megapixels``)."""
