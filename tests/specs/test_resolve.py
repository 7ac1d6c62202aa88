"""A spec becomes plain data and comes back: nothing that decides numbers is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.plugins import plugins
from harness.specs.catalog import load_catalog
from harness.specs.resolve import from_resolved, parts, read_resolved, resolved
from harness.specs.spec import TaskSpec
from harness.specs.variants import KINDS, Variant

CATALOG = load_catalog(plugins().spec_folders())


@st.composite
def specs(draw: st.DrawFn) -> TaskSpec:
    """Draw a task under any choice of its named options, as written or in a variant."""
    name = draw(st.sampled_from(sorted(CATALOG.entries)))
    options = CATALOG.task(name).options
    chosen = {
        option.name: draw(st.sampled_from(option.choices or (option.default,)))
        for option in options.values()
    }
    spec = CATALOG.task(name, chosen)
    kind = draw(st.sampled_from([None, *KINDS.values()]))
    most = len(spec.prompt.rewordings) if kind == "paraphrase" else 9
    variant = Variant(kind, draw(st.integers(1, most))) if kind and most else None
    return TaskSpec(
        **{field: getattr(spec, field) for field in TaskSpec.__slots__} | {"variant": variant}
    )


@given(specs())
def test_a_spec_comes_back_from_plain_data(spec: TaskSpec) -> None:
    written = yaml.safe_dump(resolved(spec))
    again = from_resolved(yaml.safe_load(written))
    assert resolved(again) == resolved(spec)
    assert parts(again) == parts(spec)
    assert (again.ask, again.prompt, again.metrics) == (spec.ask, spec.prompt, spec.metrics) or (
        again.labels == spec.labels
    )


def test_keys_that_earlier_versions_did_not_write_have_defaults() -> None:
    data: Any = resolved(CATALOG.task("raf_db"))
    for key in ("paraphrases", "shots", "view"):
        del data["prompt"][key]
    for key in ("variant", "options"):
        del data[key]
    assert from_resolved(data).prompt.view.is_full


@pytest.mark.parametrize("text", ["[]", "{}", "data: 1", "id: a\ndata: {}"])
def test_what_is_no_resolved_spec_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(UserError, match="not a resolved spec"):
        read_resolved(tmp_path)
