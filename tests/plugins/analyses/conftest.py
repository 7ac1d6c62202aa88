"""The same faces and trainings as analyses' contract is tested with."""

from tests.analysis.conftest import built, faces, trained

__all__ = ["built", "faces", "trained"]
