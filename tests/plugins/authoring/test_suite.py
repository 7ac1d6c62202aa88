"""A plugin's suite leaves out the checks that its author names, and no name goes unread."""

from __future__ import annotations

import pytest
from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.suite import run_as_test

from harness.errors import UserError


def _breaks(subject: object) -> None:
    raise ContractError(f"{subject} breaks it")


def _does_not_apply(subject: object) -> None:
    raise NotApplicableError(f"{subject} has none")


IMAGES = Check("images", "sees images", _breaks)
PADDING = Check("padding", "pads", _does_not_apply)
CHECKS = (IMAGES, PADDING)


def test_a_broken_promise_fails() -> None:
    with pytest.raises(ContractError, match="it breaks it"):
        run_as_test(IMAGES, "it", {}, CHECKS)


def test_a_check_that_does_not_fit_is_skipped_with_the_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="it has none"):
        run_as_test(PADDING, "it", {}, CHECKS)
    with pytest.raises(pytest.skip.Exception, match="gates are shut"):
        run_as_test(IMAGES, "it", {"images": "gates are shut"}, CHECKS)


def test_a_name_that_is_no_check_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        run_as_test(PADDING, "it", {"image": "gates are shut"}, CHECKS)
    assert caught.value.fix == "did you mean 'images'?"
    assert caught.value.where == "unfit"
