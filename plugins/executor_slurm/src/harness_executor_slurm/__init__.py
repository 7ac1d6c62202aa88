"""Workers as jobs of Slurm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ExecutorDescriptor, Option
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_executors"]

OPTIONS = (
    Option(name="workers", type="int", default=2, least=1, most=10_000, help="Number of jobs."),
    Option(name="partition", help="Partition that the jobs run in."),
    Option(name="account", help="Account that they are charged to."),
    Option(name="qos", help="Quality of service."),
    Option(name="constraint", help="Features that nodes must have, such as a100."),
    Option(name="minutes", type="int", default=240, least=1, help="Time limit of a job."),
    Option(
        name="gpus",
        type="int",
        least=0,
        help="GPUs of a job; 1 on a cluster and 0 locally by default.",
    ),
    Option(name="cpus", type="int", least=1, help="CPUs of a job; 4 on a cluster by default."),
    Option(name="memory", type="int", least=1, help="Memory of a job in GB."),
    Option(
        name="cluster",
        default="slurm",
        choices=("slurm", "local"),
        help="Where jobs run; local runs them on this machine, to try things out.",
    ),
    Option(
        name="patience",
        type="int",
        default=120,
        least=1,
        help="Seconds without a sign of life after which a job is lost.",
    ),
)


@hookimpl
def harness_executors() -> Sequence[ExecutorDescriptor]:
    """Offer the executor; submitit is imported when it is used."""
    return [
        ExecutorDescriptor(
            id="slurm",
            target="harness_executor_slurm.jobs:Slurm",
            summary="Jobs of a Slurm array; messages are files, no port is open.",
            requires=("submitit",),
            install="pip install 'social-harness-executor-slurm[slurm]'",
            options=OPTIONS,
        )
    ]
