"""Samples, image references, safe image opening and views."""

from harness.samples.sample import Box, Group, ImageRef, Sample

__all__ = ["Box", "Group", "ImageRef", "Sample"]
