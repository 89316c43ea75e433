# SPDX-License-Identifier: BSD-2-Clause
"""rows.py - what is measured of tables that are files, and of rules."""

import os
import pathlib
import shutil
import subprocess

from bench import Wrong
from results import Results

SUFFIX = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
COLD_RUNS = 200
RULES = 10_000
NETWORKS = (1_000, 100_000)


class Row:
    """One line of the results. `self.times` runs make one measurement."""

    times = 1
    may_lose = False  # a row that shows how near we come to what cannot be beaten

    def __init__(self, name, bench):
        self.name = name
        self.bench = bench

    def prepare(self):
        """Makes the data."""

    def before(self, who):
        """Just before each measurement, not measured."""

    def words(self, who):
        """Arguments of the program."""
        raise NotImplementedError

    def given(self):
        """The file that is standard input."""
        return "/dev/null"

    def agree(self):
        """Both were run once; raises Wrong if they do not come to the same."""
        if self.output("ours").read_bytes() != self.output("theirs").read_bytes():
            raise Wrong("the answers differ")
        if self.output("ours").stat().st_size == 0:
            raise Wrong("there are no answers")

    def output(self, who):
        return self.bench.home / f"answers-{who}"

    def measure(self, who, times=None, output="/dev/null"):
        self.before(who)
        return self.bench.measure(times or self.times, who, self.words(who), self.given(), output)

    def run(self):
        """@return the results of this row"""
        self.prepare()
        results = Results(self.name)
        statuses = set()
        for who in ("ours", "theirs"):
            run, = self.measure(who, "private", self.output(who))
            results.private[who] = run[3]
            statuses.add(run[0])
        if len(statuses) != 1:
            raise Wrong(f"exit statuses are {sorted(statuses)}")
        self.agree()
        for _ in range(self.bench.options.pairs):
            for who in ("ours", "theirs"):
                results.add(who, self.measure(who))
        return results


class Build(Row):
    """A table made from its source where none is."""

    def __init__(self, kind, bench):
        super().__init__(f"build-{kind}", bench)
        self.kind = kind

    def source(self, who):
        return self.bench.home / f"build-{who}"

    def prepare(self):
        options = self.bench.options
        data = self.bench.data("source", options.shape, options.entries)
        for who in ("ours", "theirs"):
            shutil.copy(data, self.source(who))

    def table(self, who):
        return pathlib.Path(f"{self.source(who)}{SUFFIX[self.kind]}")

    def before(self, who):
        self.table(who).unlink(missing_ok=True)
        os.sync()  # nobody pays for what the other left to write

    def words(self, who):
        return [f"{self.kind}:{self.source(who)}"]

    def agree(self):
        if self.kind == "cdb":  # which Postfix 3.7 cannot dump
            if self.table("ours").read_bytes() != self.table("theirs").read_bytes():
                raise Wrong("the tables differ")
            return
        dumps = [self.bench.dump(reader, f"{self.kind}:{self.source(who)}")
                 for reader, who in (("theirs", "ours"), ("ours", "theirs"), ("theirs", "theirs"))]
        if not dumps[0] == dumps[1] == dumps[2]:
            raise Wrong("the tables differ")


class Query(Row):
    """Many questions on standard input to a table that Postfix made."""

    def __init__(self, kind, bench, keys=None):
        super().__init__(f"query-{kind}", bench)
        self.kind = kind
        self.keys = keys or bench.options.entries

    def prepare(self):
        options = self.bench.options
        self.table = self.bench.data("source", options.shape, options.entries)
        self.questions = self.bench.data("keys", options.shape, options.entries)
        if self.keys < options.entries:
            self.questions = self.shortened(self.questions)
        if self.kind in SUFFIX:
            subprocess.run([self.bench.programs["theirs"], f"{self.kind}:{self.table}"],
                           env=self.bench.env, stderr=subprocess.DEVNULL, check=True)

    def shortened(self, questions):
        shorter = self.bench.home / f"{questions.name}-first-{self.keys}"
        with open(questions, "rb") as lines, open(shorter, "wb") as out:
            out.writelines(line for line, _ in zip(lines, range(self.keys)))
        return shorter

    def words(self, who):
        return ["-q", "-", f"{self.kind}:{self.table}"]

    def given(self):
        return self.questions


class Cold(Query):
    """One program for one question."""

    times = COLD_RUNS

    def __init__(self, kind, bench):
        super().__init__(kind, bench)
        self.name = f"cold-{kind}"

    def prepare(self):
        super().prepare()
        with open(self.questions, encoding="utf-8") as lines:
            self.key = lines.readline().rstrip("\n")

    def words(self, who):
        return ["-q", self.key, f"{self.kind}:{self.table}"]


class Rules(Row):
    """Questions to a long table of regular expressions: `hits` or `misses`."""

    def __init__(self, kind, what, bench):
        super().__init__(f"{kind}-{what}", bench)
        self.kind = kind
        self.what = what

    def prepare(self):
        self.table = self.bench.data("rules", "regexp", RULES)
        self.questions = self.bench.data(self.what, "regexp", RULES)

    def words(self, who):
        return ["-q", "-", f"{self.kind}:{self.table}"]

    def given(self):
        return self.questions

    def agree(self):
        if self.what == "hits":
            super().agree()
        elif self.output("ours").stat().st_size or self.output("theirs").stat().st_size:
            raise Wrong("a miss was a hit")


class OpenRules(Rules):
    """The table is read and asked once."""

    def __init__(self, kind, bench):
        super().__init__(kind, "hits", bench)
        self.name = f"{kind}-open"

    def words(self, who):
        return ["-q", "spammer00000@bulk-000.example", f"{self.kind}:{self.table}"]

    def given(self):
        return "/dev/null"


class Networks(Row):
    """Addresses asked of a table of `count` networks."""

    questions = 2000

    def __init__(self, count, bench):
        super().__init__(f"cidr-{count}", bench)
        self.count = count

    def prepare(self):
        self.table = self.bench.data("rules", "cidr", self.count)
        self.addresses = self.bench.data("hits", "cidr", self.questions)

    def words(self, who):
        return ["-q", "-", f"cidr:{self.table}"]

    def given(self):
        return self.addresses


class OpenNetworks(Networks):
    """The table is read and asked once."""

    def __init__(self, count, bench):
        super().__init__(count, bench)
        self.name = f"cidr-{count}-open"

    def prepare(self):
        super().prepare()
        with open(self.table, encoding="ascii") as lines:
            self.address = lines.readline().split("/")[0]

    def words(self, who):
        return ["-q", self.address, f"cidr:{self.table}"]
