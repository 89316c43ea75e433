# SPDX-License-Identifier: BSD-2-Clause
"""rules.py - what is measured of tables of rules: answering, and being opened."""

from bench import Wrong
from results import Sample
from row import Command

RULES = (100, 1_000, 10_000)
NETWORKS = (1_000, 100_000)
OPENED = 10_000
TRIES = 5  # while something else takes so much time that more questions seem to cost less
FEW = 300  # questions of a short-lived command, and the fewest that are measured


class OfRules(Command):
    """A command about @p count rules."""

    statuses = (0,)

    def __init__(self, name, kind, count, what, bench):
        super().__init__(name, bench)
        self.kind, self.count, self.what = kind, count, what
        self.family = "cidr" if kind == "cidr" else "regexp"

    def prepare(self):
        self.table = self.bench.data("rules", self.family, self.count)

    def asked(self, questions):
        return self.bench.data(self.what, self.family, self.count, questions)

    def words(self, side):
        return ["-q", "-", f"{self.kind}:{self.table}"]

    def agree(self):
        if self.what == "hits":
            super().agree()
        elif any(self.output(side).stat().st_size for side in self.sides):
            raise Wrong("a miss was a hit")


class Rules(OfRules):
    """One answer of a table that was asked before: the time of a command with 2 n questions, less
    that of one with the first n of them, for each of the others. So neither opening the table nor
    what is made once, be it an index or the states of an automaton, is part of it. Each side is
    asked so often that the difference can be measured."""

    least_seconds = 0.1

    def __init__(self, kind, count, what, bench):
        name = f"{kind}-{count}" + ("" if kind == "cidr" else f"-{what}")
        super().__init__(name, kind, count, what, bench)
        self.group = "rules"
        self.statuses = (0,) if what == "hits" else (1,)
        self.most = bench.options.rule_questions // 2
        self.half = {}

    def given(self, side):
        return self.asked(2 * min(FEW, self.most))

    def check(self):
        super().check()
        for side in self.sides:
            self.half[side] = min(FEW, self.most)
            while self.half[side] < self.most and self.difference(side).value < self.least_seconds:
                self.half[side] = min(4 * self.half[side], self.most)

    def difference(self, side):
        """@return the sample of the second half of the questions"""
        n = self.half[side]
        half, = self.measure(side, 1, given=self.asked(n))
        whole, = self.measure(side, 1, given=self.asked(2 * n))
        return Sample(whole[1] - half[1], whole[2] - half[2], whole[3] / 1024)

    def sample(self, side):
        n = self.half[side]
        for _ in range(TRIES):
            wall, cpu, peak = self.difference(side)
            if wall > 0 and cpu > 0:
                break
        return Sample(max(wall / n, 1e-9), max(cpu / n, 1e-9), peak)


class Few(OfRules):
    """A whole command of a few questions, in which an index must pay for itself."""

    def __init__(self, kind, bench):
        super().__init__(f"few-{kind}", kind, OPENED, "hits", bench)
        self.statuses = (0, 1)

    def given(self, side):
        return self.asked(min(FEW, self.bench.options.rule_questions))


class Open(OfRules):
    """The table is read and asked once."""

    def __init__(self, kind, bench):
        super().__init__(f"open-{kind}", kind, OPENED, "hits", bench)
        self.times = 3
        self.statuses = (0, 1)

    def given(self, side):
        return self.asked(1)


def rule_rows(bench):
    rows = [Rules(kind, count, what, bench) for kind in ("regexp", "pcre") for count in RULES
            for what in ("misses", "hits")]
    rows += [Rules("cidr", count, "hits", bench) for count in NETWORKS]
    for kind in ("regexp", "pcre", "cidr"):
        rows += [Open(kind, bench), Few(kind, bench)]
    return rows
