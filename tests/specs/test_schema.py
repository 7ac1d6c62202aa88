"""The schema: itself valid, described to the last key, and the reference page is made of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_checks.spec_page import reference_page
from jsonschema import Draft202012Validator

from harness.specs.schema import Kind, schema
from tests.specs.specs_for_tests import SPEC

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "task-spec.md"


def keys(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in content.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from keys(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(content.get(name), dict):
            yield from keys(content[name], f"{path}.{name}")
    for name, inner in content.get("$defs", {}).items():
        yield from keys(inner, f"{path}.{name}")


@pytest.mark.parametrize("kind", ["task", "group"])
def test_the_schema_is_one_and_says_what_every_key_is(kind: Kind) -> None:
    content = schema(kind)
    Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for path, inner in keys(content):
        assert inner.get("description"), path
        if inner.get("type") == "object":
            assert "additionalProperties" in inner, path


def test_the_schema_names_what_is_installed() -> None:
    from harness.plugins import plugins

    content = schema("task", registry=plugins())
    assert "pisc" in content["properties"]["data"]["properties"]["reader"]["enum"]
    assert "enum" not in schema("task")["properties"]["data"]["properties"]["reader"]


def test_the_reference_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == reference_page(), (
        "python -m harness_checks.spec_page > docs/reference/task-spec.md"
    )


def test_the_reference_page_names_every_key() -> None:
    page = reference_page()
    for path, _ in keys(schema()):
        assert f"`{path.rsplit('.', 1)[1]}`" in page or path.endswith(".option"), path


def test_the_example_of_the_tests_fits() -> None:
    from harness.specs.yaml_loader import parse_yaml

    assert list(Draft202012Validator(schema()).iter_errors(parse_yaml(SPEC).data)) == []
