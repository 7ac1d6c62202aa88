"""Metrics that belong to one benchmark or to the comparison of groups of people."""
