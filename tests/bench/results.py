# SPDX-License-Identifier: BSD-2-Clause
"""results.py - what came of measuring a row."""

import statistics
from typing import NamedTuple, Optional


class Sample(NamedTuple):
    """One measurement of one side: what is compared, and what is told beside it."""

    value: float                  # seconds, or MiB; less is better
    cpu: Optional[float] = None   # seconds of processor time
    peak: Optional[float] = None  # MiB, with pages of mapped files


class Results:
    """The samples of one row."""

    def __init__(self, row):
        self.row = row
        self.samples = {side: [] for side in row.sides}

    def add(self, side, sample):
        self.samples[side].append(sample)

    def value(self, side):
        return statistics.median(sample.value for sample in self.samples[side])

    def peak(self, side):
        peaks = [sample.peak for sample in self.samples.get(side, ()) if sample.peak is not None]
        return max(peaks, default=None)

    def ratios(self, side):
        """Of each pair, what @p side took divided by what we took."""
        return [other.value / ours.value
                for ours, other in zip(self.samples["ours"], self.samples[side])]

    def ratio(self, side):
        return statistics.median(self.ratios(side))

    def cpu_ratio(self, side):
        pairs = [(ours.cpu, other.cpu)
                 for ours, other in zip(self.samples["ours"], self.samples[side])]
        if any(not ours or other is None for ours, other in pairs):
            return None
        return statistics.median(other / ours for ours, other in pairs)


def shown(value, unit):
    """A value with three digits and its unit."""
    if unit == "MiB":
        return f"{value:.1f} MiB"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{value:.0f} s" if value >= 1000 else f"{value * factor:.3g} {name}"
    return f"{value * 1e9:.3g} ns"
