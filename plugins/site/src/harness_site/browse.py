"""Data of the sample browser: small columns to filter by, and chunks of what is shown.

A set is the samples of one task fingerprint; its evaluations share ids and order. Files::

    index.js         models, slices and the names of their values
    slice-N.js       the value (by number) of every sample, read when a page filters by it
    went-RUN.js      how every sample went, read when a page filters by it
    said-RUN.js      the answer (by number) to every sample, read when two models are compared
    right.js         the right answer (by number) to every sample, read when one is looked for
    sure-RUN.js      the share of the option that was chosen, -1 without scores, read to sort
    ask-N.js         prompts, right answers and images of a chunk
    RUN-N.js         answers of a chunk
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, zip_longest
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError
from harness.evaluation.score import normalised
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.specs.resolve import read_resolved
from harness.specs.spec import ChooseSpec, TaskSpec
from harness.tables.rows import names_of, placed

from harness_site.files import Site, plain
from harness_site.questions import AskedQuestion, Questions

CHUNK = 250
LONGEST = 20_000
RIGHT, WRONG, PARTLY, UNPARSED, REFUSED, ERROR, OPEN = "rwpuxen"
FAILED = frozenset((WRONG, UNPARSED, REFUSED))


@dataclass
class Set:
    """Evaluations of the same samples.

    Attributes:
        name: Its folder and page.
        records: The evaluations.
        counts: For each evaluation of a choice task, samples by right answer and answer.
    """

    name: str
    records: list[EvaluationRecord]
    counts: list[Counter[tuple[str, str]]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The task, and how it was asked otherwise."""
        record = self.records[0]
        return f"{record.task_title} ({record.variant})" if record.variant else record.task_title

    @cached_property
    def names(self) -> list[str]:
        """The evaluations' names, each with what tells it from its namesakes."""
        placements = placed(self.records, None, any_seed=False)
        by_key = names_of(placements)
        names = [by_key[placement.key] for placement in placements]
        return [
            name if names.count(name) == 1 else f"{name} #{placement.record.fingerprint[:8]}"
            for name, placement in zip(names, placements, strict=True)
        ]


def outcome(sample: SampleRecord, *, graded: bool = True) -> str:
    """Return how a sample went, as one letter.

    Args:
        sample: Its record.
        graded: Whether its score is better when higher, with 1 for a right answer.
    """
    if sample.error is not None:
        return ERROR
    if sample.problem:
        return REFUSED if sample.problem == "refusal" else UNPARSED
    if graded and sample.score is not None:
        return RIGHT if sample.score >= 1 else PARTLY if sample.score > 0 else WRONG
    if isinstance(sample.target, str):
        return RIGHT if sample.answer == sample.target else WRONG
    return OPEN


def write_set(site: Site, task_set: Set, questions: Questions) -> None:
    """Write the data of one set, and count what was answered.

    Raises:
        DataError: two evaluations of one task fingerprint hold other samples.
    """
    folder = f"samples/{task_set.name}"
    shared = _Shared(folder)
    went = []
    for index, record in enumerate(task_set.records):
        outcomes, counts = _answers(site, shared, index, record)
        went.append(outcomes)
        task_set.counts.append(counts)
    looked_at = first_looks(went, questions.wanted)
    slices = _questions(site, folder, task_set.records[0], questions, looked_at)
    for number, (_, of) in enumerate(slices.values()):
        site.data(f"{folder}/slice-{number}", of)
    site.data(
        f"{folder}/index",
        {
            "size": len(shared.ids),
            "chunk": CHUNK,
            "labels": read_resolved(task_set.records[0].directory).labels,
            "numbers": shared.of_labels,
            "models": [
                {"name": name, "marks": list(record.marks)}
                for name, record in zip(task_set.names, task_set.records, strict=True)
            ],
            "slices": [
                {"name": name, "values": list(values)} for name, (values, _) in slices.items()
            ],
        },
    )


