"""Short hashes of ids: limits and splits choose by them, so that every machine chooses alike."""

from __future__ import annotations

import hashlib


def id_hash(text: str) -> bytes:
    """Return 64 bits of BLAKE2b; they sort as :func:`id_number` does."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def id_number(text: str) -> int:
    """Return :func:`id_hash` as a number below 2^64."""
    return int.from_bytes(id_hash(text), "big")
