"""Metrics that compare groups: values with bands, what chance gives, and tables beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.evaluation.collectors import Collector, Counted, Frame
from harness.evaluation.intervals import valued
from harness.metrics.contract import Bounded, Comparison, Floats, Rows
from harness.runs.record import Detail, DetailRow, MetricValue, Range
from harness.specs import fingerprint
from harness.stats.bootstrap import resampled
from harness.stats.intervals import BAND, LEVEL, PERCENTILE, Resampled, around, banded, bands_at
from harness.stats.labelled import PERMUTATIONS, chance


@dataclass(frozen=True, slots=True)
class _Found:
    """What metrics of the same counts and options share: their components, resampled."""

    components: Resampled
    low: Floats
    high: Floats
    inner: tuple[Floats, Floats]
    outer: tuple[Floats, Floats]
    permuted: Floats
    within: bool
    totals: Floats


class Compared:
    """Values of metrics of groups; those that differ in what they pick share their draws."""

    def __init__(self, frame: Frame, seed: int) -> None:
        self._frame, self._seed = frame, seed
        self._found: dict[tuple[int, str], _Found] = {}
        self._details: dict[tuple[int, str], tuple[Collector, list[str]]] = {}

    def value(self, collector: Collector) -> MetricValue:
        """Return a metric's value with its band and what chance gives."""
        metric, counts = collector.groups, collector.counted
        assert metric is not None
        assert counts is not None
        if not len(self._frame.codes):
            return valued(collector.spec, float("nan"), None)
        found, settled = self._settled(collector, counts)
        value = float(settled.combine(found.components.value))
        possible: Range = settled.range() if isinstance(settled, Bounded) else (None, None)
        interval = None
        if np.isfinite(value) and self._frame.number > 1:
            ends, inner, outer = (
                (float(settled.combine(low)), float(settled.combine(high)))
                for low, high in ((found.low, found.high), found.inner, found.outer)
            )
            draws = len(found.components.drawn)
            interval = banded(ends, inner, outer, draws, self._frame.number).within(possible)
        expected = chance(
            value, settled.combine(found.permuted), metric.extreme, within=found.within
        )
        return valued(collector.spec, value, interval, expected, possible)

    def details(self) -> list[Detail]:
        """Return the tables beside the values given so far."""
        tables: list[Detail] = []
        for collector, columns in self._details.values():
            assert collector.counted is not None
            assert collector.groups is not None
            found, settled = self._settled(collector, collector.counted)
            drawn = settled.tables(found.components.drawn)
            for rows, draws in zip(settled.tables(found.components.value), drawn, strict=True):
                if rows.simultaneous:
                    low, high, method = found.low, found.high, BAND
                else:
                    (low, high), method = _percentiles(draws.values), PERCENTILE
                tables.append(_detail(rows, columns, low, high, method))
            held = collector.counted.labelled(self._frame)
            beside = collector.groups.beside(collector.counted.counts, held.names, held.by_label())
            tables += [_detail(rows, columns) for rows in beside]
        return tables

    def _settled(self, collector: Collector, counts: Counted) -> tuple[_Found, Comparison]:
        metric = collector.groups
        assert metric is not None
        key = id(counts), fingerprint(dict(collector.spec.options))
        labelled = counts.labelled(self._frame)
        parts = metric.parts(labelled.names)
        size = counts.counts.size
        if key in self._found:
            held = self._found[key]
            if collector.spec.column not in self._details[key][1]:
                self._details[key][1].append(collector.spec.column)
            return held, metric.settle(counts.counts, parts, held.totals)
        rows = labelled.distinct(parts)
        totals = rows.sums(rows.counts[np.newaxis, :].astype(np.float64)).reshape(len(parts), size)
        settled = metric.settle(counts.counts, parts, totals)
        components = resampled(
            lambda sums: settled.components(sums.reshape(-1, len(parts), size)),
            rows,
            seed=self._seed,
            jackknife=False,
        )
        levels = LEVEL, *around(len(components.drawn))
        ends, inner, outer = (
            _possible(settled, *held)
            for held in bands_at(components.value, components.drawn, levels)
        )
        drawn = labelled.permuted(parts, PERMUTATIONS, self._seed)
        permuted = np.stack([settled.components(sums) for sums in drawn])
        held = _Found(components, *ends, inner, outer, permuted, labelled.within, totals)
        self._found[key] = held
        self._details[key] = collector, [collector.spec.column]
        return held, settled


def _possible(settled: Comparison, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return a band cut to what each component can be."""
    if not isinstance(settled, Bounded):
        return low, high
    least, most = settled.bounds()
    return np.clip(low, least, most), np.clip(high, least, most)


def _percentiles(drawn: Floats) -> tuple[Floats, Floats]:
    """Return the percentile interval of each column; NaN where under half of it is finite."""
    known = np.isfinite(drawn).sum(axis=0) * 2 >= len(drawn)
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    if known.any():
        low[known], high[known] = np.nanquantile(drawn[:, known], tails, axis=0)
    return low, high


def _detail(
    rows: Rows,
    columns: Sequence[str],
    low: Floats | None = None,
    high: Floats | None = None,
    method: str = "",
) -> Detail:
    none = np.full(len(rows.keys), np.nan)
    lows, highs = (none if held is None else held for held in (low, high))
    # Where every draw gives the same value, an interval would say nothing.
    lows, highs = (np.where(lows == highs, np.nan, held) for held in (lows, highs))
    counts = {name: _plain(held) for name, held in rows.counts.items()}
    return Detail(
        name=rows.name,
        metrics=tuple(columns),
        level=LEVEL,
        method=method,
        rows=tuple(
            DetailRow(
                key=dict(key),
                value=value,
                low=below if value is not None else None,
                high=above if value is not None else None,
                counts={name: held[place] for name, held in counts.items()},
            )
            for place, (key, value, below, above) in enumerate(
                zip(rows.keys, _plain(rows.values), _plain(lows), _plain(highs), strict=True)
            )
        ),
    )


def _plain(values: Iterable[float] | Floats) -> list[float | None]:
    """Return numbers for JSON; those that are not finite are ``None``."""
    return [float(value) if np.isfinite(value) else None for value in values]
