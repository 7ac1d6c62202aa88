"""``python -m harness``."""

from harness.cli.main import entry

entry()
