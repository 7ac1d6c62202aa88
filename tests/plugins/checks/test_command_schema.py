"""``harness schema`` prints schemas that editors take."""

import json

import pytest
from jsonschema import Draft202012Validator

from harness.cli.main import invoke, main


@pytest.mark.parametrize("flags", [(), ("group",), ("--plain",), ("--json",)])
def test_a_schema_is_printed(capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]) -> None:
    assert invoke(main, ["schema", *flags]) == 0
    printed = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(printed)
    text = json.dumps(printed)
    assert ('"jrdb_social"' in text) == (flags in {(), ("--json",)})


def test_the_old_flag_for_groups_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["schema", "group"]) == 0
    expected = capsys.readouterr().out
    assert invoke(main, ["schema", "--group"]) == 0
    hint = "hint: --group is group now; the old name will go in the next version\n"
    assert capsys.readouterr() == (expected, hint)
