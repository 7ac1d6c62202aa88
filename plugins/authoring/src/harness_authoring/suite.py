"""The kits as a pytest suite that a plugin's author subclasses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from harness.descriptors import Descriptor, Json
from harness.errors import unknown

from harness_authoring.contract import Check, NotApplicableError
from harness_authoring.kits import checks_of
from harness_authoring.subjects import Subject, found, kind_named, subject_of


def run_as_test(
    check: Check, subject: object, unfit: Mapping[str, str], checks: Iterable[Check]
) -> None:
    """Run one check in a test; skip it where the author says, or it finds, that it does not fit.

    Raises:
        UserError: ``unfit`` names no check, so that what it was to leave out would be run.
        ContractError: the promise is not kept.
    """
    names = [known.name for known in checks]
    for name in unfit:
        if name not in names:
            raise unknown("check", name, names, where="unfit")
    if check.name in unfit:
        pytest.skip(unfit[check.name])
    try:
        check.run(subject)
    except NotApplicableError as error:
        pytest.skip(str(error))


class Conformance:
    """Every promise of one kind of plugin, one test each; models have ``ModelConformance``.

    Subclass it in a test module, under a name that begins with ``Test``::

        class TestKappa(Conformance):
            kind = "metric"
            id = "kappa"

    Attributes:
        kind: As ``harness plugin check --kind`` takes it.
        id: The object's id, or its descriptor when it is not installed.
        options: Its options.
        task: A task whose data are used.
        data: A folder of data, for a reader that no installed task uses.
        split: A split of them.
        unfit: Names of checks that do not fit it, with the reason.
    """

    kind: ClassVar[str]
    id: ClassVar[str | Descriptor]
    options: ClassVar[Mapping[str, Json]] = {}
    task: ClassVar[str] = ""
    data: ClassVar[Path | str | None] = None
    split: ClassVar[str] = ""
    unfit: ClassVar[Mapping[str, str]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each check of the kind."""
        if "check" in metafunc.fixturenames:
            checks = checks_of(kind_named(self.kind))
            metafunc.parametrize("check", checks, ids=[check.name for check in checks])

    @pytest.fixture(scope="class")
    @classmethod
    def data_folder(cls) -> Path | str | None:
        """Return the data; override it where a fixture makes them."""
        return cls.data

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, data_folder: Path | str | None) -> Subject:
        """What is checked, made once for all checks."""
        kind, name = kind_named(cls.kind), cls.id
        remainder = name.partition(":")[2] if isinstance(name, str) else ""
        descriptor = found(name, kind)[0][1] if isinstance(name, str) else name
        data = None if data_folder is None else Path(data_folder)
        return subject_of(
            kind, descriptor, cls.options, task=cls.task, data=data, split=cls.split, rest=remainder
        )

    def test_it_keeps_its_promises(self, check: Check, subject: Any) -> None:
        """Run one check."""
        run_as_test(check, subject, self.unfit, checks_of(kind_named(self.kind)))
