#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""pgsql tables behind a pooler in transaction mode, where each transaction may meet another server
process: nothing that a question needs may stay in one, and nothing may be left there."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from mailschema import QUERIES, schema  # noqa: E402
from pgbouncer import PgBouncer  # noqa: E402
from pgsqltest import Bench, pairs_file  # noqa: E402
from postgres import Postgres  # noqa: E402
from sqltest import eventually, expect  # noqa: E402
from tap import check, require, run, same  # noqa: E402

KEY, VALUE = "user1@d1.example", "box1@mail.example"
ENTRIES = 2000


class Pooled:
    def __init__(self, server, pooler, bench):
        self.server = server
        self.pooler = pooler
        self.bench = bench

    def spec(self, query=QUERIES["alias"], **more):
        return self.bench.spec(self.server, query,
                               **{"hosts": f"127.0.0.1:{self.pooler.port}"} | more)

    def questions(self):
        with Asker() as asker:
            for slot, name in enumerate(("alias", "alias-domain-concat", "several", "members")):
                asker.must_open(self.spec(QUERIES[name]), slot=slot)
            expect(asker.get(KEY), "ok", VALUE)
            expect(asker.get("user1@other1.example", slot=1), "ok", VALUE)
            expect(asker.get(KEY, slot=2), "ok", VALUE)
            expect(asker.get("list1@d1.example", slot=3), "ok", "box11@mail.example,")
            answer, each = asker.many([KEY, "nobody", "o'brien@d1.example", KEY])
            same(each, [("ok", VALUE.encode()), ("notfound", b""), ("ok", b"quoted@mail.example"),
                        ("ok", VALUE.encode())], f"a batch, {answer}")

    def many_threads(self):
        """More connections than the pooler has servers, in turns and in batches."""
        path = pairs_file(self.bench, ENTRIES)
        with open(path, encoding="utf-8") as lines:
            wanted = sum("\t" in line for line in lines)
        with Asker() as asker:
            asker.must_open(self.spec(connections=8))
            asker.begin(path, 32)
            for _ in range(10):
                answer, found = asker.file(path)
                expect(answer, "ok")
                same(found, wanted, "found in a batch")
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")

    def nothing_stays(self):
        """Time limit and encoding are not left behind for others."""
        with Asker() as asker:
            asker.must_open(self.spec(connections=2))
            for _ in range(20):
                expect(asker.get(KEY), "ok", VALUE)
        with Asker() as asker:
            asker.must_open(self.spec("SELECT current_setting('statement_timeout') || '%s'",
                                      statement_timeout="no"))
            for _ in range(10):
                expect(asker.get(""), "ok", "0")
            for _ in range(10):
                same(asker.get("").text, "0", "the time limit of a stranger")

    def errors_apart(self):
        """Failing keys do not harm others, nor the pooler's servers."""
        with Asker() as asker:
            asker.must_open(self.spec("SELECT quota / '%u' FROM mailbox WHERE username = "
                                      "'user1@' || '%d'"))
            _, each = asker.many(["1@d1.example", "x@d1.example", "0@d1.example", "2@d1.example"])
            same([one for one, _ in each], ["ok", "invalid", "config", "ok"], "answers")

    def server_restarts(self):
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            self.server.restart()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")
            self.server.stop()
            for _ in range(2):
                answer = asker.get(KEY)
                expect(answer, "retry", "server", "with no server behind the pooler")
            with Asker() as other:
                other.must_open(self.spec())
                expect(other.get(KEY), "retry", "server", "a new connection meanwhile")
            self.server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")

    def pooler_restarts(self):
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            self.pooler.stop()
            expect(asker.get(KEY), "retry")
            self.pooler.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")
            self.pooler.restart()
            expect(asker.get(KEY), "ok", VALUE, "after a restart")

    def mistakes(self):
        expect(self.bench.ask(self.server, "SELECT '%s'", hosts=f"127.0.0.1:{self.pooler.port}",
                              dbname="nowhere"), "config", "no such database")
        expect(self.bench.ask(self.server, "SELECT '%s'", hosts=f"127.0.0.1:{self.pooler.port}",
                              user="stranger"), "config", "authentication failed")


def main():
    if not PgBouncer.program():
        require("pgbouncer")
    with Bench() as bench, Postgres() as server, PgBouncer("127.0.0.1", server.port) as pooler:
        server.sql(schema(entries=ENTRIES))
        it = Pooled(server, pooler, bench)
        run([(name.replace("_", " "), getattr(it, name)) for name in vars(Pooled)
             if not name.startswith("_") and name != "spec"])


if __name__ == "__main__":
    main()
