"""Images and what is true of them, drawn straight into memory for the encoder."""

from __future__ import annotations

import io
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
from harness.samples.images import open_image
from harness.samples.sample import Box, ImageRef
from harness.samples.views import View, apply_view
from PIL import Image

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import CUES, Cues, show
from harness_demo_world.drawing.gaze import SIZE, GazeScene
from harness_demo_world.drawing.portrait import draw_portrait
from harness_demo_world.questions import someone, street, table
from harness_demo_world.training import words
from harness_demo_world.world import face, frame, frames, gaze, gesture, relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Corners = tuple[float, float, float, float]

# The views of the five tasks' specs.
_FULL = View()
_PERSON = View(colours=("red",))
_PAIR = View(colours=("red", "blue"))
_CROPPED = View(crop=True, colours=("red", "blue"))
_SHARE = 400
_SCENES = ("person", "table", "street")
_FRESH = 1_000_000
_CUELESS = 0.15


@dataclass(frozen=True, slots=True)
class Picture:
    """A shown image: pixels (SIZE, SIZE, 3) uint8, true captions, phrases with their place.

    Places are shares of the image. `task` and `label` are for validation.
    """

    pixels: NDArray[np.uint8]
    captions: tuple[str, ...]
    places: tuple[tuple[str, float, float], ...]
    task: str
    label: str


def _shown(image: Image.Image, view: View, boxes: Sequence[Corners] = ()) -> NDArray[np.uint8]:
    """Return the image as the harness shows it after the data source wrote and read it."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=92, subsampling=0)
    loaded = open_image(ImageRef("drawn.jpg", data=memory.getvalue()))
    named = [Box(f"box {number}", *box) for number, box in enumerate(boxes)]
    pixels = apply_view(loaded, view, named).pixels
    if pixels.size != (SIZE, SIZE):
        pixels = pixels.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.asarray(pixels, dtype=np.uint8)


def gaze_facts(scene: GazeScene) -> tuple[list[str], list[tuple[str, float, float]]]:
    """Return the captions of a gaze scene, and the phrases that can be pointed at."""
    x1, y1, x2, y2 = scene.head_box
    head = ((x1 + x2) / 2 / SIZE, (y1 + y2) / 2 / SIZE)
    way = math.atan2(scene.target[1] - head[1], scene.target[0] - head[0])
    direction = round(way / (math.pi / 4)) % 8
    captions = words.gaze_captions(scene.thing, direction, scene.target, head)
    places = [(words.LOOKED_AT, *scene.target), (words.FACE, *head)]
    places.append((words.place(*scene.target), *scene.target))
    places += [(words.phrase(name), x, y) for name, x, y in scene.things]
    return captions, places


def _whole(box: Corners) -> Corners:
    """Return a box in whole pixels, as PISC's annotations have it."""
    x1, y1, x2, y2 = (float(round(value)) for value in box)
    return x1, y1, x2, y2


def _somewhere(seed: int, task: str, index: int) -> tuple[str, float, float]:
    """Return the phrase of a place by chance: every patch must know where it lies."""
    rng = stream(seed, "place", task, index)
    x, y = rng.random(), rng.random()
    return words.place(x, y), x, y


def _scene(
    task: str, seed: int, split: str, index: int, anywhere: tuple[str, float, float]
) -> Picture:
    """Return an image of a person at something, of things, or of a sign."""
    if task == "table":
        scene = table(seed, split, _FRESH + index)[1]
        captions = words.table_captions(scene)
        places = [(words.phrase(f"{t.colour} {t.name}"), t.x, t.y) for t in scene.things]
        return Picture(
            _shown(scene.image, _FULL), tuple(captions), (*places, anywhere), task, captions[0]
        )
    if task == "street":
        street_scene, word = street(seed, split, _FRESH + index)
        captions = [words.sign_caption(word)]
        return Picture(_shown(street_scene.image, _FULL), tuple(captions), (anywhere,), task, word)
    rng = stream(seed, "person", split, _FRESH + index)
    concept = tuple(CUES)[index % len(CUES)]
    who = someone(seed, split, concept, rng, biased=split == "train")
    bare = rng.random() < _CUELESS
    cues = Cues() if bare else show(concept, rng)
    # A bare portrait says nothing of a concept, to people or to captions.
    captions = words.person_captions(who, cues, "" if bare else concept)
    image = _shown(draw_portrait(who, cues, rng), _FULL)
    return Picture(image, tuple(captions), (anywhere,), task, "" if bare else concept)


def _draw(task: str, seed: int, split: str, index: int) -> Iterator[Picture]:
    """Yield the images of one item: one, or one a pair for stitched frames."""
    anywhere = _somewhere(seed, task, index)
    if task == "hagridv2":
        _, label, made = gesture(seed, split, index)
        box = made.united or made.boxes[0]
        centre = ((box[0] + box[2] / 2) / SIZE, (box[1] + box[3] / 2) / SIZE)
        image = _shown(made.image, _FULL)
        captions = tuple(words.gesture_captions(label))
        yield Picture(image, captions, (("the hand", *centre), anywhere), task, label)
    elif task == "raf_db":
        _, label, portrait = face(seed, split, index)
        image = _shown(portrait.image, _FULL)
        yield Picture(image, tuple(words.expression_captions(label)), (anywhere,), task, label)
    elif task == "pisc":
        _, _, label, pair = relation(seed, split, index)
        image = _shown(pair.image, _PAIR, [_whole(box) for box in pair.boxes])
        yield Picture(image, tuple(words.relation_captions(label)), (anywhere,), task, label)
    elif task == "gazefollow":
        _, look = gaze(seed, split, index)
        captions_, places = gaze_facts(look)
        image = _shown(look.image, _PERSON, [look.head_box])
        label = f"{look.target[0]:.3f} {look.target[1]:.3f}"
        yield Picture(image, tuple(captions_), (*places, anywhere), task, label)
    elif task in _SCENES:
        yield _scene(task, seed, split, index, anywhere)
    else:
        name = frames(split)[index]
        pairs, stitched = frame(seed, split, name)
        for (_, _, label), two in zip(pairs, stitched.boxes, strict=True):
            image = _shown(stitched.image, _CROPPED, two)
            yield Picture(image, tuple(words.interaction_captions(label)), (anywhere,), task, label)


def _share(job: tuple[str, int, str, range]) -> list[Picture]:
    task, seed, split, span = job
    return [picture for index in span for picture in _draw(task, seed, split, index)]


def pictures(task: str, seed: int, split: str, count: int, workers: int) -> list[Picture]:
    """Return the images of the first `count` items of a task's split, in order."""
    spans = [range(low, min(low + _SHARE, count)) for low in range(0, count, _SHARE)]
    jobs = [(task, seed, split, span) for span in spans]
    if workers <= 1:
        return [picture for job in jobs for picture in _share(job)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [picture for share in pool.map(_share, jobs) for picture in share]
