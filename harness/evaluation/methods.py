"""Inference-time methods: found by name, and put between a task's requests and the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.descriptors import AnswerMethodDescriptor, Json, ModelDescriptor, parse_options
from harness.errors import CannotAnswer, UserError
from harness.evaluation.method_checks import Guarded
from harness.models import Answerer
from harness.models.contract import ChecksItself, StandsForAnnotators, TakesNotes
from harness.plugins import find, plugins
from harness.requests import Choose, Embed, Failed, Request, Response, Turn
from harness.requests.method import Result
from harness.resources import file_hash
from harness.runs.seal import SAMPLES
from harness.specs import TaskSpec

_ANSWERS = {"choose": "scores of options", "generate": "written answers", "embed": "vectors"}
_OFFERS = {
    "logprobs": "log-probabilities of options",
    "contrast": "writing against logits without the image",
    "vectors": "vectors of images and texts",
}


@dataclass(frozen=True, slots=True)
class Method:
    """An inference-time method with the values of its options."""

    descriptor: AnswerMethodDescriptor
    options: Mapping[str, Json]

    @property
    def identity(self) -> dict[str, Json]:
        """Everything that can change numbers."""
        descriptor = self.descriptor
        about: dict[str, Json] = {"id": descriptor.id, "version": descriptor.version}
        about["options"] = {**self.options}
        files = {
            option.name: _content(Path(str(self.options[option.name])))
            for option in descriptor.options
            if option.type == "path" and self.options.get(option.name)
        }
        return about if not files else {**about, "files": {**files}}

    def refuse(self, spec: TaskSpec, model: ModelDescriptor) -> None:
        """Check that the method treats what a task wants, and that the model offers what it needs.

        Raises:
            UserError: when not, with what would fit.
        """
        name, kind = self.descriptor.id, spec.ask.capability
        needed = self.descriptor.treats.get(kind)
        if needed is None:
            able = [
                model.id for model in plugins().answer_methods().values() if kind in model.treats
            ]
            treated = " and ".join(_ANSWERS.get(model, model) for model in self.descriptor.treats)
            raise CannotAnswer(
                f"method {name!r} treats {treated or 'nothing'}, not {_ANSWERS[kind]}, which task "
                f"{spec.id!r} wants",
                fix=f"methods that treat them: {', '.join(sorted(able)) or 'none'}; "
                "or leave the task out",
            )
        lacking = sorted(needed - model.offers)
        if lacking:
            able = [
                model.id
                for model in plugins().models().values()
                if needed <= model.offers and kind in model.capabilities
            ]
            needs = " and ".join(_OFFERS.get(model, model) for model in lacking)
            raise CannotAnswer(
                f"model {model.id!r} does not offer {needs}, which method {name!r} needs for task "
                f"{spec.id!r}",
                fix=f"models that do: {', '.join(sorted(able)) or 'none'}",
            )

    def around(self, load: Callable[[], Answerer]) -> Answerer:
        """Return a model that answers by this method; the model is loaded after the method.

        Raises:
            PluginError: the method does not load.
            UserError: an option's value that it refuses.
        """
        method = Guarded(self.descriptor, self.options)
        answerer = load()
        if isinstance(answerer, StandsForAnnotators):
            raise UserError(
                f"method {self.descriptor.id!r} cannot change recorded answers of annotators",
                fix="leave out --method",
            )
        return MethodAnswerer(answerer, method)


def _content(path: Path) -> str | None:
    """Return the hash of a file, or of an evaluation's samples; what is neither has none."""
    file = path / SAMPLES if path.is_dir() else path
    return file_hash(file) if file.is_file() else None


def find_method(name: str, settings: Mapping[str, Json]) -> Method:
    """Find a method and settle its options.

    Raises:
        UserError: unknown method, option or value.
    """
    descriptor = find("answer method", name, plugins().answer_methods())
    options = parse_options(descriptor.options, settings, owner=f"answer method {name!r}")
    return Method(descriptor, options)


class MethodAnswerer:
    """Asks a model a whole block, with a method's further requests, so that prefixes are shared.

    Further questions that are equal, as those without an image often are, are asked once a block.
    """

    def __init__(self, answerer: Answerer, method: Guarded) -> None:
        self._answerer = answerer
        self._method = method

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answer one block."""
        sent: list[Request] = []
        needed: dict[str, list[str]] = {}
        ids: dict[tuple[tuple[Turn, ...], Choose | Embed], str] = {}
        for request in requests:
            further = self._method.further(request)
            if isinstance(further, Failed):
                yield Response(request.id, further)
                continue
            sent.append(self._method.own(request))
            needed[request.id] = [_place(one, request, ids, sent) for one in further]
        results = {
            response.request: response.result
            for response in (self._answerer.answer(sent) if sent else ())
        }
        lost = Failed("no_answer", "the model did not answer")
        for request in requests:
            if request.id in needed:
                outcomes = [results.get(name, lost) for name in (request.id, *needed[request.id])]
                yield Response(request.id, self._combined(request, outcomes))

    def _combined(self, request: Request, outcomes: Sequence[Result | Failed]) -> Result | Failed:
        answered: list[Result] = []
        for result in outcomes:
            if isinstance(result, Failed):
                return result
            answered.append(result)
        return self._method.combine(request, answered[0], answered[1:])

    def notes(self) -> list[str]:
        """Return what the model has to say."""
        return self._answerer.notes() if isinstance(self._answerer, TakesNotes) else []

    def verdict(self, task: str) -> Mapping[str, Json] | None:
        """Return what the model's check of itself found; empty for one that makes none."""
        return self._answerer.verdict(task) if isinstance(self._answerer, ChecksItself) else {}

    def adopt(self, task: str, verdict: Mapping[str, Json], *, settled: bool) -> None:
        """Answer a task as one whose check of itself found this."""
        if isinstance(self._answerer, ChecksItself):
            self._answerer.adopt(task, verdict, settled=settled)

    def close(self) -> None:
        """Free the model."""
        self._answerer.close()


def _place(
    request: Request,
    of: Request,
    ids: dict[tuple[tuple[Turn, ...], Choose | Embed], str],
    sent: list[Request],
) -> str:
    """Return the id under which a further request is asked; equal ones share it."""
    name = f"{of.id}\x00{len(sent)}"
    if (
        isinstance(request.want, Choose | Embed) and not request.images
    ):  # they depend on the text alone
        key = request.turns, request.want
        if key in ids:
            return ids[key]
        ids[key] = name
    sent.append(replace(request, id=name))
    return name
