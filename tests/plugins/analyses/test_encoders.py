"""Kinds of encoder come from plugins, and one that breaks its contract is named."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from harness_analyses.encoders import find_encoder

from harness.analysis.encoders import Encoder, EncoderRequest
from harness.descriptors import EncoderDescriptor
from harness.errors import PluginError, UserError
from harness.models import Runtime
from harness.plugins import Plugins, hookimpl, using

pytestmark = pytest.mark.torch


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Encoder]]:
    """Return a function that finds ``strange:one`` with a plugin that finds as it is told."""
    messages: list[Callable[..., Any]] = []

    @hookimpl
    def harness_encoders() -> list[EncoderDescriptor]:
        target = "strange_encoders:find"
        return [EncoderDescriptor(id="strange", target=target, summary="", forms=("strange:N",))]

    def as_told(asked: EncoderRequest) -> Any:
        return messages[-1](asked)

    module: Any = types.ModuleType("strange_encoders")
    module.harness_encoders, module.find = harness_encoders, as_told
    monkeypatch.setitem(sys.modules, "strange_encoders", module)
    loaded = Plugins(
        points=[
            EntryPoint(name, module_name, "harness")
            for name, module_name in (
                ("analyses", "harness_analyses"),
                ("strange", "strange_encoders"),
            )
        ]
    )

    def find(how: Callable[..., Any], name: str = "strange:one") -> Encoder:
        messages.append(how)
        nothing: Any = None
        return find_encoder(name, nothing, Runtime(device="cpu"), nothing)

    with using(loaded):
        yield find


def test_what_is_not_installed_says_what_is(strange: Callable[..., Encoder]) -> None:
    with pytest.raises(UserError, match=r"did you mean 'strange'\?; hf:.*strange:N"):
        strange(None, "strang:one")
    with pytest.raises(PluginError, match="pip install social-harness-open-clip"):
        strange(None, "open_clip:ViT-B-32:openai")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda wanted: wanted.nothing, "raised in find"),
        (lambda wanted: wanted.name, "returned str 'strange:one' from find, not an Encoder"),
        (lambda wanted: Encoder(wanted.name, {"a": {1}}, print), "identity that is not plain data"),  # type: ignore[dict-item]
        (lambda wanted: Encoder(wanted.name, {}, lambda: 1), "loads int 1, not a Tower"),
        (lambda wanted: Encoder(wanted.name, {}, lambda: 1 // 0), "raised in load"),
    ],
)
def test_one_that_breaks_its_contract_is_named(
    strange: Callable[..., Encoder], how: Callable[..., Any], message: str
) -> None:
    with pytest.raises(
        PluginError, match=f"encoder 'strange' .*{message}|encoder 'strange' {message}"
    ):
        strange(how).load()
