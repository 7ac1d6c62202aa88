"""Readers and recipes that break one promise each, beside ones that keep them all."""

# ruff: noqa: ARG002  the contracts' signatures

from __future__ import annotations

import csv
import random as global_random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.errors import DataError
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness.training import Epoch, Recipe


class Reader:
    """Rows of name, label and subject."""

    def __init__(self, options: Any) -> None:
        pass

    def annotations(self, root: DataRoot, split: str) -> Any:
        if split != "test":
            raise DataError(f"there is no split {split!r}")
        return ["test.csv"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        (name,) = self.annotations(root, split)
        try:
            for row in csv.reader(self.text(root, name).splitlines(), strict=True):
                if len(row) != 3 or not all(row):
                    raise DataError("not three columns", where=root.where(name))
                yield self.sample(root, *row)
        except csv.Error as error:
            raise DataError(str(error), where=root.where(name)) from None

    def text(self, root: DataRoot, name: str) -> str:
        return root.read_text(name)

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        image = ImageRef(f"images/{name}", root)
        return Sample(name, (image,), label, subject, groups={"gender": Group("female")})


class NamesNothing(Reader):
    """annotations"""

    def annotations(self, root: DataRoot, split: str) -> Any:
        super().annotations(root, split)
        return []

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        for line in root.read_text("test.csv").splitlines():
            yield self.sample(root, *line.split(","))


class NamesGone(Reader):
    """annotations"""

    def annotations(self, root: DataRoot, split: str) -> Any:
        return [*super().annotations(root, split), "more.csv"]


class AllAtOnce(Reader):
    """streaming"""

    def samples(self, root: DataRoot, split: str) -> Any:
        return list(super().samples(root, split))


class OpensImages(Reader):
    """streaming"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        root.read_bytes(f"images/{name}")
        return super().sample(root, name, label, subject)


class OneId(Reader):
    """ids"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        return replace(super().sample(root, name, label, subject), id="sample")


class NamesFolder(Reader):
    """ids"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        return replace(super().sample(root, name, label, subject), id=f"{root}/{name}")


class NotPlain(Reader):
    """values"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        return replace(super().sample(root, name, label, subject), fields={"age": float("nan")})


class NoImages(Reader):
    """images"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        return super().sample(root, f"{name}.bmp", label, subject)


class NotPickled(Reader):
    """images"""

    def sample(self, root: DataRoot, name: str, label: str, subject: str) -> Sample:
        image = ImageRef(name, load=lambda: root.read_bytes(f"images/{name}"))
        return replace(super().sample(root, name, label, subject), images=(image,))


class Shuffled(Reader):
    """determinism"""

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        samples = list(super().samples(root, split))
        global_random.shuffle(samples)
        yield from samples


class ByPath(Reader):
    """archive"""

    def text(self, root: DataRoot, name: str) -> str:
        text = super().text(root, name)
        return text if root.local(name) is not None else text.replace("happy", "sad")


class AnySplit(Reader):
    """splits"""

    def annotations(self, root: DataRoot, split: str) -> Any:
        return ["test.csv"]


class Trusts(Reader):
    """damage"""

    def text(self, root: DataRoot, name: str) -> str:
        return root.read_bytes(name).decode()


class SaysNothing(Reader):
    """damage"""

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        for line in root.read_bytes("test.csv").decode("latin-1").splitlines():
            row = f"{line},,".split(",")
            yield self.sample(root, f"{row[0]}{len(line)}", row[1], row[2] or "s")


class Plain(Recipe):
    """Plain fine-tuning."""

    def __init__(self, options: Any) -> None:
        self.epochs = 0


class TwoLines(Plain):
    """data"""

    def check(self, pool: Any) -> Any:
        return ["one\ntwo"]


class NotPlainFigures(Plain):
    """epochs"""

    def epoch(self, number: int, pool: Any, measure: Any, random: Any) -> Epoch:
        return replace(super().epoch(number, pool, measure, random), figures={"of": object()})  # type: ignore[dict-item]


class KeepsHistory(Plain):
    """resume"""

    def epoch(self, number: int, pool: Any, measure: Any, random: Any) -> Epoch:
        self.epochs += 1
        return Epoch(list(range(self.epochs)))


class OtherChance(Plain):
    """randomness"""

    def epoch(self, number: int, pool: Any, measure: Any, random: Any) -> Epoch:
        return Epoch(global_random.sample(range(len(pool)), 5))


class FirstOnly(Plain):
    """trains"""

    def trains(self, part: str, name: str) -> bool:
        self.epochs += 1
        return self.epochs < 2


class NoGradient(Plain):
    """loss"""

    def loss(self, logprobs: Any, mask: Any, weights: Any) -> Any:
        return super().loss(logprobs.detach(), mask, weights) + 0 * logprobs.sum()


class SumOfSamples(Plain):
    """mean"""

    def loss(self, logprobs: Any, mask: Any, weights: Any) -> Any:
        return len(weights) * super().loss(logprobs, mask, weights)


class IgnoresWeights(Plain):
    """zero_weight"""

    def loss(self, logprobs: Any, mask: Any, weights: Any) -> Any:
        return super().loss(logprobs, mask, weights.clamp(min=0.1))


class ReadsPadding(Plain):
    """padding"""

    def loss(self, logprobs: Any, mask: Any, weights: Any) -> Any:
        return (weights * -logprobs.sum(1)).mean()


class WeighsByHistory(Plain):
    """token_weights"""

    def token_weights(self, example: Any, tokens: Any) -> Any:
        self.epochs += 1
        return [float(self.epochs)] * len(tokens)


class EndsBadly(Plain):
    """finished"""

    def finished(self, number: int, figures: Any) -> None:
        raise KeyError("skew")
