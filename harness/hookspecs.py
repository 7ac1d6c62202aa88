"""Every hook of the harness, grouped by kind.

A plugin is a module registered under the entry-point group ``harness``::

    [project.entry-points.harness]
    my_plugin = "my_plugin"

and marks the hooks it implements::

    from harness.plugins import hookimpl

    @hookimpl
    def harness_models():
        from harness.descriptors import ModelDescriptor

        return [ModelDescriptor(id="echo", target="my_plugin.echo:make", summary="says yes",
                                capabilities=frozenset({"generate"}))]

Hooks of the first five groups are *collected*: each returns a list of light descriptors, all
lists are joined, and none of them may import torch. They are called once, when plugins load.
Hooks of the last group are *notified*: the harness calls them as work goes on and ignores what
they return; one that raises is reported once and costs nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import (
        AnalysisDescriptor,
        AnswerMethodDescriptor,
        CommandDescriptor,
        DataSourceDescriptor,
        EncoderDescriptor,
        ExecutorDescriptor,
        ExporterDescriptor,
        ExtractorDescriptor,
        FigureDescriptor,
        FormatDescriptor,
        MetricDescriptor,
        ModelDescriptor,
        PerturbationDescriptor,
        ReaderDescriptor,
        RecipeDescriptor,
        SpecFolder,
        StudyDescriptor,
        SubmissionDescriptor,
        TrackerDescriptor,
    )
    from harness.events import BlockAnswered, RunFinished, RunStarted, TaskFinished

PROJECT = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)

# --- models ---------------------------------------------------------------------------------------


@hookspec
def harness_models() -> Sequence[ModelDescriptor]:  # type: ignore[empty-body]
    """Return the models this plugin adds.

    Called once, when plugins load. ``harness run --model ID`` makes the object of the
    descriptor; ``harness models`` lists them.

    .. versionadded:: 0.1

    Example: see the module docstring.
    """


# --- data -----------------------------------------------------------------------------------------


@hookspec
def harness_readers() -> Sequence[ReaderDescriptor]:  # type: ignore[empty-body]
    """Return the readers of release layouts this plugin adds.

    A spec names one by id under ``data.reader``.

    .. versionadded:: 0.1

    Example::

        return [ReaderDescriptor(id="coco_people", target="my_plugin.coco:Reader", summary="...")]
    """


@hookspec
def harness_data_sources() -> Sequence[DataSourceDescriptor]:  # type: ignore[empty-body]
    """Return the places that can provide a benchmark's files without the user naming a path.

    A profile names one by id under ``[data] source``.

    .. versionadded:: 0.1

    Example::

        return [DataSourceDescriptor(id="lab_disk", target="my_plugin.disk:LabDisk",
                                     summary="the group's mirror", benchmarks={"pisc"})]
    """


# --- tasks ----------------------------------------------------------------------------------------


@hookspec
def harness_task_specs() -> Sequence[SpecFolder]:  # type: ignore[empty-body]
    """Return folders of task specs and groups (YAML) this plugin adds.

    .. versionadded:: 0.1

    Example::

        return [SpecFolder(path=Path(__file__).parent / "task_specs")]
    """


# --- scoring --------------------------------------------------------------------------------------


@hookspec
def harness_metrics() -> Sequence[MetricDescriptor]:  # type: ignore[empty-body]
    """Return the metrics this plugin adds. A spec names one by id under ``metrics``.

    .. versionadded:: 0.1

    Example::

        return [MetricDescriptor(id="kappa", target="my_plugin.kappa:Kappa", summary="...")]
    """


@hookspec
def harness_extractors() -> Sequence[ExtractorDescriptor]:  # type: ignore[empty-body]
    """Return the extractors (text to answer) this plugin adds.

    .. versionadded:: 0.1

    Example::

        return [ExtractorDescriptor(id="last_line", target="my_plugin.text:Last", summary="...")]
    """


@hookspec
def harness_answer_methods() -> Sequence[AnswerMethodDescriptor]:  # type: ignore[empty-body]
    """Return inference-time methods, which wrap requests and answers (calibration and the like).

    Each says which kinds of answer it treats, with what a model must offer for it; what does not
    fit is refused by the plan.

    .. versionadded:: 0.1

    Example::

        return [AnswerMethodDescriptor(id="posthoc", target="my_plugin.calibrate:PostHoc",
                                       summary="...",
                                       treats={"choose": frozenset({"logprobs"})})]
    """


# --- training, tables, commands -------------------------------------------------------------------


@hookspec
def harness_perturbations() -> Sequence[PerturbationDescriptor]:  # type: ignore[empty-body]
    """Return the perturbations of images this plugin adds, which are variants of a task.

    .. versionadded:: 0.1

    Example::

        return [PerturbationDescriptor(id="fog", target="my_plugin.fog:fog", summary="...")]
    """


@hookspec
def harness_recipes() -> Sequence[RecipeDescriptor]:  # type: ignore[empty-body]
    """Return the training recipes this plugin adds.

    .. versionadded:: 0.1

    Example::

        return [RecipeDescriptor(id="ft", target="my_plugin.ft:FineTune", summary="...")]
    """


@hookspec
def harness_analyses() -> Sequence[AnalysisDescriptor]:  # type: ignore[empty-body]
    """Return the kinds of analysis this plugin adds.

    An analysis seals tables (:func:`harness.analysis.results.write_analysis`) under
    ``RESULTS/analyses/ID/``; ``harness leaderboard`` and ``harness site`` show them by the view of
    its descriptor.

    .. versionadded:: 0.1

    Example::

        return [AnalysisDescriptor(id="saliency", target="my_plugin.saliency:measure",
                                   view="my_plugin.saliency:VIEW", summary="...")]
    """


@hookspec
def harness_encoders() -> Sequence[EncoderDescriptor]:  # type: ignore[empty-body]
    """Return the kinds of visual encoder this plugin adds.

    ``harness probe --encoder KIND:REST`` finds an encoder by the kind before the colon.

    .. versionadded:: 0.1

    Example::

        return [EncoderDescriptor(id="timm", target="my_plugin.timm:find", forms=("timm:NAME",),
                                  summary="...")]
    """


@hookspec
def harness_executors() -> Sequence[ExecutorDescriptor]:  # type: ignore[empty-body]
    """Return the ways to start workers that this plugin adds.

    ``harness run --on ID`` starts workers by one, with its options from ``-e``.

    .. versionadded:: 0.1

    Example::

        return [ExecutorDescriptor(id="flux", target="my_plugin.flux:Flux", summary="...")]
    """


@hookspec
def harness_trackers() -> Sequence[TrackerDescriptor]:  # type: ignore[empty-body]
    """Return the trackers this plugin adds; each receives the events of runs that name it.

    .. versionadded:: 0.1

    Example::

        return [TrackerDescriptor(id="aim", target="my_plugin.aim:Aim", summary="...")]
    """


@hookspec
def harness_studies() -> Sequence[StudyDescriptor]:  # type: ignore[empty-body]
    """Return the kinds of study this plugin adds.

    ``harness study FILE`` reads a file by the kind that it names under ``kind``.

    .. versionadded:: 0.1

    Example::

        return [StudyDescriptor(id="scaling", target="my_plugin.scaling:load", summary="...")]
    """


@hookspec
def harness_leaderboard_formats() -> Sequence[FormatDescriptor]:  # type: ignore[empty-body]
    """Return the leaderboard formats this plugin adds.

    .. versionadded:: 0.1

    Example::

        return [FormatDescriptor(id="typst", target="my_plugin.typst:render", suffix=".typ",
                                 summary="...")]
    """


@hookspec
def harness_figures() -> Sequence[FigureDescriptor]:  # type: ignore[empty-body]
    """Return the figures this plugin adds to ``harness plot``.

    The target takes a :class:`harness.figures.contract.FigureRequest` and returns a ``Plot``: plain
    data, and the function that draws it with matplotlib::

        return [FigureDescriptor(id="violin", target="my_plugin.violin:make",
                                 summary="Scores by class.", requires=("matplotlib",))]

    With ``pages=frozenset({"evaluation"})`` the site shows it on the page of each evaluation.

    .. versionadded:: 0.1
    """


@hookspec
def harness_exporters() -> Sequence[ExporterDescriptor]:  # type: ignore[empty-body]
    """Return the exchange formats this plugin adds to ``harness export``.

    The target takes records of sealed evaluations, a folder and
    :class:`harness.runs.exports.ExportOptions`; it writes files and returns their paths::

        return [ExporterDescriptor(id="croissant", target="my_plugin.croissant:export",
                                   summary="Croissant metadata.")]

    .. versionadded:: 0.1
    """


@hookspec
def harness_submissions() -> Sequence[SubmissionDescriptor]:  # type: ignore[empty-body]
    """Return the files of benchmarks' servers that this plugin adds to ``harness submission``.

    The target is a :class:`harness.runs.submissions.SubmissionLayout`::

        return [SubmissionDescriptor(id="my_benchmark", target="my_plugin.submission:LAYOUT",
                                     summary="A JSON list of ids and answers.",
                                     server="https://example.org", suffixes=(".json",))]

    .. versionadded:: 0.1
    """


@hookspec
def harness_commands() -> Sequence[CommandDescriptor]:  # type: ignore[empty-body]
    """Return the sub-commands this plugin adds to ``harness``.

    .. versionadded:: 0.1

    Example::

        return [CommandDescriptor(id="mirror", target="my_plugin.cli:mirror", summary="...")]
    """


# --- events ---------------------------------------------------------------------------------------


@hookspec
def harness_run_started(event: RunStarted) -> None:
    """Called when a run starts: its plan is made, no weight is loaded yet.

    .. versionadded:: 0.1
    """


@hookspec
def harness_block_answered(event: BlockAnswered) -> None:
    """Called when a block of samples was answered and journaled.

    .. versionadded:: 0.1
    """


@hookspec
def harness_task_finished(event: TaskFinished) -> None:
    """Called when an evaluation was sealed.

    .. versionadded:: 0.1
    """


@hookspec
def harness_run_finished(event: RunFinished) -> None:
    """Called when a run ended, with every evaluation it holds.

    .. versionadded:: 0.1
    """
