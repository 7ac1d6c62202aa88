"""Extractors: from a model's text to an answer, or to the reason why there is none."""
