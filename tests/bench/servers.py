# SPDX-License-Identifier: BSD-2-Clause
"""servers.py - what is measured of tables that are servers, over the loopback interface or a Unix
socket. Raw is libpq in pipeline mode and libmemcached with many keys at once."""

import os
import random
import subprocess

from row import Command  # by way of bench.py, which knows where the next ones are
from mailschema import QUERIES, schema, settings
from memcached import Memcached
from postgres import Postgres


class Pgsql(Command):
    """Many questions on standard input to a mail system's database."""

    sides = ("ours", "theirs", "raw")

    def __init__(self, where):
        super().__init__("pgsql", where)
        self.server = None

    def prepare(self):
        entries = self.bench.options.server_entries
        self.server = Postgres(settings="max_connections = 20\n")
        self.server.start()
        self.server.sql(schema(entries=entries))
        self.bench.env["PGPORT"] = str(self.server.port)
        self.table = self.bench.home / "alias.cf"
        self.table.write_text(settings(self.server, QUERIES["alias"],
                                       hosts=f"unix:{self.server.home}"))
        os.utime(self.table, (0, 0))
        self.questions = self.bench.home / "addresses"
        dice = random.Random(1)
        with open(self.questions, "w", encoding="utf-8") as out:
            for _ in range(self.bench.options.pgsql_keys):
                i = dice.randrange(1, entries * 6 // 5)
                print(f"user{i}@d{i % 1000}.example", file=out)

    def close(self):
        if self.server:
            self.server.stop()
            self.server.remove()

    def program(self, side):
        if side != "raw":
            return super().program(side)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq"], check=True,
                               capture_output=True, text=True).stdout.split()
        return self.bench.compile("pgraw", *flags)

    def words(self, side):
        if side == "raw":
            return [f"host={self.server.home} user=dictum dbname=mail",
                    QUERIES["alias"].replace("'%s'", "$1")]
        return ["-q", "-", f"pgsql:{self.table}"]

    def given(self, side):
        return self.questions


class Memcache(Command):
    """Many questions on standard input to a memcached that has all the keys that are there."""

    sides = ("ours", "theirs", "raw")

    def __init__(self, where):
        super().__init__("memcache", where)
        self.server = None

    def prepare(self):
        entries = self.bench.options.memcache_keys
        self.server = Memcached(self.bench.home, "-m", "1024")
        self.server.start()
        path = self.bench.home / "memcache.cf"
        path.write_text(f"memcache = {self.server.setting}\n")
        self.spec = f"memcache:{path}"
        self.questions = self.bench.data("keys", "random", entries)
        with open(self.bench.data("source", "random", entries), "rb") as source:
            subprocess.run([self.bench.program("ours"), "-i", self.spec], stdin=source, check=True,
                           env=self.bench.environment())

    def close(self):
        if self.server:
            self.server.stop()

    def program(self, side):
        return self.bench.compile("mget", "-lmemcached") if side == "raw" else super().program(side)

    def words(self, side):
        return self.server.address if side == "raw" else ["-q", "-", self.spec]

    def given(self, side):
        return self.questions


def server_rows(where):
    return [Pgsql(where), Memcache(where)]
