"""What each kind of plugin implements, with an example that runs.

``python -m harness_authoring.contracts`` prints ``docs/reference/contracts.md``; a test compares.
"""

from __future__ import annotations

from harness.contracts import (
    AdditiveMetric,
    Analysis,
    AnalysisDescriptor,
    AnalysisTable,
    AnalysisView,
    Answered,
    Answerer,
    AnswerMethod,
    AnswerMethodDescriptor,
    Answers,
    AsksOtherwise,
    Batch,
    BlockAnswered,
    BlockRequest,
    Bounded,
    ChecksItself,
    Choose,
    CommandDescriptor,
    Comparison,
    ComparisonTellsNotes,
    CountsMerge,
    DataRoot,
    DataSource,
    DataSourceDescriptor,
    DescribesFiles,
    Embed,
    Encoder,
    EncoderDescriptor,
    EncoderRequest,
    Epoch,
    Example,
    Executor,
    ExecutorDescriptor,
    ExporterDescriptor,
    ExportOptions,
    Extracted,
    Extractor,
    ExtractorDescriptor,
    Failed,
    FigureDescriptor,
    FigureRequest,
    FormatDescriptor,
    Generate,
    GroupCounts,
    GroupMetric,
    HashesContents,
    HasSize,
    HasTower,
    HasUnits,
    HasWeights,
    Hello,
    ImageRef,
    LeavesOut,
    LoadedStudy,
    Lost,
    MetricDescriptor,
    Model,
    ModelDescriptor,
    PassesOver,
    Perturbation,
    PerturbationDescriptor,
    Plot,
    PreparesImages,
    Raised,
    RangeOfData,
    RankMetric,
    Reader,
    ReaderDescriptor,
    Ready,
    Recipe,
    RecipeDescriptor,
    Refused,
    RefusesTasks,
    Request,
    Response,
    RunFinished,
    RunsOnWorkers,
    RunStarted,
    Runtime,
    Sample,
    SampleScore,
    SaysWhy,
    ScoredSample,
    Scores,
    SpecFolder,
    StandsForAnnotators,
    StudyDescriptor,
    StudyPlan,
    StudyReport,
    SubmissionDescriptor,
    SubmissionLayout,
    Table,
    TakesNotes,
    TakesPart,
    TaskFinished,
    TaskHandle,
    TellsNotes,
    TellsUnused,
    Text,
    Tracker,
    TrackerDescriptor,
    Trainable,
    Vectors,
    Worker,
    WorkOrder,
)

from harness_authoring.contracts_page import Contract, page

__all__ = ["CONTRACTS"]

_MODEL = (
    Model, Answerer, Trainable, HasTower, RefusesTasks, TellsUnused, TakesNotes,
    PreparesImages, HasSize, HasWeights, ChecksItself, StandsForAnnotators, Runtime, TaskHandle,
    Request, Choose, Generate, Embed, Response, Scores, Text, Vectors, Failed,
)  # fmt: skip
_READER = (
    Reader, LeavesOut, PassesOver, TakesPart, HashesContents, DescribesFiles, Sample, ImageRef,
    DataRoot)  # fmt: skip
_EXECUTOR = (
    Executor, SaysWhy, WorkOrder, BlockRequest, Hello, Ready, Answered, Lost, Refused, Raised,
    Worker)  # fmt: skip

