"""Metrics: one file each, with its descriptors; all implement the contract in ``contract.py``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from harness.metrics.contract import AdditiveMetric, GroupMetric, RankMetric, ScoredSample

if TYPE_CHECKING:
    from harness.descriptors import MetricDescriptor

__all__ = ["AdditiveMetric", "GroupMetric", "RankMetric", "ScoredSample", "metrics_in"]


def metrics_in(package: str) -> list[MetricDescriptor]:
    """Return the descriptors of every module of a package that has ``DESCRIPTORS``."""
    submodules = iter_modules(import_module(package).__path__)
    modules = [import_module(f"{package}.{module.name}") for module in submodules]
    return [descriptor for module in modules for descriptor in getattr(module, "DESCRIPTORS", ())]
