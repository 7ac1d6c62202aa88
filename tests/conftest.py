"""What all tests share: properties are held however slow the machine is at the moment."""

import gc

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="module", autouse=True)
def light_collections() -> None:
    """Leave the modules that are loaded out of later garbage collections: a seventh of the time."""
    gc.collect()
    gc.freeze()
