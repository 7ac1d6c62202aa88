"""A task asked otherwise by a run: few-shot samples, another prompt, other limits of answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

from harness.descriptors import Json, ModelDescriptor
from harness.errors import UserError
from harness.specs.spec import ChooseSpec, GenerateSpec, TaskSpec
from harness.specs.templates import TemplateProblem, compile_template

MAX_SHOTS = 64
_OF_PROMPTS = ("shots", "prompt", "system", "options_order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a run changes of how its tasks are asked; ``None`` leaves a task as its spec has it.

    Attributes:
        shots: Number of few-shot samples of the train split before each question.
        prompt: Template of the question.
        system: Template of the system turn.
        options_order: ``listed`` or ``sorted``; of choices.
        max_new_tokens: Maximum tokens of a generated answer.
        temperature: Temperature of written answers.
    """

    shots: int | None = None
    prompt: str | None = None
    system: str | None = None
    options_order: str | None = None
    max_new_tokens: int | None = None
    temperature: float | None = None

    def apply(self, specs: Iterable[TaskSpec]) -> list[TaskSpec]:
        """Return tasks as they are to be asked; a change that a task has anyway is none.

        Raises:
            UserError: a prompt that a task cannot take.
        """
        return [self._applied(spec) for spec in specs]

    def read_by(self, model: ModelDescriptor) -> tuple[Changes, tuple[str, ...]]:
        """Return the changes that a model reads, and in words what of them it does not."""
        names = [field.name for field in fields(self)] if not model.is_asked else _OF_PROMPTS
        lost = [name for name in names if getattr(self, name) is not None]
        if not lost or (model.is_asked and model.reads_prompts):
            return self, ()
        why = "reads no prompt" if model.is_asked else "is asked nothing"
        note = f"{model.id} {why}: {', '.join(map(_flag, lost))} has no effect"
        return replace(self, **dict.fromkeys(lost)), (note,)

    def without_effect(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Return in words which changes cannot be made to which tasks, whose others take them.

        Raises:
            UserError: a change that no task can take.
        """
        notes = []
        for name, takes, what, more in _TAKERS:
            others = [spec.id for spec in specs if not takes(spec)]
            if getattr(self, name) is None or (name, self.shots) == ("shots", 0) or not others:
                continue
            flag = _flag(name)
            if len(others) == len(specs):
                raise UserError(f"no task here {what}", where=flag, fix=f"leave out {flag}{more}")
            notes.append(
                f"{flag} does not apply to {', '.join(others)}: only a task that {what} takes it"
            )
        return notes

    def _applied(self, spec: TaskSpec) -> TaskSpec:
        prompt, ask = spec.prompt, spec.ask
        if self.shots is not None and spec.data.train_split is not None:
            prompt = replace(prompt, shots=self.shots)
        if self.prompt is not None:
            _refuse_prompt(self.prompt, spec)
            prompt = replace(prompt, template=self.prompt)
        if self.system is not None:
            _compiled(self.system, "system")
            prompt = replace(prompt, system=self.system)
        if isinstance(ask, ChooseSpec) and self.options_order is not None:
            ask = replace(ask, order="sorted" if self.options_order == "sorted" else "listed")
        if isinstance(ask, GenerateSpec):
            if self.max_new_tokens is not None:
                ask = replace(ask, max_new_tokens=self.max_new_tokens)
            if self.temperature is not None:
                ask = replace(ask, temperature=self.temperature)
        changed = replace(spec, prompt=prompt, ask=ask)
        return replace(changed, asked=_difference(spec, changed))


def writes(spec: TaskSpec) -> bool:
    """Whether a task has the model write its answer."""
    return isinstance(spec.ask, GenerateSpec)


_TAKERS: tuple[tuple[str, Callable[[TaskSpec], bool], str, str], ...] = (
    ("shots", lambda spec: spec.data.train_split is not None, "has a train split for examples",
     "; in a spec of your own: data.train_split names the split that they come from"),
    ("options_order", lambda spec: bool(spec.labels), "has the model choose among options", ""),
    ("max_new_tokens", writes, "has the model write its answer", ""),
    ("temperature", writes, "has the model write its answer", ""),
)  # fmt: skip
"""Changes that some tasks cannot take: which do, in words what these have, and how to have it."""


def _difference(spec: TaskSpec, changed: TaskSpec) -> dict[str, Json]:
    """Return what of a task is asked otherwise, texts by the beginning of their hashes."""
    different: dict[str, Json] = {}
    if changed.prompt.shots != spec.prompt.shots:
        different["shots"] = changed.prompt.shots
    for key, name in (("prompt", "template"), ("system", "system")):
        if (text := getattr(changed.prompt, name)) != getattr(spec.prompt, name):
            different[key] = _short(text)
    for name in ("order", "max_new_tokens", "temperature"):
        value = getattr(changed.ask, name, None)
        if value != getattr(spec.ask, name, None):
            different["options_order" if name == "order" else name] = value
    return different


def _refuse_prompt(text: str, spec: TaskSpec) -> None:
    """Refuse a prompt that names no field where the task's own does: all would be asked the same.

    Raises:
        UserError: such a prompt, an empty one, or what is no template.
    """
    named = _compiled(text, "prompt")
    fields = compile_template(spec.prompt.template).fields
    if fields and not named:
        raise UserError(
            f"the prompt uses no field, and the prompt of {spec.id!r} does: {', '.join(fields)}",
            where="--prompt",
            fix=f"write {{{{ {fields[0]} }}}} where it belongs",
        )


def _compiled(text: str, name: str) -> tuple[str, ...]:
    if not text.strip():
        raise UserError(f"the {name} is empty", where=_flag(name))
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise UserError(f"the {name} is not Unicode text", where=_flag(name))
    try:
        return compile_template(text, _flag(name)).fields
    except TemplateProblem as error:
        raise UserError(error.message, where=_flag(name), fix=error.fix) from None


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _short(text: str) -> str:
    return f"#{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
