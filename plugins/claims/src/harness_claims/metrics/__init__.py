"""Metrics of calibration, of disagreement between annotators, and of models that may abstain."""