CONTRACTS = (
    Contract(
        "Model",
        "harness_models",
        ModelDescriptor,
        "(options) -> Model",
        _MODEL,
        """
        from harness.contracts import Response, Scores


        class First:
            def __init__(self, options):
                pass

            def identity(self, runtime):
                return {"version": 1}

            def load(self, runtime):
                return self

            def answer(self, requests):
                for request in requests:
                    scores = [1.0] + [0.0] * (len(request.want.options) - 1)
                    yield Response(request.id, Scores("label", tuple(scores)))

            def close(self):
                pass
        """,
    ),
    Contract(
        "Reader",
        "harness_readers",
        ReaderDescriptor,
        "(options) -> Reader",
        _READER,
        """
        from harness.contracts import ImageRef, Sample


        class Moods:
            def __init__(self, options):
                pass

            def annotations(self, root, split):
                return [f"{split}.csv"]

            def samples(self, root, split):
                for line in root.read_text(f"{split}.csv").splitlines():
                    name, mood = line.split(",")
                    image = ImageRef(f"faces/{name}", root)
                    yield Sample(id=name, images=(image,), target=mood, cluster=name)
        """,
    ),
    Contract(
        "Data source",
        "harness_data_sources",
        DataSourceDescriptor,
        "() -> DataSource",
        (DataSource,),
        """
        from pathlib import Path


        class Mirror:
            def locate(self, benchmark, cache, splits=("test",)):
                return Path("/mirror") / benchmark
        """,
    ),
    Contract(
        "Metric of sums",
        "harness_metrics",
        MetricDescriptor,
        "(options, labels) -> AdditiveMetric",
        (AdditiveMetric, SampleScore, ScoredSample),
        """
        class Accuracy:
            size = 2
            range = (0.0, 1.0)

            def __init__(self, options, labels):
                pass

            def statistics(self, sample):
                return {0: float(sample.answer == sample.target), 1: 1.0}

            def finalize(self, totals):
                return totals[..., 0] / totals[..., 1]
        """,
    ),
    Contract(
        "Metric of ranks",
        "harness_metrics",
        MetricDescriptor,
        "(options, labels) -> RankMetric",
        (RankMetric, TellsNotes, RangeOfData, HasUnits),
        """
        import numpy as np


        class TopScore:
            def __init__(self, options, labels):
                self.labels = list(labels)

            def prepare(self, samples):
                best = [self.labels[int(np.argmax(sample.scores))] for sample in samples]
                return np.array([a == s.target for a, s in zip(best, samples)], dtype=float)

            def value(self, prepared, weights):
                return weights @ prepared / weights.sum(axis=1)
        """,
    ),
    Contract(
        "Metric of groups",
        "harness_metrics",
        MetricDescriptor,
        "(options, labels) -> GroupMetric",
        (GroupMetric, GroupCounts, Comparison, Bounded, ComparisonTellsNotes, CountsMerge),
        """
        class Counts:
            key = "answered yes, by gender"
            size = 2

            def statistics(self, sample):
                return {0: float(sample.answer == "yes"), 1: 1.0}

            def label(self, sample):
                return (("gender", sample.groups["gender"]),)

            def columns(self):
                return [0, 1]


        class Gap:
            extreme = "high"

            def __init__(self, options, labels):
                self.counts = Counts()

            def parts(self, labels):
                return sorted(set(labels))

            def settle(self, counts, parts, totals):
                return self

            def components(self, totals):
                return totals[..., 0] / totals[..., 1]

            def combine(self, components):
                return components.max(axis=-1)

            def tables(self, components):
                return []

            def beside(self, counts, labels, totals):
                return []
        """,
    ),
    Contract(
        "Folder of tasks",
        "harness_task_specs",
        SpecFolder,
        "a `pathlib.Path`: a folder of task specs and groups (YAML)",
        (),
        """
        from pathlib import Path

        from harness.contracts import SpecFolder


        def harness_task_specs():  # with @hookimpl, in the plugin's module
            return [SpecFolder(path=Path(__file__).parent / "task_specs")]
        """,
        names="path",
    ),
    Contract(
        "Extractor",
        "harness_extractors",
        ExtractorDescriptor,
        "(options, labels) -> Extractor",
        (Extractor, Extracted),
        """
        from harness.contracts import Extracted


        class LastWord:
            def __init__(self, options, labels):
                self.labels = set(labels)

            def __call__(self, text, fields):
                word = text.split()[-1].strip(".") if text.split() else ""
                return Extracted(word) if word in self.labels else Extracted(None, "unparsed")
        """,
    ),
    Contract(
        "Inference-time method",
        "harness_answer_methods",
        AnswerMethodDescriptor,
        "(options) -> AnswerMethod",
        (AnswerMethod, AsksOtherwise),
        """
        from dataclasses import replace

        from harness.contracts import Scores


        class Debias:
            def __init__(self, options):
                pass

            def further(self, request):  # the same question without its images
                turns = [replace(turn, images=()) for turn in request.turns]
                return [replace(request, turns=tuple(turns))]

            def combine(self, request, result, further):
                pairs = zip(result.values, further[0].values)
                return Scores(result.kind, tuple(a - b for a, b in pairs))
        """,
    ),
    Contract(
        "Training recipe",
        "harness_recipes",
        RecipeDescriptor,
        "(options) -> Recipe",
        (Recipe, Example, Epoch, Batch, Answers),
        """
        from harness.contracts import Epoch, Recipe


        class Halves(Recipe):
            def __init__(self, options):
                pass

            def epoch(self, number, pool, measure, random):
                order = random.sample(range(len(pool)), len(pool) // 2)
                return Epoch(order, figures={"share": 0.5})
        """,
    ),
    Contract(
        "Leaderboard format",
        "harness_leaderboard_formats",
        FormatDescriptor,
        "(table) -> str",
        (Table,),
        """
        def names(table):
            return "".join(f"{row.model}\\n" for row in table.rows)
        """,
    ),
    Contract(
        "Figure",
        "harness_figures",
        FigureDescriptor,
        "(FigureRequest) -> Plot",
        (FigureRequest, Plot),
        """
        from harness.contracts import Plot


        def bars(values):
            from matplotlib.figure import Figure

            figure = Figure()
            figure.subplots().bar([*values], [*values.values()])
            return figure


        def make(request):
            records = request.evaluations()
            values = {record.task: record.main.value or 0.0 for record in records}
            return Plot(bars, values, {mark for record in records for mark in record.marks})
        """,
    ),
    Contract(
        "Exporter",
        "harness_exporters",
        ExporterDescriptor,
        "(records, out, options) -> list[Path]",
        (ExportOptions,),
        """
        import json


        def headlines(records, out, options):
            out.mkdir(parents=True, exist_ok=True)
            path = out / "headlines.json"
            headlines = {record.task: record.main.value for record in records}
            path.write_text(json.dumps(headlines), encoding="utf-8")
            return [path]
        """,
    ),
    Contract(
        "Submission file",
        "harness_submissions",
        SubmissionDescriptor,
        "a `SubmissionLayout`",
        (SubmissionLayout,),
        """
        from harness.contracts import SubmissionLayout


        def row(record, text):
            return {"id": record.id, "answer": text}


        def lines(rows):
            return "".join(f"{row['id']}\\t{row['answer']}\\n" for row in rows).encode()


        LAYOUT = SubmissionLayout({".tsv": lines}, row)
        """,
    ),
    Contract(
        "Visual encoder",
        "harness_encoders",
        EncoderDescriptor,
        "(EncoderRequest) -> Encoder",
        (EncoderRequest, Encoder),
        """
        from harness.contracts import Encoder


        def find(request):  # harness probe --encoder mine:NAME
            def load():
                raise NotImplementedError("return a harness_analyses.towers.Tower")

            identity = {"name": request.rest, "dtype": request.dtype}
            return Encoder(name=request.name, identity=identity, load=load)
        """,
    ),
    Contract(
        "Executor",
        "harness_executors",
        ExecutorDescriptor,
        "(options) -> Executor",
        _EXECUTOR,
        """
        from harness.contracts import Worker


        class Here:
            def __init__(self, options):
                self.said = []

            def start(self, order):
                self.worker = Worker("1", order)
                self.said.append(self.worker.hello())

            def ask(self, worker, request):
                self.said += self.worker.answer(request)

            def events(self, timeout):
                said, self.said = self.said, []
                return said

            def alive(self):
                return 1

            def stop(self, worker):
                pass

            def replace(self, worker):
                raise NotImplementedError("a worker in this process is never lost")

            def close(self):
                self.worker.close()
        """,
    ),
    Contract(
        "Kind of analysis",
        "harness_analyses",
        AnalysisDescriptor,
        "(...) -> Analysis",
        (AnalysisTable, Analysis, AnalysisView),
        """
        from pathlib import Path

        from harness.contracts import AnalysisTable, write_analysis


        def measure(results: Path, tasks: list[str]):
            rows = tuple((task, 0.5) for task in tasks)
            table = AnalysisTable("saliency", ("task", "value"), rows)
            return write_analysis(results, "saliency", {"tasks": tasks, "marks": []}, [table])
        """,
    ),
    Contract(
        "Perturbation",
        "harness_perturbations",
        PerturbationDescriptor,
        "(pixels, boxes, level, random) -> (pixels, boxes)",
        (Perturbation,),
        """
        from PIL import ImageEnhance


        def darker(pixels, boxes, level, random):
            return ImageEnhance.Brightness(pixels).enhance(1 - 0.15 * level), boxes
        """,
    ),
    Contract(
        "Tracker",
        "harness_trackers",
        TrackerDescriptor,
        "() -> Tracker",
        (Tracker, RunStarted, BlockAnswered, TaskFinished, RunFinished),
        """
        from harness.plugins import hookimpl


        class Lines:
            @hookimpl
            def harness_run_started(self, event):
                print(event.model, *event.tasks)

            @hookimpl
            def harness_task_finished(self, event):
                print(event.task, event.directory)

            def close(self):
                pass
        """,
    ),
    Contract(
        "Kind of study",
        "harness_studies",
        StudyDescriptor,
        "(document) -> LoadedStudy",
        (LoadedStudy, RunsOnWorkers, StudyPlan, StudyReport),
        """
        from harness.contracts import StudyPlan, StudyReport


        class Scaling:
            profile = None

            def __init__(self, document):
                self.id, self.title = document.data["study"], document.data["title"]

            def plan(self, results):
                return StudyPlan(heads=("size",), rows=[("small",), ("large",)])

            def run(self, out, results, say):
                say("nothing to compute")
                return StudyReport(tables=(), files=(), failed=(), page=lambda path: ())
        """,
    ),
    Contract(
        "Command",
        "harness_commands",
        CommandDescriptor,
        "a `click.Command`",
        (),
        """
        import click


        @click.command()
        def mirror():
            \"\"\"Print where the mirror is.\"\"\"
            click.echo("/mirror")
        """,
    ),
)


if __name__ == "__main__":
    print(page(CONTRACTS), end="")
