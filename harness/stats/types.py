"""Types of statistics, for annotations; importing them loads numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Label = tuple[tuple[str, str], ...]
"""Attribute values of a sample, such as ``(("race", "Black"), ("gender", "female"))``."""
