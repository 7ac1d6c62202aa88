"""Counterfactual image sets: made from a YAML of concepts, filtered, documented."""

from __future__ import annotations
