"""Validates calls to a plugin's extractor; a contract violation is one ``PluginError``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

from harness.descriptors import Json
from harness.guard import Contract, described, not_plain
from harness.plugins import plugins
from harness.requests.extractor import Extracted, Extractor
from harness.targets import make

PROBLEMS: tuple[str, ...] = get_args(get_type_hints(Extracted)["problem"])


def make_extractor(name: str, options: Mapping[str, Json], labels: Sequence[str]) -> Extractor:
    """Return an extractor by id whose calls are validated.

    Raises:
        PluginError: its plugin or factory fails, or what it makes cannot be called.
        UserError: no such extractor, or options and labels that it refuses.
    """
    extractor, contract = make("extractor", name, plugins().extractors(), options, tuple(labels))
    return guarded_extractor(extractor, contract)


def guarded_extractor(extractor: Any, contract: Contract) -> Extractor:
    """Return an extractor that validates the calls of another.

    Raises:
        PluginError: the other cannot be called.
    """
    if not callable(extractor):
        raise contract.wrong(f"makes {described(extractor)}, which cannot be called with a text")

    def check(extracted: Any, *arguments: Any) -> Extracted:
        del arguments
        if not isinstance(extracted, Extracted):
            raise contract.returned(extracted, "a call", "Extracted")
        answer, problem = extracted.answer, extracted.problem
        if problem not in PROBLEMS or (answer is None) != bool(problem):
            raise contract.wrong(
                f"returned the answer {described(answer)} with the problem {described(problem)}: "
                f"an answer has none, and no answer has one of {', '.join(filter(None, PROBLEMS))}"
            )
        if answer is not None and type(answer) is not str and (why := not_plain(answer)):
            raise contract.wrong(f"returned an answer that is not plain data: {why}")
        return extracted

    guarded = contract.checked(extractor, "a call", check)
    guarded.needs_image_size = bool(getattr(extractor, "needs_image_size", False))
    stand_in: Extractor = guarded
    return stand_in
