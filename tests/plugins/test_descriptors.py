"""What every model plugin of this project says of itself."""

from __future__ import annotations

import pytest

from harness.plugins import plugins

MODELS = plugins().models()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_presets_and_their_marks_fit_the_options(name: str) -> None:
    model = MODELS[name]
    listed = {option.name for option in model.options}
    assert all(set(preset) <= listed for preset in model.presets.values())
    assert set(model.preset_marks) <= set(model.presets)
