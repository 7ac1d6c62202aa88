"""Statistics over clusters: collect, resample, and say how sure a number is.

The package imports nothing by itself: records need :mod:`harness.stats.interval` alone, without
numpy.
"""
