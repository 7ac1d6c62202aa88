"""What all tests share: properties are held however slow the machine is at the moment."""

import gc
import os

import pytest
from hypothesis import settings

# Set before PyTorch and numpy are loaded, here and in every process that a test starts. The models
# are tiny, and the processes of pytest-xdist share the cores: threads would spin for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="module", autouse=True)
def light_collections() -> None:
    """Leave the modules that are loaded out of later garbage collections: a seventh of the time."""
    gc.collect()
    gc.freeze()
