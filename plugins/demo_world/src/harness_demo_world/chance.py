"""Repeatable chance: every drawn item has a generator that depends on its name alone."""

from __future__ import annotations

import hashlib
import random

VERSION = "4"
"""Version of the world; raised whenever the bytes of any file would change."""


def stream(seed: int, *name: str | int) -> random.Random:
    """Return the generator of the item called `name` in the world with this seed.

    `random.Random` keeps its sequence over Python versions, and the name is hashed, so an
    item's draw depends neither on the order of drawing nor on the number of processes.
    """
    text = "|".join(str(part) for part in ("demo_world", VERSION, seed, *name))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def between(rng: random.Random, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`: what `rng.randint` draws, without its checks.

    The world draws half a million of them.
    """
    number = high - low + 1
    bits = number.bit_length()
    drawn = rng.getrandbits(bits)
    while drawn >= number:
        drawn = rng.getrandbits(bits)
    return low + drawn


def identifier(seed: int, *name: str | int) -> str:
    """Return a stable hexadecimal name of 32 digits for an item."""
    text = "|".join(str(part) for part in ("demo_world id", VERSION, seed, *name))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
