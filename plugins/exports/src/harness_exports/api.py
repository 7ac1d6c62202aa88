"""Files of finished evaluations: :func:`harness.export` and :func:`harness.submission`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

from harness.api.records import OnSkipped, evaluation_at, newest_of, several, warn
from harness.arguments import checked
from harness.descriptors import ExporterDescriptor
from harness.errors import UserError, reason_of, unknown
from harness.plugins import contract_of, find, plugins
from harness.runs.exports import Exporter, ExportOptions
from harness.runs.record import EvaluationRecord
from harness.targets import load_target

from harness_exports.submissions import Submission, write_submission

_FILES = {".csv", ".html", ".json", ".jsonl", ".md", ".parquet", ".tex", ".tsv", ".txt", ".xlsx",
          ".yaml", ".yml"}  # fmt: skip


@checked
def export(
    places: Path | str | Iterable[Path | str],
    format: str,  # noqa: A002  the word of the command line
    out: Path | str,
    *,
    organization: str = "unknown",
    datasets: Mapping[str, str] | None = None,
    on_skipped: OnSkipped | None = None,
) -> list[Path]:
    """Write finished evaluations in an exchange format and return the files; no number is changed.

    Args:
        places: Folders of evaluations, or runs and evaluations by name.
        format: An exchange format; see ``harness list exporters``.
        out: Folder that the files go to.
        organization: Who ran the evaluations.
        datasets: Task to the Hub id of its benchmark, ``OWNER/NAME`` or ``OWNER/NAME#TASK_ID``.
        on_skipped: Called with what was superseded; warns by default.

    Raises:
        UserError: a damaged evaluation, or something that the format needs and nobody said.
    """
    records, left_out = newest_of(several(places), on_skipped or warn, details=True)
    if left_out:
        raise UserError(left_out[0].why)
    return write_records(format, records, Path(out), ExportOptions(organization, datasets or {}))


@checked
def submission(
    evaluation: Path | str, out: Path | str, *, allow_missing: bool = False
) -> Submission:
    """Write an evaluation's answers as the benchmark's server takes them; nothing is sent.

    Args:
        evaluation: Folder or name of a finished evaluation.
        out: The file; its ending chooses the form (``harness list submissions``).
        allow_missing: Give samples that errored an empty answer, and take a limited evaluation.

    Raises:
        UserError: not a finished evaluation, a benchmark without such a file, an ending it does
            not have, or samples that are missing.
    """
    directory = evaluation_at(evaluation)
    return write_submission(directory, Path(out), allow_missing=allow_missing)


def _refuse_unread(descriptor: ExporterDescriptor, options: ExportOptions) -> None:
    """Refuse what a user says for the files and the format does not write.

    Raises:
        UserError: it names the flag, and the formats that write it.
    """
    flags = {"organization": "--organization", "datasets": "--dataset"}
    usual = ExportOptions()
    for name, flag in flags.items():
        if name not in descriptor.reads and getattr(options, name) != getattr(usual, name):
            reading = (one.id for one in plugins().exporters().values() if name in one.reads)
            raise UserError(
                f"{flag} is written by {', '.join(reading)}, not by {descriptor.id}",
                fix=f"leave {flag} out",
            )


def write_records(
    form: str,
    records: Sequence[EvaluationRecord],
    out: Path,
    options: ExportOptions | None = None,
) -> list[Path]:
    """Write records of sealed evaluations in a format; return the files written.

    Raises:
        UserError: an unknown format, no record, something the format needs and nobody said, or a
            folder that cannot be written.
        PluginError: the exporter breaks its contract.
    """
    descriptor = find("exporter", form, plugins().exporters())
    if out.suffix.lower() in _FILES and not out.is_dir():
        raise UserError(
            f"--out names the folder of the files, and {out.name} looks like a file",
            where=out,
            fix=f"--out {quote(str(out.with_suffix('')))}; the format names its files itself",
        )
    if not records:
        raise UserError(
            "there is no finished evaluation to export", fix="harness run ... makes them"
        )
    options = options or ExportOptions()
    _refuse_unread(descriptor, options)
    for task in options.datasets:
        if task not in (there := {record.task for record in records}):
            raise unknown("task among these evaluations", task, there, where="--dataset")
    exporter: Exporter = load_target(descriptor)
    contract = contract_of(descriptor)
    try:
        with contract.calling("a call", lambda error: isinstance(error, OSError)):
            paths = exporter(records, out, options)
    except OSError as error:
        raise UserError(f"cannot be written: {reason_of(error)}", where=out) from None
    if not isinstance(paths, list) or not all(isinstance(path, Path) for path in paths):
        raise contract.returned(paths, "a call", "a list of paths")
    for path in paths:
        if not path.is_file():
            raise contract.returned(str(path), "a call", "the path of a file that it has written")
    return paths
