"""Weights split over processes (FSDP): split once, put together only where they are read whole."""

from __future__ import annotations

from typing import Any

import torch
from harness.errors import UserError
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from harness_training.module import TrainingModule
from harness_training.weights import here


def all_processes() -> DeviceMesh:
    """Return the devices of all processes in a row; every process must ask at once."""
    kind = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    return init_device_mesh(kind, (distributed.get_world_size(),))


def split(module: TrainingModule, mesh: DeviceMesh) -> None:
    """Split a prepared model's weights, the frozen ones too; nothing is sent until :func:`meet`.

    Each layer of the decoder is put together while it computes. Everything else (encoder,
    connector, embeddings, head) is put together for a forward and for a backward pass: how often it
    is needed in one differs between processes.

    Args:
        module: The model on any device, the same in each process.
        mesh: :func:`all_processes`.

    Raises:
        UserError: a model that cannot be split.
    """
    model = module.model
    if not all(weight.is_floating_point() for weight in module.parameters()):
        raise UserError("quantised weights cannot be sharded", fix="quantise=none")
    layers = [
        layer
        for layer in model.parts()["language_model"].modules()
        if isinstance(layer, GradientCheckpointingLayer)
    ]
    if not layers:
        raise UserError(
            f"{type(model.language_model).__name__} has no layers that could be sharded"
        )
    for layer in layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard(module, mesh=mesh, reshard_after_forward=True)
    if not all(map(_is_split, model.parts().values())):
        raise UserError(f"{type(model).__name__} rebuilds its parts, so they cannot be sharded")
    for attribute in vars(model).values():
        if isinstance(attribute, nn.Module):
            _keep_whole(attribute, mesh)
    register_fsdp_forward_method(module, "during")
    module.was_split()


def meet(module: TrainingModule) -> None:
    """Put every group of split weights together once; every process must come here.

    Their places, were they first made in inference mode, could not be used with gradients later.
    """
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.unshard()
            part.reshard()


def whole(weight: Tensor) -> Tensor:
    """Return a weight put together; every process must ask at once."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def put(weight: Tensor, values: Tensor) -> None:
    """Copy whole values into a split weight: each process takes its own, nothing is sent."""
    assert isinstance(weight, DTensor)
    values = values.to(weight.device, weight.dtype)
    weight.copy_(
        distribute_tensor(values, weight.device_mesh, weight.placements, src_data_rank=None)
    )


def state_here(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Return an optimiser's state, of its moments what this process holds."""
    state: dict[str, Any] = optimiser.state_dict()
    local = {
        index: {name: here(value) for name, value in values.items()}
        for index, values in state["state"].items()
    }
    return {**state, "state": local}


def load_state_here(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Read back what :func:`state_here` gave the same process of as many."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    local = {
        index: {name: _like(value, weights[index]) for name, value in values.items()}
        for index, values in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": local})


def _like(value: Tensor, weight: Tensor) -> Tensor:
    """Return a moment split as its weight is; the count of steps is a plain number."""
    if not isinstance(weight, DTensor) or not value.ndim:
        return value
    return DTensor.from_local(
        value.to(weight.device),
        weight.device_mesh,
        weight.placements,
        run_check=False,
        shape=weight.shape,
        stride=weight.stride(),
    )


def _is_split(part: nn.Module) -> bool:
    return not any(isinstance(one, nn.Parameter) for one in _left(part))


def _keep_whole(module: nn.Module, mesh: DeviceMesh) -> None:
    """Put what was not split where the rest is.

    Raises:
        UserError: some of it trains: each process would train its own.
    """
    left = _left(module)
    if any(tensor.requires_grad for tensor in left):
        raise UserError(
            "this training has weights outside the model's parts, which cannot be sharded",
            fix="--train-parts lora",
        )
    for tensor in left:
        tensor.data = tensor.data.to(mesh.device_type)


def _left(module: nn.Module) -> list[Tensor]:
    """Return weights and buffers that are not split; what an empty frame stands for is none."""
    tensors = (*module.parameters(), *module.buffers())
    return [one for one in tensors if not isinstance(one, DTensor) and one.device.type != "meta"]
