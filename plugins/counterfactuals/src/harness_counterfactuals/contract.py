"""What a filter of counterfactual sets is, and how one is found by its name.

A filter looks at one set at a time, gives numbers to its images, and may say why an image is not
fit. Nothing is deleted: scores and reasons stand beside the images, see
:meth:`harness_counterfactuals.folder.SetFolder.write_scores`.

A distribution adds filters by an entry point of the group ``harness_counterfactuals.filters`` that
names a sequence of :class:`FilterDescriptor`; those of this one are in
``harness_counterfactuals.filters:DESCRIPTORS``. Light: no torch, numpy or Pillow is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from harness.descriptors import Descriptor, Json, Option

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row

GROUP = "harness_counterfactuals.filters"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterDescriptor(Descriptor):
    """A filter. The target is a factory ``(options, about) -> Filter``.

    Attributes:
        options: What a spec may set under ``filters``, thresholds included.
    """

    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What a filter finds of one image.

    Attributes:
        values: Numbers by name; ``None`` where a number is not defined, such as the distance of a
            base to itself.
        drops: Why the image is not fit, in a few words; empty when it is.
    """

    values: Mapping[str, float | None] = field(default_factory=dict)
    drops: str = ""


class Filter(Protocol):
    """Scores the images of one set at a time; sets come in the order of the plan.

    Attributes:
        name: Its id, as the spec names it.
        version: Raised when its code moves a score.
        needs: What its scores depend on beside the options: models with their hashes, packages
            with versions. Recorded with the scores.
    """

    name: str
    version: str
    needs: Mapping[str, str]

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return a score for each image of a set.

        Args:
            images: Every image of one set (RGB), in the order of ``rows``.
            rows: What the manifest says of each; rows of one ``base`` differ in the edited
                attribute alone.
        """
        ...


class FilterFactory(Protocol):
    """Makes a filter from parsed options and what the folder says of itself."""

    def __call__(self, options: Mapping[str, Json], about: About) -> Filter:
        """Return the filter.

        Raises:
            UserError: something that it needs is not there.
        """
        ...


def filters() -> dict[str, FilterDescriptor]:
    """Return every filter that is installed, by its id; none is imported."""
    from importlib.metadata import entry_points

    listed = [one for point in entry_points(group=GROUP) for one in point.load()]
    return {one.id: one for one in sorted(listed, key=lambda one: one.id)}
