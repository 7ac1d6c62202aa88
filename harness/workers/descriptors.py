"""Descriptor of the built-in executor."""

from __future__ import annotations

from harness.descriptors import ExecutorDescriptor, Option

EXECUTORS: tuple[ExecutorDescriptor, ...] = (
    ExecutorDescriptor(
        id="processes",
        target="harness.workers.processes:Processes",
        summary="Processes on this machine, one for each GPU where there are GPUs.",
        options=(
            Option(
                name="workers",
                type="int",
                least=1,
                most=1024,
                help="Number of processes; by default one for each GPU, and 2 without a GPU.",
            ),
            Option(
                name="gpus",
                type="int",
                least=0,
                help="GPUs of each process; by default one, which processes share when there "
                "are more of them. 0 computes on the CPU.",
            ),
            Option(
                name="patience",
                type="int",
                default=60,
                least=1,
                help="Seconds without a sign of life after which a process is lost.",
            ),
        ),
    ),
)
