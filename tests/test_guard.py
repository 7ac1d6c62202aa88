"""What descriptors of plugins must be, before anything of theirs is used."""

from __future__ import annotations

import pytest

from harness.descriptors import (
    CommandDescriptor,
    Descriptor,
    ExtractorDescriptor,
    FormatDescriptor,
    MetricDescriptor,
    ModelDescriptor,
    ReaderDescriptor,
    RecipeDescriptor,
)
from harness.errors import PluginError
from harness.guard import check_descriptor

KINDS: tuple[type[Descriptor], ...] = (
    CommandDescriptor, ExtractorDescriptor, MetricDescriptor, ModelDescriptor, ReaderDescriptor,
    RecipeDescriptor,
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "", "a\n", "a\0", "..", ".", "../x", "a/b", "a\\b", "/x", "a b", ".a", "a.", "-a", "é",
        "x" * 101,
    ],
)  # fmt: skip
def test_an_id_is_a_plain_name_since_files_are_named_after_it(
    kind: type[Descriptor], name: str
) -> None:
    with pytest.raises(PluginError, match="is not a plain name"):
        check_descriptor(kind(id=name, target="a:b", summary=""))


@pytest.mark.parametrize("name", ["a", "A_1", "7b", "qwen2.5-vl", "_x", "x" * 100])
def test_ids_in_use_are_plain(name: str) -> None:
    for kind in KINDS:
        check_descriptor(kind(id=name, target="a:b", summary=""))
    check_descriptor(FormatDescriptor(id=name, target="a:b", summary="", suffix=".x"))
