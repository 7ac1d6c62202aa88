"""The pictures: repeatable, different from each other, and in agreement with their boxes."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from harness_demo_world.chance import between, identifier, stream
from harness_demo_world.drawing.canvas import Canvas, mix, shade
from harness_demo_world.drawing.cues import CUES
from harness_demo_world.drawing.faces import EXPRESSIONS, draw_face
from harness_demo_world.drawing.gaze import draw_gaze
from harness_demo_world.drawing.gestures import draw_gesture
from harness_demo_world.drawing.hands import CLASSES, GESTURES, TWO_HANDED
from harness_demo_world.drawing.interactions import INTERACTIONS, draw_frame
from harness_demo_world.drawing.relations import RELATIONS, draw_relation
from harness_demo_world.drawing.scenes import draw_person, draw_sign, draw_table
from harness_demo_world.people import POOL, person
from harness_demo_world.world import (
    COUNTS,
    face,
    frame,
    frames,
    gaze,
    gesture,
    relation,
    sequences,
    stereotype,
)


def test_a_stream_depends_on_its_name_only() -> None:
    assert stream(0, "a", 1).random() == stream(0, "a", 1).random()
    assert stream(0, "a", 1).random() != stream(0, "a", 2).random()
    assert stream(0, "a", 1).random() != stream(1, "a", 1).random()
    assert identifier(0, "x") == identifier(0, "x") != identifier(1, "x")


def test_colours_stay_colours() -> None:
    assert shade((100, 100, 100), 0.5) == (50, 50, 50)
    assert max(shade((250, 250, 250), 1.9)) <= 255
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)


def test_an_unpainted_canvas_draws_nothing() -> None:
    canvas = Canvas(96, 96, paint=False)
    canvas.box(0, 0, 96, 96, (0, 0, 0))
    assert canvas.image().size == (1, 1)
    assert canvas.image().getpixel((0, 0)) != (0, 0, 0)


def test_every_gesture_has_a_drawing() -> None:
    assert set(GESTURES) | set(TWO_HANDED) | {"no_gesture"} == set(CLASSES)
    assert len(CLASSES) == 34


def test_every_gesture_looks_different_on_the_same_person() -> None:
    who = person(0, "test", 3)
    pictures = {draw_gesture(who, label, stream(0, "same")).image.tobytes() for label in CLASSES}
    assert len(pictures) == 34


@pytest.mark.parametrize("index", [0, 5, 33])
def test_facts_are_the_same_without_paint(index: int) -> None:
    assert gesture(0, "test", index)[2].boxes == gesture(0, "test", index, paint=False)[2].boxes
    assert gaze(0, "test", index)[1].target == gaze(0, "test", index, paint=False)[1].target
    assert relation(0, "test", index)[3].boxes == relation(0, "test", index, paint=False)[3].boxes
    landmarks = face(0, "test", index)[2].landmarks
    assert landmarks == face(0, "test", index, paint=False)[2].landmarks


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_paint_leaves_everything_to_the_same_chance(seed: int) -> None:
    who, other = person(seed, "test", 3), person(seed, "test", 4)
    drawings: list[Callable[[random.Random, bool], object]] = [
        *(partial(draw_gesture, who, label) for label in CLASSES),
        *(partial(draw_face, who, label) for label in EXPRESSIONS),
        *(partial(draw_relation, who, other, label) for label in RELATIONS),
        *(partial(draw_frame, [(who, other, label)] * 2) for label in INTERACTIONS),
        *(partial(draw_person, who, concept) for concept in CUES),
        partial(draw_gaze, who),
        draw_table,
        partial(draw_sign, "stop"),
    ]
    for draw in drawings:
        painted, unpainted = stream(seed, "paint"), stream(seed, "paint")
        draw(painted, True)
        draw(unpainted, False)
        assert painted.getstate() == unpainted.getstate(), draw


def test_whole_numbers_are_those_of_the_standard_library() -> None:
    expected, library = stream(0, "numbers"), stream(0, "numbers")
    for low, high in ((0, 3), (2, 18), (90, 255), (5, 5), (0, 63), (0, 64), (-7, 1000)) * 50:
        assert between(expected, low, high) == library.randint(low, high)


def test_the_thing_looked_at_lies_on_the_line_of_sight() -> None:
    for index in range(50):
        _, scene = gaze(0, "test", index, paint=False)
        x1, y1, x2, y2 = scene.head_box
        head = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) / 96
        sight = np.array(scene.eye) - head
        aim = np.array(scene.target) - head
        cosine = float(sight @ aim / np.linalg.norm(sight) / np.linalg.norm(aim))
        assert cosine > 0.95
        for name, x, y in scene.things:
            if name != scene.thing:
                other = np.array([x, y]) - head
                assert float(other @ aim / np.linalg.norm(other) / np.linalg.norm(aim)) < 0.9


def test_people_of_different_splits_share_no_identity() -> None:
    ids = {
        split: {person(0, split, index).user_id for index in range(count)}
        for split, count in POOL.items()
    }
    assert not ids["train"] & ids["val"]
    assert not ids["train"] & ids["test"]
    assert not ids["val"] & ids["test"]


def test_frames_hold_all_pairs_with_balanced_interactions() -> None:
    for split in ("train", "val", "test"):
        assert sum(name.count for name in frames(split)) == COUNTS["jrdb_social"][split]
        assert all(2 <= name.count <= 4 for name in frames(split))
    assert not set(sequences("train")) & set(sequences("test"))
    labels = [
        label for name in frames("test") for _, _, label in frame(0, "test", name, paint=False)[0]
    ]
    assert {labels.count(name) for name in INTERACTIONS} == {50}


def test_the_stereotype_is_in_the_training_faces_only_and_set_by_the_seed() -> None:
    assert len({stereotype(seed) for seed in range(12)}) > 3
    biased = stereotype(0)
    shares = {}
    for split in ("train", "test"):
        people = [
            who
            for who, label, _ in (face(0, split, i, paint=False) for i in range(420))
            if label == biased.expression
        ]
        shares[split] = sum(who.gender == biased.gender for who in people) / len(people)
    assert shares["train"] > 0.7
    assert shares["test"] < 0.7
