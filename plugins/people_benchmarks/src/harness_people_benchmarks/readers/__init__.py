"""Readers: one file for each benchmark's release layout."""