def first_looks(went: Sequence[str], number: int) -> set[int]:
    """Return the places of samples that people look at first.

    Three quarters are failures, of each evaluation in turn the next one, as the browser lists
    them; the rest, and what failures leave, is spread evenly over all.

    Args:
        went: The outcomes of all samples, for each evaluation.
        number: How many at most.
    """
    chosen: dict[int, None] = {}
    failures = [
        [position for position, letter in enumerate(held) if letter in FAILED] for held in went
    ]
    turns = (
        position for turn in zip_longest(*failures) for position in turn if position is not None
    )
    for position in turns:
        if len(chosen) >= 3 * number // 4:
            break
        chosen[position] = None
    others = [position for position in range(len(went[0])) if position not in chosen]
    left = min(number - len(chosen), len(others))
    return {*chosen, *(others[at * len(others) // left] for at in range(left))}


def _questions(
    site: Site,
    folder: str,
    record: EvaluationRecord,
    questions: Questions,
    looked_at: Container[int],
) -> dict[str, tuple[dict[str, int], list[int]]]:
    """Write what was asked; return the values of each slice, and of each sample its value."""
    count = 0
    slices: dict[str, tuple[dict[str, int], list[int]]] = {}
    stream = questions.each()
    for number, chunk in enumerate(_chunks(read_samples(record.directory))):
        prompts: dict[Any, int] = {}
        items = []
        for sample in chunk:
            matching = next((one for name, one in stream if name == sample.id), None)
            question = AskedQuestion()
            if matching is not None:
                question = questions.asked(matching, with_images=count in looked_at)
            if sample.sent is not None:  # what was sent, whatever the data here would give
                question = replace(question, turns=sample.sent.turns, options=sample.sent.options)
                questions.prompts_kept = True
            key = (question.turns, question.options)
            items.append(
                [
                    _short(sample.id),
                    _short(_right(sample.target)),
                    prompts.setdefault(key, len(prompts)),
                    [name.rpartition("/")[2] for name in question.images],
                    question.note,
                    [name.rpartition("/")[2] for name in question.large],
                    [[name, group.value, group.source] for name, group in sample.groups.items()],
                    [[name, _short(plain(value))] for name, value in sample.fields.items()],
                ]
            )
            for name in sample.groups.keys() - slices.keys():
                slices[name] = {}, [-1] * count
            for name, (values, of) in slices.items():
                group = sample.groups.get(name)
                of.append(-1 if group is None else values.setdefault(group.value, len(values)))
            count += 1
        prompts_shown = [
            [[[role, _short(text)] for role, text in turns], list(options)]
            for turns, options in prompts
        ]
        site.data(f"{folder}/ask-{number}", {"prompts": prompts_shown, "items": items})
    return dict(sorted(slices.items()))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What evaluations of a set share: a folder, ids in order, and a number for each answer."""

    folder: str
    ids: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    of_labels: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of an answer, a new one for an answer that none gave before."""
        return self.numbers.setdefault(text, len(self.numbers))


def _answers(
    site: Site, shared: _Shared, index: int, record: EvaluationRecord
) -> tuple[str, Counter[tuple[str, str]]]:
    """Write the answers of one evaluation; return outcomes, and samples by target and answer.

    The first evaluation says which samples there are.
    """
    folder, ids = shared.folder, shared.ids
    spec = read_resolved(record.directory)
    graded = record.main.direction == "higher"
    outcomes: list[str] = []
    answer_codes: list[int] = []
    right_codes: list[int] = []
    shares: list[float] = []
    counts: Counter[tuple[str, str]] = Counter()
    for number, chunk in enumerate(_chunks(read_samples(record.directory))):
        items = []
        if not index:
            ids += (sample.id for sample in chunk)
        for sample in chunk:
            if len(answer_codes) >= len(ids) or sample.id != ids[len(answer_codes)]:
                raise DataError(
                    "its samples differ from those of other evaluations with the same fingerprint",
                    where=record.directory,
                )
            letter, answer = outcome(sample, graded=graded), sample.answer
            text = plain(answer)
            outcomes.append(letter)
            answer_codes.append(-1 if answer is None else shared.number(text))
            if not index:
                target = sample.target
                right_codes.append(shared.number(target) if isinstance(target, str) else -1)
            items.append(_item(sample, letter, text, spec))
            shares.append(_share(*items[-1][-2:]))
            if spec.labels and letter != ERROR and isinstance(sample.target, str):
                counts[sample.target, "" if answer is None else text] += 1
        site.data(f"{folder}/{index}-{number}", items)
    if len(answer_codes) != len(ids):
        raise DataError("it holds fewer samples than another evaluation with the same fingerprint",
                        where=record.directory)  # fmt: skip
    site.data(f"{folder}/went-{index}", "".join(outcomes))
    site.data(f"{folder}/said-{index}", answer_codes)
    site.data(f"{folder}/sure-{index}", shares)
    if not index:
        site.data(f"{folder}/right", right_codes)
        shared.of_labels.update({label: shared.number(label) for label in spec.labels})
    return "".join(outcomes), counts


def _item(sample: SampleRecord, letter: str, answer: str, spec: TaskSpec) -> list[Json]:
    error, written = sample.error, sample.written
    kind, scores = _scores(sample, spec)
    return [
        letter,
        _short(answer),
        sample.score,
        _short(sample.text),
        "" if written is None else written.finish or "",
        sample.problem,
        "" if error is None else _short(f"{error.kind}: {error.message}"),
        kind,
        scores,
    ]


def _scores(sample: SampleRecord, spec: TaskSpec) -> tuple[str, list[Json]]:
    """Return scores as the spec compares them, with what they are."""
    scores = sample.scores
    if scores is None or not scores.values:
        return "", []
    rule = spec.ask.normalisation if isinstance(spec.ask, ChooseSpec) else "none"
    values = normalised(scores, rule)
    per = "" if rule == "none" else f" per {rule}"
    return f"{scores.kind}{per}", [_digits(value) for value in values]


def _share(kind: Json, scores: Json) -> float:
    """Return the share of the highest option among all; -1 without scores that make shares."""
    if not isinstance(scores, list) or not scores or not str(kind).startswith(("logprob", "label")):
        return -1
    values = [float(str(score)) for score in scores]
    if str(kind).startswith("label"):
        return max(values)
    highest = max(values)
    if not math.isfinite(highest):
        return -1
    return round(1 / math.fsum(math.exp(value - highest) for value in values), 4)


def _digits(value: float) -> float:
    """Return a score for a page: six digits, so that small shares do not read as 0."""
    return float(f"{value:.6g}")


def _right(target: Json) -> str:
    """Return what is right as text; of several people's answers, each once with its number."""
    if not isinstance(target, list) or not all(isinstance(one, str) for one in target):
        return plain(target)
    counts = Counter(plain(one) for one in target)
    return ", ".join(one if n == 1 else f"{one} (x{n})" for one, n in counts.most_common())


def _chunks(samples: Iterable[SampleRecord]) -> Iterator[list[SampleRecord]]:
    samples = iter(samples)
    while chunk := list(islice(samples, CHUNK)):
        yield chunk


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text) - LONGEST} more characters are in samples.jsonl)"
