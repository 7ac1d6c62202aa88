"""A model that is an object of this process: whatever has ``answer``, made to keep the contract."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from harness.arguments import checked
from harness.descriptors import Capability, Json, ModelDescriptor
from harness.errors import UserError
from harness.guard import check_descriptor, described
from harness.models.contract import Runtime
from harness.plugins import plugins
from harness.requests import Request, Response, Text

_ANSWERED: frozenset[Capability] = frozenset({"choose", "generate"})


class Answers(Protocol):
    """An object that a run can ask. What it may have beside ``answer``: see :func:`as_model`."""

    def answer(self, requests: Sequence[Request]) -> Iterable[Response | str]:
        """Answer a block of requests: a response for each, in any order, or a text for each."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """An object as a run asks it.

    Attributes:
        descriptor: Made of what the object says of itself; no plugin adds it.
        identity: What tells it from other models; ``None`` when it says nothing.
    """

    answers: Answers
    descriptor: ModelDescriptor
    identity: Mapping[str, Json] | Callable[[Runtime], Mapping[str, Json]] | None

    def model(self) -> Asked:
        """Return the model of one run; without an identity it is another one each time."""
        return Asked(self, uuid4().hex)


@checked
def as_model(  # noqa: PLR0913  what a descriptor says of a model
    answers: Answers,
    *,
    id: str | None = None,  # noqa: A002  the word of descriptors
    identity: Mapping[str, Json] | Callable[[Runtime], Mapping[str, Json]] | None = None,
    capabilities: Iterable[str] | None = None,
    offers: Iterable[str] | None = None,
    sees_images: bool | None = None,
) -> ObjectModel:
    """Return an object with ``answer`` as a model that ``harness.run`` takes.

    What is not given is read from attributes of the same names, where the object has them.

    Args:
        answers: The object. Modules of PyTorch in it are in evaluation mode while they are asked.
        id: Name of its rows; its class's by default.
        identity: Everything that can change its numbers, as plain data, or a function that returns
            it. Evaluations of one class with equal ids, identities and code are taken for the same
            one; without an identity nothing of an earlier run is reused or continued. Code that a
            notebook defines is in no file: what may change of it belongs into the identity.
        capabilities: Of ``choose``, ``generate`` and ``embed``; the first two by default.
        offers: Such as ``logprobs``, when its scores are log-probabilities.
        sees_images: False spares opening images.

    Raises:
        UserError: the id of an installed model.
        PluginError: an id that is not a plain name, or another value that no descriptor can have.
    """
    if isinstance(answers, type) or not callable(getattr(answers, "answer", None)):
        fix = "an instance, not its class" if isinstance(answers, type) else ""
        raise UserError(f"{described(answers)} is no object with a method `answer`", fix=fix)
    kind = type(answers)
    chosen_id = id or getattr(answers, "id", None) or _words(kind.__name__)
    if chosen_id in plugins().models():
        raise UserError(f"the id {chosen_id!r} belongs to an installed model",
                        fix="give the object another `id`")  # fmt: skip
    sees = getattr(answers, "sees_images", True) if sees_images is None else sees_images
    descriptor = ModelDescriptor(
        id=chosen_id,
        target=f"{kind.__module__}:{kind.__qualname__}",
        summary="an object of this process",
        capabilities=_set(capabilities, answers, "capabilities") or _ANSWERED,
        offers=_set(offers, answers, "offers"),
        sees_images=sees,
    )
    check_descriptor(descriptor)
    identity_given = getattr(answers, "identity", None) if identity is None else identity
    return ObjectModel(answers, descriptor, identity_given)


def _set(values: Iterable[str] | None, answers: Answers, name: str) -> Any:
    """Return names as descriptors hold them; what is not a list of them its check refuses."""
    names: Any = getattr(answers, name, ()) if values is None else values
    is_list = isinstance(names, Iterable) and not isinstance(names, str)
    return frozenset(names) if is_list else names


def _words(name: str) -> str:
    """Return a class's name as ids are written."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower() or "model"


class Asked:
    """The model of one run; see :class:`harness.models.Model` and :class:`harness.models.Answerer`.

    Args:
        about: The object.
        run: What no other run has.
    """

    def __init__(self, about: ObjectModel, run: str) -> None:
        self._about, self._run = about, run
        self._modes: list[tuple[Any, bool]] = []

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return what the object says, or what tells this run from all others."""
        identity: Any = self._about.identity
        if identity is None:
            identity = {"run": self._run}
        elif callable(identity):
            identity = identity(runtime)
        if not isinstance(identity, Mapping):  # the caller says what is wrong with it
            return identity  # type: ignore[no-any-return]
        return {"object": self._about.descriptor.target, **identity}

    def load(self, runtime: Runtime) -> Asked:  # noqa: ARG002  the contract's signature
        """Put modules of PyTorch into evaluation mode."""
        modules = _modules(self._about.answers)
        self._modes = [(part, part.training) for held in modules for part in held.modules()]
        for module in modules:
            module.eval()
        return self

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        """Ask the object; a text in the place of a response is that of the request there.

        Raises:
            ValueError: texts, and not one for each request.
        """
        with _without_gradients():
            returned = self._about.answers.answer(requests)
            if not isinstance(returned, Iterable) or isinstance(returned, str | Mapping | Set):
                raise TypeError(f"it returned {described(returned)}, not an answer to each request")
            answered = [*returned]
        if not any(isinstance(answer, str) for answer in answered):
            return answered
        if len(answered) != len(requests):
            raise ValueError(f"{len(answered)} texts for {len(requests)} requests")
        return [
            Response(request.id, Text(answer)) if isinstance(answer, str) else answer
            for request, answer in zip(requests, answered, strict=True)
        ]

    def close(self) -> None:
        """Put modules back into the mode they were in; the object stays as it is."""
        for part, training in self._modes:
            part.training = training
        self._modes = []


def _modules(answers: Any) -> list[Any]:
    """Return the modules of PyTorch that an object is or holds."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    parts = (answers, *getattr(answers, "__dict__", {}).values())
    return [part for part in parts if isinstance(part, torch.nn.Module)]


def _without_gradients() -> AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()
