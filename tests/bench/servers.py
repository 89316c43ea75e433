# SPDX-License-Identifier: BSD-2-Clause
"""servers.py - what is measured of tables that are servers, beside Postfix and the raw libraries."""

import os
import random
import subprocess

from mailschema import QUERIES, settings  # found in the folder that bench.py adds
from memcached import Memcached, find_program
from rows import Row

CACHED = 100_000
PGSQL_KEYS = 10_000


class Pgsql(Row):
    """Many questions on standard input, over a Unix socket: beside Postfix's, or with @p raw beside
    a small program that does with libpq what can be done."""

    def __init__(self, bench, raw=False):
        super().__init__("pgsql-raw" if raw else "pgsql", bench)
        self.raw = raw
        self.may_lose = raw

    def prepare(self):
        server = self.bench.postgres()
        self.table = self.bench.home / "alias.cf"
        self.table.write_text(settings(server, QUERIES["alias"], hosts=f"unix:{server.home}"))
        os.utime(self.table, (0, 0))
        self.questions = self.bench.home / "addresses"
        dice = random.Random(1)
        most = max(10, min(self.bench.options.entries, 100_000)) * 6 // 5
        with open(self.questions, "w", encoding="utf-8") as out:
            for _ in range(min(PGSQL_KEYS, self.bench.options.entries)):
                i = dice.randrange(1, most)
                print(f"user{i}@d{i % 1000}.example", file=out)
        if self.raw:
            flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq"], check=True,
                                   capture_output=True, text=True).stdout.split()
            self.bench.programs["raw"] = str(self.bench.compile("pgraw", *flags))

    def measure(self, who, times=None, output="/dev/null"):
        who = "raw" if self.raw and who == "theirs" else who
        return self.bench.measure(times or self.times, who, self.words(who), self.given(), output)

    def words(self, who):
        if who != "raw":
            return ["-q", "-", f"pgsql:{self.table}"]
        query = QUERIES["alias"].replace("'%s'", "$1")
        return [f"host={self.bench.server.home} user=dictum dbname=mail", query]

    def given(self):
        return self.questions


class Cache(Row):
    """Many questions to a memcached that is filled."""

    def __init__(self, bench, name="query-memcache"):
        super().__init__(name, bench)

    def run(self):
        with Memcached(self.bench.home, "-m", "1024") as self.server:
            return super().run()

    def prepare(self):
        options = self.bench.options
        entries = min(options.entries, CACHED)
        path = self.bench.home / "memcache.cf"
        path.write_text(f"memcache = {self.server.setting}\n")
        self.spec = f"memcache:{path}"
        self.questions = self.bench.data("keys", options.shape, entries)
        with open(self.bench.data("source", options.shape, entries), "rb") as source:
            subprocess.run([self.bench.programs["ours"], "-i", self.spec], env=self.bench.env,
                           stdin=source, check=True)

    def words(self, who):
        return ["-q", "-", self.spec]

    def given(self):
        return self.questions


class RawCache(Cache):
    """The same beside a small program that does nothing else: theirs is libmemcached alone."""

    may_lose = True

    def __init__(self, bench):
        super().__init__(bench, "raw-memcache")

    def prepare(self):
        super().prepare()
        self.bench.programs["raw"] = self.bench.compile("mget", "-lmemcached")

    def words(self, who):
        return super().words(who) if who == "ours" else map(str, self.server.address)

    def measure(self, who, times=None, output="/dev/null"):
        return self.bench.measure(times or self.times, "raw" if who == "theirs" else who,
                                  self.words(who), self.given(), output)


def has_memcached():
    try:
        return bool(find_program())
    except FileNotFoundError:
        return False
