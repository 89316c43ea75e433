# SPDX-License-Identifier: BSD-2-Clause
"""row.py - how a row is measured: in pairs, after the sides were seen to agree."""

from bench import SUFFIX, Wrong
from results import Results, Sample


class Row:
    """One line of the results."""

    sides = ("ours", "theirs")  # ours, and what it is compared with
    group = "commands"          # the table of the results that it belongs to
    unit = "s"

    def __init__(self, name, bench):
        self.name = name
        self.bench = bench

    def prepare(self):
        """Makes the data."""

    def check(self):
        """Runs each side once. Raises Wrong if they do not come to the same."""
        raise NotImplementedError

    def sample(self, side):
        raise NotImplementedError

    def close(self):
        """Ends what prepare() began."""

    def pairs(self):
        return self.bench.options.pairs

    def run(self):
        """@return the results of this row"""
        results = Results(self)
        try:
            self.prepare()
            self.check()
            for _ in range(self.pairs()):
                for side in self.sides:
                    results.add(side, self.sample(side))
        finally:
            self.close()
        return results


class Command(Row):
    """A whole command, from its start to its end."""

    times = 1      # runs that make one sample
    settings = ""  # in main.cf
    statuses = (0, 1)

    def program(self, side):
        return self.bench.program(side)

    def words(self, side):
        """Arguments of the program."""
        raise NotImplementedError

    def given(self, side):
        """The file that is standard input."""
        return "/dev/null"

    def before(self, side):
        """Just before each measurement, not measured."""

    def measure(self, side, times=None, output="/dev/null", given=None):
        self.before(side)
        return self.bench.measure(times or self.times, self.program(side), self.words(side),
                                  given or self.given(side), output,
                                  self.bench.environment(self.settings))

    def sample(self, side):
        runs = self.measure(side)
        return Sample(sum(run[1] for run in runs) / len(runs),
                      sum(run[2] for run in runs) / len(runs), max(run[3] for run in runs) / 1024)

    def output(self, side):
        return self.bench.home / f"answers-{side}"

    def check(self):
        statuses = {side: self.measure(side, 1, self.output(side))[0][0] for side in self.sides}
        if len(set(statuses.values())) != 1 or statuses["ours"] not in self.statuses:
            raise Wrong(f"exit statuses are {statuses}")
        self.agree()

    def agree(self):
        """Every side was run once."""
        ours = self.output("ours").read_bytes()
        for side in self.sides[1:]:
            if self.output(side).read_bytes() != ours:
                raise Wrong(f"the answers of {side} differ from ours")
        if not ours:
            raise Wrong("there are no answers")


class Memory(Row):
    """The private memory of another row's command: pages of mapped files do not count, which the
    system can take back at any time. One run of each side tells it, and gives the answers."""

    group, unit = "memory", "MiB"

    def __init__(self, of, sides=None):
        super().__init__(f"memory-{of.name}", of.bench)
        self.of = of
        self.sides = sides or of.sides
        self.samples = {}

    def prepare(self):
        self.of.prepare()

    def check(self):
        for side in self.sides:
            run, = self.of.measure(side, "private", self.of.output(side))
            self.samples[side] = Sample(max(run[3], 1) / 1024)
        if self.sides == self.of.sides:
            self.of.agree()

    def close(self):
        self.of.close()

    def pairs(self):
        return 1

    def sample(self, side):
        return self.samples[side]


class Switched(Row):
    """A row with its fast path, beside the same row without."""

    sides = ("ours", "off")
    group = "switches"

    def __init__(self, name, on, off):
        super().__init__(f"off-{name}", on.bench)
        self.on, self.off = on, off

    def prepare(self):
        self.on.prepare()
        self.off.prepare()

    def check(self):
        self.on.check()
        self.off.check()

    def sample(self, side):
        return (self.on if side == "ours" else self.off).sample("ours")


def sides_for(kind):
    """Some types have no client library."""
    return ("ours", "theirs", "raw") if kind in SUFFIX else ("ours", "theirs")
