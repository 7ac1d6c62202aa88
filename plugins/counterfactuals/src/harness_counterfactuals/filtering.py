"""Scores the images of a finished folder by the filters of a spec, and joins the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import plugin_call
from harness.progress import EachMinute
from harness.targets import load_target

from harness_counterfactuals.cards import write_cards
from harness_counterfactuals.contract import Filter, Score, filters
from harness_counterfactuals.manifest import SCORES, About, Drop, Row

if TYPE_CHECKING:
    from harness.descriptors import Json

    from harness_counterfactuals.folder import SetFolder

HUMAN = "human"
"""Name of the scores that reviewers gave; filters never replace them."""


def apply_filters(
    folder: SetFolder,
    chosen: Sequence[tuple[str, Mapping[str, Json]]],
    drop: Drop,
    say: Callable[[str], None],
) -> list[Row]:
    """Score every image by each filter, write the scores, and write manifest and cards anew.

    Scores of filters that are not chosen any more are removed; those of reviewers stay.

    Args:
        folder: A finished folder.
        chosen: Filter and its parsed options, in order.
        drop: What goes when one image is not fit.
        say: Takes notes on progress.

    Returns:
        The manifest's rows.

    Raises:
        UserError: a filter cannot be had, raises, or breaks its contract; an image was changed.
    """
    names = [name for name, _ in chosen]
    for path in (folder.directory / SCORES).glob("*.jsonl"):
        if path.stem not in {*names, HUMAN}:
            say(f"{path.stem} is no longer a filter of the spec: its scores are removed")
            path.unlink()
    if chosen:
        _write_scores(folder, chosen, say)
    rows = folder.write_manifest(drop)
    # The sealed description has the filters of the spec as it was when the images were made.
    now: list[dict[str, Json]] = [
        {"filter": name, "options": dict(options)} for name, options in chosen
    ]
    write_cards(replace(folder, about=replace(folder.about, filters=now, drop=drop)), rows)
    return rows


def make_filters(chosen: Sequence[tuple[str, Mapping[str, Json]]], about: About) -> list[Filter]:
    """Return the filters that a spec names, in its order, with what they score by loaded.

    Args:
        chosen: Filter and its parsed options.
        about: What the folder says of itself.

    Raises:
        UserError: a filter cannot be had, or raises.
    """
    installed, made = filters() if chosen else {}, list[Filter]()
    for name, options in chosen:
        with plugin_call(f"filter {name!r}", "make", installed[name].target):
            made.append(load_target(installed[name])(options, about))
    return made


def _write_scores(
    folder: SetFolder,
    chosen: Sequence[tuple[str, Mapping[str, Json]]],
    say: Callable[[str], None],
) -> None:
    """Write what each filter finds, set by set; each image is opened once."""
    installed = filters()
    with ExitStack() as files:
        made: list[tuple[str, Filter, Callable[[Row, Score], None]]] = []
        for (name, options), filter_ in zip(
            chosen, make_filters(chosen, folder.about), strict=True
        ):
            with plugin_call(f"filter {name!r}", "make", installed[name].target):
                settings: dict[str, Json] = {"options": dict(options), "needs": dict(filter_.needs)}
                version = filter_.version
            write = files.enter_context(folder.open_scores(name, version, settings))
            made.append((name, filter_, write))
        count = EachMinute(say, "filters", folder.about.sets, "sets")
        for _, rows in folder.sets():
            images = [folder.image(row) for row in rows]
            for name, filter_, write in made:
                with plugin_call(f"filter {name!r}", "score", installed[name].target):
                    scores = list(zip(rows, filter_.score(images, rows), strict=True))
                for row, score in scores:
                    write(row, score)
            count.advance()
