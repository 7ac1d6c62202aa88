"""Capital letters on a grid of 5 by 7, so that drawn words need no font file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_demo_world.drawing.canvas import Canvas, Colour

_ROWS: dict[str, str] = {
    "a": "01110 10001 10001 11111 10001 10001 10001",
    "b": "11110 10001 10001 11110 10001 10001 11110",
    "c": "01111 10000 10000 10000 10000 10000 01111",
    "d": "11110 10001 10001 10001 10001 10001 11110",
    "e": "11111 10000 10000 11110 10000 10000 11111",
    "f": "11111 10000 10000 11110 10000 10000 10000",
    "g": "01111 10000 10000 10011 10001 10001 01111",
    "h": "10001 10001 10001 11111 10001 10001 10001",
    "i": "11111 00100 00100 00100 00100 00100 11111",
    "k": "10001 10010 10100 11000 10100 10010 10001",
    "l": "10000 10000 10000 10000 10000 10000 11111",
    "m": "10001 11011 10101 10101 10001 10001 10001",
    "n": "10001 11001 10101 10101 10011 10001 10001",
    "o": "01110 10001 10001 10001 10001 10001 01110",
    "p": "11110 10001 10001 11110 10000 10000 10000",
    "r": "11110 10001 10001 11110 10100 10010 10001",
    "s": "01111 10000 10000 01110 00001 00001 11110",
    "t": "11111 00100 00100 00100 00100 00100 00100",
    "u": "10001 10001 10001 10001 10001 10001 01110",
    "w": "10001 10001 10001 10101 10101 11011 10001",
    "x": "10001 10001 01010 00100 01010 10001 10001",
    "y": "10001 10001 01010 00100 00100 00100 00100",
    "z": "11111 00001 00010 00100 01000 10000 11111",
}

WORDS = (
    "stop", "open", "exit", "cafe", "taxi", "hotel", "bank", "shop", "park", "bus", "slow",
    "sale", "zoo", "pizza", "books", "fish", "milk", "tea", "north", "west", "pull", "push",
    "danger", "welcome",
)  # fmt: skip
"""The words that signs say."""


def width(word: str, pixel: float) -> float:
    """Return how wide a word is in pixels."""
    return (6 * len(word) - 1) * pixel


def write(canvas: Canvas, word: str, left: float, top: float, pixel: float, colour: Colour) -> None:
    """Write a word of the letters above, `pixel` output pixels a grid cell."""
    for position, letter in enumerate(word):
        for row, cells in enumerate(_ROWS[letter].split()):
            for column, cell in enumerate(cells):
                if cell == "1":
                    x, y = left + (6 * position + column) * pixel, top + row * pixel
                    canvas.box(x, y, x + pixel, y + pixel, colour)
