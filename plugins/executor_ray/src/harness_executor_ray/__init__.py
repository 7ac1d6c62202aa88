"""Workers as actors of Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ExecutorDescriptor, Option
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_executors"]

OPTIONS = (
    Option(name="workers", type="int", default=2, least=1, most=10_000, help="Number of actors."),
    Option(
        name="address",
        help="Ray's address, HOST:PORT or auto; without one Ray is started on this machine.",
    ),
    Option(
        name="gpus",
        type="float",
        least=0,
        help="GPUs of an actor; 1 where Ray has GPUs by default.",
    ),
    Option(name="cpus", type="float", default=1.0, least=0, help="CPUs of an actor."),
    Option(
        name="wait",
        type="int",
        default=180,
        least=1,
        help="Seconds that Ray may take to start here, or to let this run in.",
    ),
)


@hookimpl
def harness_executors() -> Sequence[ExecutorDescriptor]:
    """Offer the executor; Ray is imported when it is used."""
    return [
        ExecutorDescriptor(
            id="ray",
            target="harness_executor_ray.actors:RayActors",
            summary="Ray actors, on this machine or a cluster.",
            requires=("ray",),
            install="pip install 'social-harness-executor-ray[ray]'",
            options=OPTIONS,
        )
    ]
