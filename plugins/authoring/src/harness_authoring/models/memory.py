"""Checks of what loading runs and what closing frees."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.asking import difference
from harness_authoring.models.candidate import Candidate

_PLAIN = {".json", ".safetensors"}


class _Watch:
    """An audit hook cannot be removed, so there is only one, which is switched on and off."""

    def __init__(self) -> None:
        self.on = False
        self.added = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event == "pickle.find_class":
            self.seen.append(".".join(map(str, arguments)))


_WATCH = _Watch()


@contextmanager
def _watching() -> Iterator[list[str]]:
    if not _WATCH.added:
        sys.addaudithook(_WATCH)
        _WATCH.added = True
    _WATCH.seen.clear()
    _WATCH.on = True
    try:
        yield _WATCH.seen
    finally:
        _WATCH.on = False


def no_pickle(candidate: Candidate) -> None:
    """Unpickle no object while loading; save what trains as plain tensors, and load it back."""
    with _watching() as names:
        with candidate.loaded_anew():
            pass
        if names:
            raise ContractError(
                f"loading unpickles {names[0]}: read safetensors, or torch.load(weights_only=True)"
            )
    if not candidate.off_engine():  # with an answerer of its own harness train does not evaluate
        _save_and_load(candidate)


def _save_and_load(candidate: Candidate) -> None:
    """Write the connector as ``harness train`` does, and answer with it read back."""
    from harness.engine.answerer import EngineAnswerer
    from harness_training import weights as trained_weights

    before = candidate.answers()
    model = candidate.engine_model()
    parts = tuple(part for part in model.parts() if part == "connector") or tuple(model.parts())
    trained = trained_weights.Trained(parts[:1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained_weights.save(model, trained, folder)
        model.close()
        odd = [path.name for path in folder.iterdir() if path.suffix not in _PLAIN]
        if odd:
            raise ContractError(f"saving writes {odd[0]}, not safetensors and JSON alone")
        made: Any = candidate.model()
        other = made.load_model(candidate.runtime)
        with _watching() as names:
            trained_weights.load(other, folder)
        if names:
            raise ContractError(f"loading what was trained unpickles {names[0]}")
    answerer = EngineAnswerer(other, candidate.runtime)
    try:
        answers = candidate.ask(candidate.requests(), answerer)
    finally:
        answerer.close()
    for name, result in before.items():
        problem = difference(result, answers[name], candidate.tolerance)
        if problem:
            raise ContractError(f"{name}, saved and loaded: {problem}")


def close_frees(candidate: Candidate) -> None:
    """Free the weights; closing twice does no harm."""
    if "torch" not in sys.modules:
        raise NotApplicableError("it loads no torch weights")
    candidate.close()
    before = _parameter_bytes()
    with candidate.loaded_anew() as answerer:
        candidate.ask(candidate.requests()[:1], answerer)
        during = _parameter_bytes()
    answerer.close()
    del answerer
    if during <= before:
        raise NotApplicableError("it loads no torch weights")
    left = _parameter_bytes() - before
    if left > 0:
        raise ContractError(f"{left} bytes of weights of {during - before} stay after close()")


def _parameter_bytes() -> int:
    """Return the bytes of all parameters that are alive."""
    import torch

    gc.collect()
    return sum(
        tensor.numel() * tensor.element_size()
        for tensor in gc.get_objects()
        if type(tensor) is torch.nn.Parameter
    )
