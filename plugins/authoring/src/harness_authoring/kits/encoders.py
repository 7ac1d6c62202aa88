"""The kit of visual encoders: found by name, known by what changes its features."""

from __future__ import annotations

import json
from typing import Any

import harness
import numpy as np
from harness.analysis.encoders import Encoder, EncoderRequest
from harness.config.settings import load_settings
from harness.config.tasks import installed_catalog
from harness.errors import HarnessError, UserError
from harness.guard import not_plain
from harness.models import Runtime
from harness.targets import load_target

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.models.asking import draw_image
from harness_authoring.subjects import Subject

_CLOSE = 1e-4


def _request(subject: Subject, rest: str) -> EncoderRequest:
    catalog = installed_catalog()
    for name in [subject.task] if subject.task else catalog.entries:
        try:
            task = harness.load_task(name)
        except HarnessError:
            continue
        runtime = Runtime(device="cpu", dtype="float32")
        return EncoderRequest(f"{subject.id}:{rest}", rest, load_settings(), runtime, task)
    raise NotApplicableError("there is no task to make one for")


def _find(subject: Subject, rest: str) -> Encoder:
    find = load_target(subject.descriptor)
    with subject.contract.calling("find"):
        encoder = find(_request(subject, rest))
    if not isinstance(encoder, Encoder):
        raise subject.contract.returned(encoder, "find", "an Encoder")
    return encoder


def _named(subject: Subject) -> Encoder:
    if not subject.rest:
        forms = ", ".join(subject.descriptor.forms)
        raise NotApplicableError(f"no encoder is named: harness plugin check {forms}")
    return _find(subject, subject.rest)


def forms(subject: Subject) -> None:
    """Say how its names are written: with its id and a colon."""
    for form in subject.descriptor.forms:
        if not form.startswith(f"{subject.id}:"):
            raise ContractError(f"the form {form!r} does not begin with {subject.id}:")
    if not subject.descriptor.forms:
        raise ContractError("no form says what its names look like")


def unknown(subject: Subject) -> None:
    """Refuse a name that is not there, in a message; nothing is loaded for it."""
    for rest in ("/not/there/at/all", "no such name", "../..", "x" * 200):
        try:
            encoder = _find(subject, rest)
        except UserError as error:
            if type(error).__name__ == "PluginError" and "raised in find" in error.message:
                raise ContractError(f"{rest[:40]!r}: {error.message}") from None
            continue
        raise ContractError(f"the name {rest[:40]!r} finds {encoder.name[:60]!r}")


def identity(subject: Subject) -> None:
    """Be known by plain data, the same twice, without a folder of this machine."""
    first, second = _named(subject), _named(subject)
    if fault := not_plain(first.identity):
        raise ContractError(f"the identity is not plain data: {fault}")
    if first.identity != second.identity:
        raise ContractError("its identity changes between two calls")
    if subject.rest.startswith("/") and subject.rest in json.dumps(first.identity):
        raise ContractError("the identity holds a folder of this machine: hash its files instead")


def features(subject: Subject) -> None:
    """Load a tower whose features are finite, the same again, and other for another image."""
    tower: Any = _named(subject).load()
    columns = list(tower.columns("all", "mean").values())
    images = [draw_image(number) for number in (1, 2, 1)]
    flat = [
        np.concatenate([tower.features([image], columns)[0][column] for column in columns])
        for image in images
    ]
    if not all(np.isfinite(one).all() for one in flat):
        raise ContractError("a feature is not finite")
    if not np.allclose(flat[0], flat[2], atol=_CLOSE):
        raise ContractError("the same image gets other features in a second call")
    if np.allclose(flat[0], flat[1], atol=_CLOSE):
        raise ContractError("two images have the same features")


CHECKS = (
    Check("forms", "how its names are written", forms),
    Check("unknown", "a name that is not there is refused in a message", unknown),
    Check("identity", "plain data, the same twice, no folder of this machine", identity),
    Check("features", "finite features, the same for the same image", features),
)
