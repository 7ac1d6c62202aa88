"""What a reader yields: one question about people, with its images as references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.descriptors import Json
from harness.errors import SampleError
from harness.samples.roots import DataRoot


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image that has not been opened: a file under a root, bytes in memory, or bytes fetched.

    Attributes:
        name: POSIX path relative to ``root``, or a label for ``data`` and ``load``; with
            ``load`` it is this image's alone within the benchmark.
        root: Where the file lies, and what it must stay inside.
        data: Encoded bytes, when the benchmark embeds its images.
        load: Returns the encoded bytes each time it is called, from inside a larger file; raises
            SampleError where they cannot be had. It holds plain data, so that it can be pickled.
    """

    name: str
    root: DataRoot | None = None
    data: bytes | None = None
    load: Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A named box. ``unit`` says whether corners are pixels or shares of width and height.

    Corners may be inverted or outside the image, as some releases have them; views sort and clip.

    Attributes:
        size: Width and height in pixels of the image that corners in pixels were marked on, where
            the release says so: on a copy of another size the box is scaled with it.
        holds: A point within the box, as shares of the image's width and height, where the release
            gives one (the eye of a head). A box in pixels that misses it was marked on an image of
            another size, or is marked oddly.
    """

    name: str
    x1: float
    y1: float
    x2: float
    y2: float
    unit: Literal["pixel", "relative"] = "pixel"
    size: tuple[int, int] | None = None
    holds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A sample's value in one slice, and whether a person or a machine said so."""

    value: str
    source: Literal["human", "machine", "drawn"] = "human"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sample cannot be asked: a short stable word, and one sentence."""

    kind: str
    message: str

    def error(self) -> SampleError:
        """Return it as what is recorded."""
        return SampleError(self.kind, self.message)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a task.

    Attributes:
        id: Stable across machines; unique within the task's split.
        images: References; nothing is opened until the sample is asked.
        target: The right answer as the reader's layout has it: a label, or for gaze a list of
            ``[x, y]`` points, one an annotator, each a share of width and height; ``None`` where
            there is none (a test split without answers, a question about a stereotype).
        cluster: The unit that statistics resample (image, subject, sequence, counterfactual set).
        stratum: Clusters are resampled within it; empty where the task has one stratum.
        fields: What the prompt template may see.
        groups: Slices this sample belongs to.
        boxes: Boxes that views crop to or mark, in the order the prompt names them.
        notes: What a record says of the sample beside its answer, such as annotators whose points
            are missing: a few words to how often. Tables tell their sums.
        fault: What keeps it from being asked, such as a target without a single valid point; it is
            counted as an error.
    """

    id: str
    images: tuple[ImageRef, ...]
    target: Json
    cluster: str
    fields: Mapping[str, Json] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    stratum: str = ""
    notes: Mapping[str, int] = field(default_factory=dict)
    fault: Fault | None = None
