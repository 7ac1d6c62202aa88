"""Drawn data: the demo world's own people and scenes in these benchmarks' layouts."""
