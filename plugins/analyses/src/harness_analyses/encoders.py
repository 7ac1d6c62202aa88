"""Find visual encoders by name, and tell one from another. Light: weights load in ``towers``.

``KIND:REST`` names an encoder: a plugin adds the kind, and reads the rest.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.encoders import Encoder, EncoderRequest, FindEncoder
from harness.config.settings import Settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.model import configure_model
from harness.evaluation.task import Task
from harness.guard import Contract, described, not_plain
from harness.models import Runtime
from harness.models.guard import require_offer
from harness.plugins import contract_of, missing, plugins
from harness.targets import load_target
from harness_training.checkpoint import open_trained

if TYPE_CHECKING:
    from harness_analyses.towers import Tower

_CHECKPOINT = "checkpoint"


def find_encoder(name: str, settings: Settings, runtime: Runtime, task: Task) -> Encoder:
    """Find an encoder by name; see :class:`EncoderRequest`.

    Raises:
        UserError: an unknown kind, a file that is not there, a model without a vision tower.
        PluginError: the encoder breaks its contract.
    """
    kinds = plugins().encoders()
    kind, _, value = name.partition(":")
    forms = ", ".join(form for one in kinds.values() for form in one.forms)
    if not value:
        raise UserError(f"{name!r} is not the name of an encoder", fix=forms)
    if kind not in kinds:
        error = missing("encoder", kind, kinds)
        error.fix = f"{error.fix}; {forms}" if error.fix else forms
        raise error
    descriptor = kinds[kind]
    find: FindEncoder = load_target(descriptor)
    request = EncoderRequest(name, value, settings, runtime, task)
    if descriptor.target.startswith(f"{__package__}."):  # our own need no guard
        return find(request)
    contract = contract_of(descriptor)
    with contract.calling("find"):
        encoder = find(request)
    if not isinstance(encoder, Encoder):
        raise contract.returned(encoder, "find", "an Encoder")
    if fault := not_plain(encoder.identity):
        raise contract.wrong(f"has an identity that is not plain data: {fault}")
    return replace(encoder, name=name, load=lambda: _loaded(encoder, contract))


def _loaded(encoder: Encoder, contract: Contract) -> Tower:
    from harness_analyses.towers import Tower

    with contract.calling("load"):
        tower = encoder.load()
    if not isinstance(tower, Tower):
        raise contract.wrong(f"loads {described(tower)}, not a Tower")
    tower.guard(contract)
    return tower


def of_transformers(request: EncoderRequest) -> Encoder:
    """Find an encoder in transformers' format: ``hf:FOLDER`` or ``hf:HUB_ID``."""
    from harness.engine.checkpoints import open_checkpoint, refuse_remote_code

    source = open_checkpoint(request.rest)
    refuse_remote_code(source)
    identity: dict[str, Json] = {"kind": "hf", "dtype": request.dtype}
    identity |= source.identity(request.runtime.cache)

    def load() -> Tower:
        from harness_analyses import towers

        return towers.of_transformers(source, request.runtime)

    return Encoder(request.name, identity, load)


def of_model(request: EncoderRequest) -> Encoder:
    """Find the vision tower of a model: ``model:ID,key=value,...``."""
    model, *pairs = request.rest.split(",")
    options: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(
                f"{pair!r} in {request.name!r} is not key=value", fix="model:ID,key=value,..."
            )
        options[key] = value
    folder = options.pop(_CHECKPOINT, None)
    checkpoint = None if folder is None else Path(str(folder))
    weights = None if checkpoint is None else open_trained(checkpoint)
    subject = configure_model(model, options, request.settings, request.runtime, weights)
    require_offer(subject.descriptor, "tower", "has no vision tower that can be taken out")
    fingerprint = subject.record(request.task)["fingerprint"]

    def load() -> Tower:
        from harness_analyses import towers

        return towers.of_model(subject, request.task, checkpoint)

    marks = {*subject.marks, *(weights.marks if weights is not None else ())}
    return Encoder(
        request.name, {"kind": "model", "model": fingerprint}, load, tuple(sorted(marks))
    )
