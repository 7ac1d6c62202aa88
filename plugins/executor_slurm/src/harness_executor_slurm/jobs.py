"""Submits workers as a job array and looks at their state."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import submitit
from harness.descriptors import Json
from harness.errors import UserError, error_text, one_line
from harness.workers.gpus import VISIBLE, gpus

from harness_executor_slurm.mailbox_executor import MailboxExecutor
from harness_executor_slurm.mailbox_worker import run

_CPUS = 4  # of a job on a cluster
_OF_CLUSTERS = ("partition", "account", "qos", "constraint", "cpus", "memory")
_QUEUED = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "CONFIGURING", "UNKNOWN"}


class Job:
    """What a job runs; submitit asks for a checkpoint when it is preempted or out of time."""

    def __init__(self, mailbox: Path, index: int, places: int) -> None:
        self.arguments = mailbox, index, places

    def __call__(self) -> None:
        """Be a worker."""
        run(*self.arguments)

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Come again, as another attempt: finished blocks are in its segment."""
        return submitit.helpers.DelayedSubmission(self)


class Slurm(MailboxExecutor):
    """Workers are jobs.

    Args:
        options: As the descriptor has them.

    Raises:
        UserError: there is no ``sbatch``; or of local jobs, options that only a cluster applies, or
            more GPUs than this machine has.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options = options
        self._is_local = options["cluster"] == "local"
        if not self._is_local and shutil.which("sbatch") is None:
            raise UserError(
                "this machine has no sbatch",
                where="--on slurm",
                fix="give the command on a login node, or try it with -e cluster=local",
            )
        if self._is_local:
            self._refuse_local()
        super().__init__(int(str(options["workers"])), float(str(options["patience"])))

    def _refuse_local(self) -> None:
        """Refuse what submitit does not apply to jobs on this machine."""
        unused = [name for name in _OF_CLUSTERS if self._options[name] is not None]
        if unused:
            raise UserError(
                f"jobs on this machine do not use {', '.join(unused)}",
                where="--on slurm -e cluster=local",
                fix=f"leave out {' '.join(f'-e {name}=...' for name in unused)}",
            )
        wanted, present = int(str(self._options["gpus"] or 0)), len(gpus())
        if wanted and not all(name.isdecimal() for name in gpus()):
            raise UserError(
                f"{VISIBLE} must hold numbers, which submitit passes on to jobs",
                where="--on slurm -e cluster=local",
                fix=f"export {VISIBLE}=0,1 or similar",
            )
        if wanted > present:
            raise UserError(
                f"a job with {wanted} GPUs does not fit: this machine has {present}",
                where="--on slurm -e cluster=local",
                fix="leave out -e gpus to compute on the CPU"
                if present == 0
                else f"-e gpus={present}",
            )

    def submit(self, places: Sequence[int]) -> list[object]:
        """Submit an array with a job for each place."""
        executor = self._executor(self.mailbox / "jobs")
        executor.update_parameters(**self._parameters())
        try:
            with executor.batch():
                jobs: list[object] = [
                    executor.submit(Job(self.mailbox, place, self.number)) for place in places
                ]
        except Exception as error:  # noqa: BLE001  whatever sbatch and submitit raise
            raise UserError(
                f"the jobs cannot be submitted: {error_text(error)}", where="--on slurm"
            ) from None
        return jobs

    def _executor(self, folder: Path) -> submitit.Executor:
        if self._is_local:
            return submitit.LocalExecutor(folder)
        return submitit.AutoExecutor(folder, cluster="slurm")

    def _parameters(self) -> dict[str, Any]:
        options = self._options
        each = options["gpus"]
        if self._is_local:
            return {
                "timeout_min": options["minutes"],
                "gpus_per_node": each or 0,
                "visible_gpus": [int(name) for name in gpus()] if each else [],
            }
        parameters: dict[str, Any] = {
            "name": "harness",
            "timeout_min": options["minutes"],
            "gpus_per_node": 1 if each is None else each,
            "cpus_per_task": options["cpus"] or _CPUS,
        }
        if options["memory"] is not None:
            parameters["mem_gb"] = options["memory"]
        for name in ("partition", "account", "qos", "constraint"):
            if options[name] is not None:
                parameters[f"slurm_{name}"] = options[name]
        return parameters

    def ended(self, job: object) -> str:
        """Return how a job ended; empty while it is queued or runs."""
        assert isinstance(job, submitit.Job)
        if not job.done():
            return ""
        last = ""
        with suppress(OSError):
            lines = (job.stderr() or "").strip().splitlines()
            last = f": {one_line(lines[-1])}" if lines else ""
        return f"job {job.job_id} ended as {job.state}{last}"

    def is_queued(self, job: object) -> bool:
        """Whether a job waits for its turn."""
        assert isinstance(job, submitit.Job)
        return not self._is_local and job.state.upper() in _QUEUED

    def cancel(self, job: object) -> None:
        """Cancel a job."""
        assert isinstance(job, submitit.Job)
        with suppress(Exception):
            job.cancel(check=False)
