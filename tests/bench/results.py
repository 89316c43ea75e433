# SPDX-License-Identifier: BSD-2-Clause
"""results.py - what came of measuring a row."""

import statistics


class Results:
    """Measurements of one row. A measurement is the sum of its runs."""

    HEAD = ("row", "ours", "theirs", "ratio", "least", "most", "CPU", "peak", "theirs", "private",
            "theirs")

    def __init__(self, name):
        self.name = name
        self.seconds = {"ours": [], "theirs": []}
        self.cpu = {"ours": [], "theirs": []}
        self.runs = 1
        self.peak = {"ours": 0, "theirs": 0}
        self.private = {}

    def add(self, who, runs):
        self.runs = len(runs)
        self.seconds[who].append(sum(run[1] for run in runs))
        self.cpu[who].append(sum(run[2] for run in runs))
        self.peak[who] = max(self.peak[who], *(run[3] for run in runs))

    @staticmethod
    def ratios_of(pairs):
        return [theirs / ours for ours, theirs in zip(pairs["ours"], pairs["theirs"])]

    def ratio(self):
        return statistics.median(self.ratios_of(self.seconds))

    def cells(self):
        ratios = self.ratios_of(self.seconds)
        cpu = statistics.median(self.ratios_of(self.cpu))
        times = [duration(statistics.median(self.seconds[who]) / self.runs)
                 for who in ("ours", "theirs")]
        memory = [f"{size[who] / 1024:.1f} MiB" for size in (self.peak, self.private)
                  for who in ("ours", "theirs")]
        return (self.name, *times, f"{self.ratio():.2f}", f"{min(ratios):.2f}",
                f"{max(ratios):.2f}", f"{cpu:.2f}", *memory)


def duration(seconds):
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1000:.2f} ms"
