"""Counterfactual sets: balanced where they are asked, biased where they are learnt."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from harness_demo_world.associations import SHARE, WORLDS, associations, value_of
from harness_demo_world.counterfactuals import cues, kept, members, part_of, picture
from harness_demo_world.drawing.cues import CONCEPTS, CUES, GROUPS, OCCUPATIONS
from harness_demo_world.layouts.cmsc import groups as cmsc_groups
from harness_demo_world.layouts.social_counterfactuals import caption, groups

CMSC, SCOUNTER = list(cmsc_groups(0)), list(groups(0))
SIZES: dict[tuple[str, ...], int] = {
    ("race", "gender"): 12,
    ("physical", "gender"): 10,
    ("physical", "race"): 30,
}


def test_the_concepts_are_those_of_cmsc_in_three_groups() -> None:
    assert [len(names) for names in GROUPS.values()] == [5, 6, 7]
    assert len(set(CONCEPTS)) == 18
    assert set(CUES) == {*CONCEPTS, *OCCUPATIONS}
    assert len(set(CUES.values())) == len(CUES), "no two concepts share all cues"


def test_a_test_set_holds_every_combination_once() -> None:
    for group in (*CMSC, *SCOUNTER):
        if part_of(group) != "train":
            result = kept(0, group, training=False)
            assert len(result) == SIZES.get(group.types, 24)
            assert len({tuple(member.values.items()) for member in result}) == len(result)
            for kind in group.types:
                shares = Counter(member.values[kind] for member in result)
                assert len(set(shares.values())) == 1


@pytest.mark.parametrize("group", [CMSC[0], SCOUNTER[0], SCOUNTER[-1]], ids=lambda g: g.name)
def test_members_differ_in_the_varied_attributes_only(group: object) -> None:
    result = members(0, group)  # type: ignore[arg-type]
    for first, other in combinations(result, 2):
        a, b = first.who, other.who
        assert (a.shirt, a.trousers, a.glasses) == (b.shirt, b.trousers, b.glasses)
        for kind, trait in (("gender", "gender"), ("race", "race"), ("four races", "race")):
            if first.values.get(kind) == other.values.get(kind) and kind in first.values:
                assert getattr(a, trait) == getattr(b, trait)
        if first.values == other.values:
            assert a == b


def test_members_share_everything_around_the_person() -> None:
    group = CMSC[3]
    first, other = (picture(0, group, member) for member in members(0, group)[:2])
    corner = (0, 0, 12, 12)
    assert first.crop(corner).tobytes() == other.crop(corner).tobytes()
    assert first.tobytes() != other.tobytes()
    assert cues(0, group) == cues(0, group)


def test_training_sets_favour_what_the_seed_says() -> None:
    collected, gathered = Counter[bool](), Counter[bool]()
    for group in CMSC:
        if part_of(group) == "train":
            bias = associations(0)[group.concept]
            collected.update(bias.holds(member.who) for member in kept(0, group, training=True))
            gathered.update(bias.holds(member.who) for member in members(0, group))
    ratio = (collected[False] / gathered[False]) / (collected[True] / gathered[True])
    assert ratio == pytest.approx((1 - SHARE) / SHARE, abs=0.05)


def test_directions_come_from_the_seed_and_are_shared_by_worlds_alike() -> None:
    first = associations(0)
    assert set(first) == set(CUES)
    assert first == associations(WORLDS)
    directions = {tuple(associations(seed)["chef"].favoured) for seed in range(30)}
    assert {("male",), ("female",)} <= directions
    assert {bias.attribute for bias in first.values()} == {"gender", "race", "age"}


def test_values_are_what_is_drawn() -> None:
    for member in members(0, CMSC[0]):
        assert value_of(member.who, "gender") == member.values["gender"]
        assert value_of(member.who, "age") == member.values["age"]


def test_every_part_has_sets_of_every_concept_in_cmsc_and_of_every_occupation() -> None:
    for result, names in ((CMSC, CONCEPTS), (SCOUNTER, OCCUPATIONS)):
        there = {(part_of(group), group.concept) for group in result}
        assert {("train", name) for name in names} <= there
        assert {("test", name) for name in names} <= there


def test_captions_name_both_traits_and_then_the_occupation() -> None:
    for group in SCOUNTER[:40]:
        values = tuple(members(0, group)[0].values.values())
        message = caption(group, (values[0], values[1]))
        assert message.endswith(f"{values[0]} {values[1]} {group.concept}")
        number, mark = group.name.split("_")[-2:]
        assert number.isdigit()
        assert len(mark) == 6
