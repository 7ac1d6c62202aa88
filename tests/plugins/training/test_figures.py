"""An epoch's figures as a reader sees them."""

from __future__ import annotations

from harness_training.figures import came_to, chosen, measuring, parts

RECORD = {
    "epoch": 0,
    "copies": 130,
    "max_skew": 0.62349,
    "min_skew": None,
    "pool": 1000,
    "samples_of": {"raf_db": 40, "cmsc": 1200},
    "loss": 0.45041,
    "samples": 1098,
    "steps": 1069,
    "encoding_seconds": 1.0,
    "measuring_seconds": 2.0,
    "training_seconds": 5.0,
}


def test_what_a_recipe_chose_is_named_by_its_own_figures() -> None:
    assert list(chosen(RECORD)) == [
        "copies 130",
        "max skew 0.623",
        "min skew undefined",
        "pool 1,000",
    ]
    assert list(parts(RECORD)) == ["samples of: raf_db 40, cmsc 1,200"]
    assert list(chosen({})) == list(parts({})) == []


def test_a_finished_epoch_says_steps_and_loss_and_what_measuring_took() -> None:
    assert came_to(RECORD) == "1,069 steps, loss 0.4504, measuring 25 % of the time"
    assert came_to({"steps": 3, "loss": 1.0, "validation": 0.9}) == (
        "3 steps, loss 1.0000, validation 0.9000"
    )
    assert came_to({"steps": 3, "loss": 1.0, "validation": None}) == "3 steps, loss 1.0000"


def test_an_epoch_without_measuring_says_nothing_of_it() -> None:
    assert list(measuring({"training_seconds": 5.0})) == []
    assert list(measuring({"measuring_seconds": 0.0})) == []
