"""Figures as bytes: the same input gives the same bytes, and nothing says when they were made."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UserError, flat

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".pdf", ".png", ".svg")
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_RULES: Any = {
    "svg.hashsalt": "social-harness",
    "svg.fonttype": "none",  # letters stay letters: small files, and text that can be searched
    "pdf.fonttype": 42,  # fonts that publishers take
    "text.parse_math": False,  # a name with dollar signs is a name
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.unicode_minus": True,
    "text.color": "#24292f",
    "axes.labelcolor": "#24292f",
    "axes.edgecolor": "#24292f",
    "xtick.color": "#24292f",
    "ytick.color": "#24292f",
}

Shown = TypeVar("Shown")


def figure_bytes(
    draw: Callable[[Shown], Figure],
    content: Shown,
    ending: str,
    *,
    note: str = "",
    clear: bool = False,
) -> bytes:
    """Draw and return the file's bytes.

    Args:
        draw: Takes ``content``; returns a ``matplotlib.figure.Figure``.
        content: Plain data.
        ending: ``.pdf``, ``.png`` or ``.svg``.
        note: Under the figure, such as the marks of what it shows.
        clear: Without a ground of its own, for a page that has one.

    Raises:
        UserError: another ending.
    """
    if ending not in ENDINGS:
        raise UserError(
            f"figures cannot be written as {ending or 'such'} files", fix=", ".join(ENDINGS)
        )
    from matplotlib import rc_context, rcdefaults

    form, buffer = ending[1:], io.BytesIO()
    with rc_context(), warnings.catch_warnings():
        # A letter that the font lacks is a box in the figure, no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        rcdefaults()
        with rc_context(_RULES):
            figure = draw(content)
            if note:
                figure.supxlabel(flat(note), fontsize="x-small", x=0.01, ha="left")
            figure.savefig(
                buffer, format=form, dpi=200, metadata=_METADATA[form], transparent=clear
            )
    return buffer.getvalue()
