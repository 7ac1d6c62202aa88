"""Every contract that a plugin can implement, in one place.

``docs/reference/contracts.md`` has each with an example that runs. A descriptor names the
implementation; ``docs/plugins.md`` says how plugins are found.
"""

from __future__ import annotations

from harness.analysis.board import AnalysisView
from harness.analysis.encoders import Encoder, EncoderRequest
from harness.analysis.results import Analysis, AnalysisTable, write_analysis
from harness.api.worker import Worker
from harness.config.data import DataSource
from harness.descriptors import (
    AnalysisDescriptor,
    AnswerMethodDescriptor,
    CommandDescriptor,
    DataSourceDescriptor,
    Descriptor,
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
from harness.events import BlockAnswered, RunFinished, RunStarted, TaskFinished, Tracker
from harness.figures.contract import FigureRequest, Plot
from harness.metrics.contract import (
    AdditiveMetric,
    Bounded,
    Comparison,
    ComparisonTellsNotes,
    CountsMerge,
    GroupCounts,
    GroupMetric,
    HasUnits,
    RangeOfData,
    RankMetric,
    SampleScore,
    ScoredSample,
    TellsNotes,
)
from harness.models.contract import (
    Answerer,
    ChecksItself,
    HasSize,
    HasTower,
    HasWeights,
    Model,
    PreparesImages,
    RefusesTasks,
    Runtime,
    StandsForAnnotators,
    TakesNotes,
    TaskHandle,
    TellsUnused,
    Trainable,
)
from harness.readers import DescribesFiles, HashesContents, LeavesOut, PassesOver, Reader, TakesPart
from harness.requests import (
    Choose,
    Embed,
    Failed,
    Generate,
    Request,
    Response,
    Scores,
    Text,
    Vectors,
)
from harness.requests.extractor import Extracted, Extractor
from harness.requests.method import AnswerMethod, AsksOtherwise
from harness.runs.exports import ExportOptions
from harness.runs.submissions import SubmissionLayout
from harness.samples import DataRoot, ImageRef, Sample
from harness.samples.perturbed import Perturbation
from harness.studies.kind import LoadedStudy, RunsOnWorkers, StudyPlan, StudyReport
from harness.tables.table import Table
from harness.training.contract import Answers, Batch, Epoch, Example, Recipe
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Executor,
    Hello,
    Lost,
    Raised,
    Ready,
    Refused,
    SaysWhy,
    WorkOrder,
)

__all__ = [
    "AdditiveMetric", "Analysis", "AnalysisDescriptor", "AnalysisTable", "AnalysisView",
    "AnswerMethod", "AnswerMethodDescriptor", "Answered", "Answerer", "Answers", "AsksOtherwise",
    "Batch", "BlockAnswered", "BlockRequest", "Bounded", "ChecksItself", "Choose",
    "CommandDescriptor", "Comparison", "ComparisonTellsNotes", "CountsMerge", "DataRoot",
    "DataSource", "DataSourceDescriptor", "DescribesFiles", "Descriptor", "Embed", "Encoder",
    "EncoderDescriptor", "EncoderRequest", "Epoch", "Example", "Executor", "ExecutorDescriptor",
    "ExportOptions", "ExporterDescriptor", "Extracted", "Extractor", "ExtractorDescriptor",
    "Failed", "FigureDescriptor", "FigureRequest", "FormatDescriptor", "Generate", "GroupCounts",
    "GroupMetric", "HasSize", "HasTower", "HasUnits", "HasWeights", "HashesContents", "Hello",
    "ImageRef", "LeavesOut", "LoadedStudy", "Lost", "MetricDescriptor", "Model",
    "ModelDescriptor", "PassesOver", "Perturbation", "PerturbationDescriptor", "Plot",
    "PreparesImages", "Raised", "RangeOfData", "RankMetric", "Reader", "ReaderDescriptor", "Ready",
    "Recipe", "RecipeDescriptor", "Refused", "RefusesTasks", "Request", "Response", "RunFinished",
    "RunStarted", "RunsOnWorkers", "Runtime", "Sample", "SampleScore", "SaysWhy", "ScoredSample",
    "Scores", "SpecFolder", "StandsForAnnotators", "StudyDescriptor", "StudyPlan", "StudyReport",
    "SubmissionDescriptor", "SubmissionLayout", "Table", "TakesNotes", "TakesPart", "TaskFinished",
    "TaskHandle", "TellsNotes", "TellsUnused", "Text", "Tracker", "TrackerDescriptor", "Trainable",
    "Vectors", "WorkOrder", "Worker", "write_analysis",
]  # fmt: skip
