"""How the four analyses are shown: columns and rows of a table, and captions of pages."""

from __future__ import annotations

from typing import Any

from harness.analysis.board import AnalysisView, Board
from harness.analysis.results import Analysis
from harness.runs.record import titled

from harness_analyses.cells import (
    cell_of,
    column_of,
    put_loss,
    put_value,
    row_namer,
)


def _fill_probe(analysis: Analysis, board: Board) -> None:
    """Fill a row for each encoder, layer and pooling, with what it lost against the first."""
    probed = analysis.table("probe").records()
    lost = {
        (row["second"], row["task"], row["layer"], row["pooling"]): row
        for table in analysis.tables
        if table.name == "degradation"
        for row in table.records()
    }
    named = row_namer(probed)
    for row in probed:
        put_value(analysis, board, named(row), row)
        if lost:
            key = row["encoder"], row["task"], row["layer"], row["pooling"]
            put_loss(analysis, board, named(row), row, lost.get(key))


def _fill_gradients(analysis: Analysis, board: Board) -> None:
    pairs = {
        key: row
        for row in analysis.table("pairs").records()
        for key in ((row["first"], row["second"]), (row["second"], row["first"]))
    }
    own_rows = {row["task"]: row for row in analysis.table("tasks").records()}
    for first, itself in own_rows.items():
        for second in own_rows:
            column = column_of({"task": second}, "cosine", "cosine", "none", 1.0)
            row, value = (itself, "own") if first == second else (pairs[first, second], "mean")
            board.put(str(first), column, cell_of(analysis, row, value, 1.0))


def _fill_transfer(analysis: Analysis, board: Board) -> None:
    rows = analysis.table("transfer").records()
    mixtures = {(row["model"], row["tasks"]) for row in rows}
    several_mixtures = len(mixtures) > len({model for model, _ in mixtures})
    for row in rows:
        column = column_of(row, "change", "change, %", "higher", 100.0)
        name = f"{row['model']}, joint {row['tasks']}" if several_mixtures else str(row["model"])
        board.put(name, column, cell_of(analysis, row, "relative", 100.0))


def _fill_mir(analysis: Analysis, board: Board) -> None:
    model: Any = analysis.about["model"]
    name = titled(str(model["id"]), model.get("training"), model.get("method"))
    if name in board.rows:
        name = f"{name} ({str(model['fingerprint'])[:8]})"
    for row in analysis.table("mir").records():
        column = column_of(row, "mir", "MIR", "lower", 1.0)
        board.put(name, column, cell_of(analysis, row, "mir", 1.0))


PROBE = AnalysisView(
    "Linear probes of frozen encoders",
    "lost: the first encoder's probe against this one's on the same samples, positive where "
    "this one is worse; paired intervals over clusters.",
    _fill_probe,
    {
        "probe": "What the classifier reaches on test samples, with 95 % intervals over "
        "clusters. Control: the same classifier taught permuted labels; selectivity: "
        "what the probe is better by.",
        "degradation": "The first encoder's probe against the second's on the same samples; "
        "positive: the second is worse. Paired 95 % intervals and permutation tests "
        "over clusters; corrected: Holm's over all rows; detectable: the least "
        "difference that shows with power 80 %.",
    },
    rows_of=frozenset({"encoders", "model", "marks"}),
)
GRADIENTS = AnalysisView(
    "Gradient conflict between tasks",
    "Mean cosine of minibatches' gradients, with Student's t interval; on the diagonal a task "
    "with itself, the reference.",
    _fill_gradients,
    {
        "pairs": "Cosine between two tasks' gradients: mean over minibatches, with Student's t "
        "95 % interval. Of means: cosine of the means over all minibatches.",
        "tasks": "The reference, a task with itself: cosine of two of its minibatches, and of "
        "two halves of all; norm: of a minibatch's gradient.",
        "matrix": "Mean cosines; on the diagonal a task with itself, the reference.",
    },
)
TRANSFER = AnalysisView(
    "Joint against single-task training",
    "Change in percent of single-task training, positive where joint training is better; "
    "Student's t interval over seeds, cut to the changes that the metric allows.",
    _fill_transfer,
    {
        "transfer": "Joint against single training of the same seeds; change in percent of "
        "single, positive: joint is better. Student's t 95 % intervals over seeds, "
        "cut to the changes that the metric allows.",
        "seeds": "The same, seed by seed.",
        "matrix": "Trained on one task, tested on another; change in percent of the model "
        "trained on the tested task; untrained: before any training.",
    },
)
MIR = AnalysisView(
    "Modality integration rate",
    "log10 of the sum over layers of the distance between image and text; lower is better "
    "integrated. All pairs make one number.",
    _fill_mir,
    {
        "mir": "log10 of the sum over layers of the distance between image and text; lower: "
        "better integrated. Without an interval: all pairs make one number.",
        "layers": "Distance (no unit) after each layer of the language model, from 1.",
    },
    rows_of=frozenset({"encoders", "model", "marks"}),
)
