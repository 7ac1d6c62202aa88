"""Extractors that one benchmark's answers need."""
