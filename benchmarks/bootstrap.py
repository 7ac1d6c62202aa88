"""Seconds of a bootstrap of accuracy over samples made for it, clustered and not.

Wanted: 200,000 samples with 2,000 draws in at most 2 seconds.

Example: python benchmarks/bootstrap.py --samples 200000 --draws 2000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.sparse import csr_array

from harness.stats.bootstrap import resampled
from harness.stats.rows import distinct_rows
from harness.stats.types import Floats

WANTED = 2.0
SIZES = {"one sample per cluster": 1, "one to eight": 8, "one to fifty": 50}


def share(totals: Floats) -> Floats:
    """Return right answers over all, as accuracy does."""
    return np.asarray(totals[..., 0] / totals[..., 1])


def totals(samples: int, largest: int) -> csr_array:
    """Return right answers and samples of each cluster."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, largest + 1, samples)
    sizes = sizes[: int(np.searchsorted(sizes.cumsum(), samples)) + 1]
    right = random.binomial(sizes, random.beta(3, 2, len(sizes)))
    return csr_array(np.stack([right, sizes], axis=1).astype(np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--draws", type=int, default=2000)
    arguments = parser.parse_args()
    for name, largest in SIZES.items():
        totals_by_cluster = totals(arguments.samples, largest)
        busy, clock = time.process_time(), time.perf_counter()
        interval = resampled(
            share, distinct_rows(totals_by_cluster, None), draws=arguments.draws
        ).interval()
        busy, clock = time.process_time() - busy, time.perf_counter() - clock
        assert interval is not None
        print(
            f"{name}: {totals_by_cluster.shape[0]} clusters, {clock:.2f} s wall clock, "
            f"{busy:.2f} s CPU time ({interval.method}); wanted at most {WANTED:g} s"
        )


if __name__ == "__main__":
    main()
