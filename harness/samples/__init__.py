"""Samples, image references, data roots, safe image opening and views."""

from harness.samples.roots import DataRoot
from harness.samples.sample import Box, Fault, Group, ImageRef, Sample

__all__ = ["Box", "DataRoot", "Fault", "Group", "ImageRef", "Sample"]
