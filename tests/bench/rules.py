# SPDX-License-Identifier: BSD-2-Clause
"""rules.py - what is measured of tables of rules: answering, and being opened."""

from bench import Wrong
from results import Sample
from row import Command

RULES = (100, 1_000, 10_000)
NETWORKS = (1_000, 100_000)
OPENED = 10_000
FEW = 300  # questions, of a short-lived command


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
    """One answer. What is measured is the time of a command with many questions, less that of one
    with a single question, for each of the others. Whoever is slow is asked less."""

    def __init__(self, kind, count, what, bench, settings="", slow=False):
        name = f"{kind}-{count}" + ("" if kind == "cidr" else f"-{what}")
        super().__init__(name, kind, count, what, bench)
        self.group = "rules"
        self.settings = settings
        self.slow = slow
        self.statuses = (0,) if what == "hits" else (1,)

    def questions(self, side):
        most = self.bench.options.rule_questions
        if side == "ours" and not self.slow:
            return most
        each = 50 if self.kind == "cidr" else 1  # rules of cidr are cheaper
        return max(2, min(most, 30 * most * each // self.count))

    def prepare(self):
        super().prepare()
        self.fewest = min(self.questions(side) for side in self.sides)

    def given(self, side):
        return self.asked(self.questions(side))

    def check(self):
        """Of those questions that all are asked."""
        given, self.given = self.given, lambda side: self.asked(self.fewest)
        super().check()
        self.given = given

    def sample(self, side):
        questions = self.questions(side)
        one = self.measure(side, 3, given=self.asked(1))
        many, = self.measure(side, 1)
        wall = many[1] - sorted(run[1] for run in one)[1]
        cpu = many[2] - sorted(run[2] for run in one)[1]
        return Sample(max(wall / (questions - 1), 1e-9), max(cpu / (questions - 1), 1e-9),
                      many[3] / 1024)


class Few(OfRules):
    """A whole command of a few questions, in which an index must pay for itself."""

    def __init__(self, kind, bench):
        super().__init__(f"few-{kind}", kind, OPENED, "hits", bench)
        self.statuses = (0, 1)

    def given(self, side):
        return self.asked(FEW)


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
