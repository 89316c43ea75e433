# SPDX-License-Identifier: BSD-2-Clause
"""calls.py - what single calls of the library take: beside the call of the client library, from
several threads, and of tables that have no client library."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from bench import ROOT, SUFFIX, Wrong
from results import Sample
from row import Row
from rules import NETWORKS, OPENED

FEW_KEYS = 10_000
BUFFERED = ("hash", "btree")


class Call(Row):
    """One lookup. A side is a command that prints the nanoseconds of one, and what was found."""

    group = "calls"
    settings = ""  # of the table

    def table(self):
        """@return the spec of the table"""
        raise NotImplementedError

    def keys(self):
        """@return the file with the keys"""
        raise NotImplementedError

    def command(self, side):
        settings = self.settings.replace(" = ", "=").split()
        return [self.bench.api(), self.table(), self.keys(), "1", *settings]

    def told(self, side):
        result = subprocess.run(list(map(str, self.command(side))), capture_output=True, text=True,
                                check=False)
        if result.returncode != 0:
            raise Wrong(f"{side}: {result.stderr.strip()}")
        ns, *found = result.stdout.split()
        return float(ns), found

    def check(self):
        found = {side: self.told(side)[1] for side in self.sides}
        if any(answers != found["ours"] for answers in found.values()):
            raise Wrong(f"the answers differ: {found}")
        self.expect(*map(int, found["ours"]))

    def expect(self, found, absent, later):
        if found == 0 or later > 0:
            raise Wrong(f"{found} keys were found, {absent} not, {later} were put off")

    def sample(self, side):
        return Sample(self.told(side)[0] / 1e9)


class FileCall(Call):
    """Of a table that is a file, beside the raw library's."""

    sides = ("ours", "raw")
    most_keys = sys.maxsize
    raw_call = "call"

    def __init__(self, kind, bench, name=None):
        super().__init__(name or f"call-{kind}", bench)
        self.kind = kind

    def prepare(self):
        options = self.bench.options
        count = min(options.call_keys, self.most_keys)
        self.source = self.bench.table(self.kind, "random", options.entries)
        self.asked = self.bench.home / f"keys-of-calls-{count}"
        with open(self.bench.data("keys", "random", options.entries), "rb") as lines, \
                open(self.asked, "wb") as out:
            out.writelines(line for line, _ in zip(lines, range(count)))

    def table(self):
        return f"{self.kind}:{self.source}"

    def keys(self):
        return self.asked

    def command(self, side):
        if side == "raw":
            return [self.bench.raw(self.kind), self.kind, self.raw_call,
                    f"{self.source}{SUFFIX[self.kind]}", self.keys()]
        return super().command(side)


class BufferedCall(FileCall):
    """Of a Berkeley DB file, when ours may keep as many pages in memory as the client library does
    in its cache."""

    settings = "berkeley_db_read_buffer_size = 268435456"


class DefaultCall(FileCall):
    """The same when nobody says anything about memory, to us or to the client library."""

    raw_call = "call-as-it-comes"


class RulesCall(Call):
    """Of a table of rules, which has no client library."""

    sides = ("ours",)

    def __init__(self, kind, count, bench, name=None):
        super().__init__(name or f"call-{kind}-{count}", bench)
        self.kind, self.count = kind, count

    def prepare(self):
        self.family = "cidr" if self.kind == "cidr" else "regexp"
        self.path = self.bench.data("rules", self.family, self.count)
        self.asked = self.bench.data("hits", self.family, self.count,
                                     min(self.bench.options.call_keys, FEW_KEYS))

    def table(self):
        return f"{self.kind}:{self.path}"

    def keys(self):
        return self.asked


class Threads(Row):
    """What a lookup takes when two threads share the work, beside one that does it alone."""

    sides = ("ours", "alone")
    group = "threads"

    def __init__(self, kind, of):
        super().__init__(f"threads-{kind}", of.bench)
        self.of = of

    def prepare(self):
        self.of.prepare()
        self.of.sides = self.sides
        self.of.command = self.command

    def command(self, side):
        return [self.bench.api(), self.of.table(), self.of.keys(), "2" if side == "ours" else "1"]

    def check(self):
        self.of.check()

    def sample(self, side):
        return Sample(self.of.told(side)[0] / 1e9 / (2 if side == "ours" else 1))


class Processes(Threads):
    """The same with two processes, which have nothing in common but the file: what the machine
    gives."""

    def __init__(self, kind, of):
        super().__init__(kind, of)
        self.name = f"processes-{kind}"

    def command(self, side):
        return [self.bench.api(), self.of.table(), self.of.keys(), "1"]

    def sample(self, side):
        if side == "alone":
            return super().sample(side)
        with ThreadPoolExecutor(2) as pool:
            slowest = max(told[0] for told in pool.map(self.of.told, (side, side)))
        return Sample(slowest / 1e9 / 2)


class Cached(FileCall):
    """An answer that the cache has, beside the table that it stands before: of a few answers, or of
    so many that the processor's caches cannot hold them."""

    sides = ("ours", "table")

    def __init__(self, name, most, bench):
        super().__init__("lmdb", bench)
        self.name = name
        self.most_keys = most

    def command(self, side):
        spec = f"cache:{{ttl=1h, {self.table()}}}" if side == "ours" else self.table()
        return [self.bench.api(), spec, self.keys(), "1"]


class BreakerOpen(FileCall):
    """A table that is out of service."""

    sides = ("ours",)

    def __init__(self, bench):
        super().__init__("lmdb", bench)
        self.name = "breaker-open"

    def table(self):
        return f"lmdb:{self.source}.is-not-there"

    def expect(self, found, absent, later):
        if later == 0 or found + absent > 0:
            raise Wrong("a table that is not there had an answer")


class BreakerClosed(Call):
    """What looking at the breaker adds to every lookup."""

    sides = ("ours",)

    def __init__(self, bench):
        super().__init__("breaker-closed", bench)

    def command(self, side):
        return [self.bench.compile("breaker", sources=[ROOT / "core/breaker.c"])]


def call_rows(bench):
    rows = [(BufferedCall if kind in BUFFERED else FileCall)(kind, bench) for kind in SUFFIX]
    rows += [DefaultCall(kind, bench, f"call-{kind}-default") for kind in BUFFERED]
    rows += [FileCall(kind, bench, f"call-{kind}-small") for kind in BUFFERED]
    rows += [RulesCall("cidr", count, bench) for count in NETWORKS]
    rows += [RulesCall(kind, OPENED, bench) for kind in ("regexp", "pcre")]
    rows += [BreakerClosed(bench), BreakerOpen(bench),
             Cached("cached-hit", FEW_KEYS, bench),
             Cached("cached-hit-of-many", sys.maxsize, bench)]
    shared = {kind: FileCall(kind, bench) for kind in SUFFIX}
    shared |= {kind: RulesCall(kind, OPENED, bench) for kind in ("regexp", "pcre", "cidr")}
    return rows + [row(kind, of) for kind, of in shared.items() for row in (Threads, Processes)]
