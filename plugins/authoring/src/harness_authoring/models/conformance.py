"""The checks as a pytest suite that a plugin's author subclasses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from harness.descriptors import Json, ModelDescriptor
from harness.models import Runtime

from harness_authoring.contract import Check
from harness_authoring.models.candidate import Candidate
from harness_authoring.models.checks import CHECKS
from harness_authoring.suite import run_as_test


class ModelConformance:
    """Every promise of the model contract, one test each.

    Subclass it in a test module, under a name that begins with ``Test``::

        class TestMine(ModelConformance):
            model = "mine"
            options = {"path": "tests/tiny"}

    Attributes:
        model: The model's id, or its descriptor when it is not installed.
        options: As given with ``-o``; or name a fixture ``model_options`` that returns them.
        changes: Options with another value that must change the fingerprint.
        runtime: How to run.
        tolerance: How much answers may differ; by default as the dtype allows.
        unfit: Names of checks that do not fit this model, with the reason.
    """

    model: ClassVar[str | ModelDescriptor]
    options: ClassVar[Mapping[str, Json]] = {}
    changes: ClassVar[Mapping[str, Json]] = {}
    runtime: ClassVar[Runtime] = Runtime(device="cpu", dtype="float32")
    tolerance: ClassVar[float | None] = None
    unfit: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def model_options(cls) -> Mapping[str, Json]:
        """Return the options; override it where they depend on fixtures."""
        return cls.options

    @pytest.fixture(scope="class")
    @classmethod
    def candidate(cls, model_options: Mapping[str, Json]) -> Iterator[Candidate]:
        """The model, loaded once for all checks as far as they allow it."""
        candidate = Candidate(
            cls.model,
            model_options,
            runtime=cls.runtime,
            changes=cls.changes,
            tolerance=cls.tolerance,
        )
        yield candidate
        candidate.close()

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    def test_the_model_keeps_its_promises(self, check: Check, candidate: Any) -> None:
        """Run one check."""
        run_as_test(check, candidate, self.unfit, CHECKS)
