"""Shared machinery for PyTorch models; needs the ``torch`` extra."""
