"""Checks of models on the engine: where options leave the prompt, and prefix sharing."""

from __future__ import annotations

from harness.requests import Choose

from harness_authoring.contract import ContractError
from harness_authoring.models.asking import OPTIONS, QUESTIONS, difference, draw_image, request
from harness_authoring.models.candidate import Candidate


def tokenisation(candidate: Candidate) -> None:
    """Cut options off where they leave the prompt's own tokens, once for each image."""
    from harness.engine.contract import IMAGE

    model = candidate.engine_model()
    try:
        for question in QUESTIONS:
            (turn,) = request("", Choose(OPTIONS), question).turns
            joint, alone = model.prompt([turn], OPTIONS), model.prompt([turn], ())
            cut = len(joint.prefix)
            if joint.prefix != alone.prefix[:cut]:
                raise ContractError("the prompt's tokens change with the text after them")
            if len(joint.options) != len(OPTIONS) or not all(joint.options):
                raise ContractError("an option has no tokens")
            if joint.prefix.count(IMAGE) != len(turn.images):
                raise ContractError("an image is left out of the prompt, or repeated")
            if len(set(joint.options)) != len(OPTIONS):
                raise ContractError("different options have the same tokens")
            if cut < len(alone.prefix) and all(
                option[0] == alone.prefix[cut] for option in joint.options
            ):
                raise ContractError("options begin before any leaves the prompt's tokens")
    finally:
        model.close()


def prefix_sharing(candidate: Candidate) -> None:
    """Give the same answers with sharing and without."""
    model = candidate.engine_model()
    from harness.engine.answerer import EngineAnswerer

    apart = EngineAnswerer(model, candidate.runtime, sharing=False)
    image = draw_image(6)
    requests = [
        *candidate.requests(),
        *(request(f"shared-{n}", Choose(OPTIONS), text, [image])
          for n, text in enumerate(QUESTIONS)),
    ]  # fmt: skip
    try:
        slow = candidate.ask(requests, apart)
    finally:
        apart.close()
    answers = candidate.ask(requests)
    for name, result in slow.items():
        problem = difference(result, answers[name], candidate.tolerance)
        if problem:
            raise ContractError(f"{name}: {problem}")
    notes: list[str] = getattr(candidate.answerer(), "notes", list)()
    if any("sharing is off" in note for note in notes):
        raise ContractError(f"the engine turned sharing off: {notes[0]}")
