"""Intervals, clustered bootstrap, tests."""
