# SPDX-License-Identifier: BSD-2-Clause
"""files.py - what is measured of tables that are files: building them, and asking them."""

import os
import pathlib
import shutil

from bench import SUFFIX, Wrong, map_size
from results import Sample
from row import Command, Memory, sides_for


class OfFile(Command):
    """A command about a table of some kind and shape."""

    def __init__(self, what, kind, bench, shape=None, entries=None):
        super().__init__(f"{what}-{kind}" + (f"/{shape}" if shape else ""), bench)
        self.sides = sides_for(kind)
        self.kind = kind
        self.group = "shapes" if shape else "commands"
        self.shape = shape or "random"
        self.entries = entries or bench.options.entries
        self.settings = map_size(self.shape)
        self.tool = "postalias" if shape == "aliases" else "postmap"

    def pairs(self):
        options = self.bench.options
        if self.name.startswith("large"):
            return options.large_pairs
        return options.shape_pairs if self.group == "shapes" else options.pairs

    def program(self, side):
        return self.bench.raw(self.kind) if side == "raw" else self.bench.program(side, self.tool)


class Build(OfFile):
    """A table made from its source where none is."""

    statuses = (0,)

    def __init__(self, kind, bench, shape=None, entries=None, what="build"):
        super().__init__(what, kind, bench, shape, entries)

    def source(self, side):
        return self.bench.home / f"build-{side}"

    def prepare(self):
        data = self.bench.data("source", self.shape, self.entries)
        for side in self.sides:
            shutil.copy(data, self.source(side))

    def close(self):
        for side in self.sides:
            self.table(side).unlink(missing_ok=True)

    def table(self, side):
        return pathlib.Path(f"{self.source(side)}{SUFFIX[self.kind]}")

    def before(self, side):
        self.table(side).unlink(missing_ok=True)
        os.sync()  # nobody pays for what the other left to write

    def words(self, side):
        if side == "raw":
            return [self.kind, "build", self.source(side), self.table(side)]
        return [f"{self.kind}:{self.source(side)}"]

    def agree(self):
        pairs = [("theirs", "ours"), ("ours", "theirs"), ("ours", "raw")]
        if self.kind == "cdb":  # which Postfix 3.7 cannot dump
            pairs[0] = ("ours", "ours")
        self.same_dumps(pairs)

    def same_dumps(self, pairs):
        env = self.bench.environment(self.settings)
        first = None
        for reader, side in pairs:
            dump = self.bench.dump(self.program(reader), f"{self.kind}:{self.source(side)}", env)
            if not dump or (first or dump) != dump:
                raise Wrong(f"the table of {side}, read by {reader}, differs")
            first = dump


class Query(OfFile):
    """Many questions on standard input to a table that Postfix made."""

    def __init__(self, kind, bench, shape=None, entries=None, what="query"):
        super().__init__(what, kind, bench, shape, entries)

    def prepare(self):
        self.table = self.bench.table(self.kind, self.shape, self.entries)
        self.questions = self.bench.data("keys", self.shape, self.entries)

    def file(self):
        return f"{self.table}{SUFFIX[self.kind]}"

    def words(self, side):
        if side == "raw":
            return [self.kind, "ask", self.file(), ":\t" if self.shape == "aliases" else "\t"]
        return ["-q", "-", f"{self.kind}:{self.table}"]

    def given(self, side):
        return self.questions


class Cold(Query):
    """One program for one question."""

    statuses = (0,)

    def __init__(self, kind, bench):
        super().__init__(kind, bench, what="cold")
        self.times = bench.options.cold_runs

    def prepare(self):
        super().prepare()
        with open(self.questions, encoding="utf-8") as lines:
            self.key = lines.readline().rstrip("\n")

    def words(self, side):
        if side == "raw":
            return [self.kind, "get", self.file(), self.key]
        return ["-q", self.key, f"{self.kind}:{self.table}"]

    def given(self, side):
        return "/dev/null"


class Flat(Memory):
    """Private memory for all the questions, beside that for a tenth of them."""

    group = "flat"

    def __init__(self, kind, bench):
        super().__init__(Query(kind, bench))
        self.name = f"flat-{kind}"
        self.sides = ("ours", "tenth")

    def check(self):
        """The answers to a tenth are the first of all answers."""
        tenth = self.bench.home / "a-tenth-of-the-questions"
        with open(self.of.questions, "rb") as lines, open(tenth, "wb") as out:
            out.writelines(line for line, _ in zip(lines, range(self.of.entries // 10)))
        for side, given in (("ours", None), ("tenth", tenth)):
            run, = self.of.measure("ours", "private", self.of.output(side), given)
            self.samples[side] = Sample(max(run[3], 1) / 1024)
        some = self.of.output("tenth").read_bytes()
        if not some or not self.of.output("ours").read_bytes().startswith(some):
            raise Wrong("a tenth of the questions has other answers")


def file_rows(bench, shapes):
    options = bench.options
    asked = [*SUFFIX, "texthash"]
    rows = [Build(kind, bench) for kind in SUFFIX]
    large = [Build(kind, bench, entries=options.large, what="large")
             for kind in ("hash", "btree", "lmdb")] if options.large else []
    rows += large
    rows += [Query(kind, bench) for kind in asked]
    rows += [Cold(kind, bench) for kind in SUFFIX]
    rows += [Memory(Query(kind, bench)) for kind in asked]
    rows += [Memory(Build(kind, bench)) for kind in SUFFIX]
    rows += [Memory(row, ("ours",)) for row in large]  # the others take too long
    rows += [Flat(kind, bench) for kind in asked]
    for shape in shapes:
        rows += [Build(kind, bench, shape, options.shape_entries) for kind in SUFFIX]
        rows += [Query(kind, bench, shape, options.shape_entries)
                 for kind in asked if (kind, shape) != ("texthash", "aliases")]
    return rows
