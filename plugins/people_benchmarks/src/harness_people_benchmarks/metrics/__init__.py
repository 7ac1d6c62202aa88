"""Metrics: one file each, with its descriptors."""
