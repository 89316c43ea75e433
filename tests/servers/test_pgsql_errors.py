#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which answer each error of a PostgreSQL server becomes: not found, try later, mend this, or not
such a key. Each row of the table in pgsql_table(5) is raised by a real server."""

import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from pgsqltest import Bench  # noqa: E402
from postgres import EVERYBODY, Postgres  # noqa: E402
from sqltest import expect, within  # noqa: E402
from tap import check, run, same  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "plugins/pgsql/pgsql_table.5"

# One of each class, and each that is told apart from its class.
STATES = {
    "08000": "retry", "08001": "retry", "08003": "retry", "08006": "retry", "08P01": "config",
    "0A000": "config", "21000": "config",
    "22000": "config", "22001": "config", "22012": "config", "22004": "config",
    "22003": "invalid", "22007": "invalid", "22008": "invalid", "22019": "invalid",
    "2201B": "invalid", "22021": "invalid", "22025": "invalid", "22P02": "invalid",
    "22P03": "invalid", "22P05": "invalid",
    "23505": "config", "25001": "config", "25006": "retry", "25P01": "retry", "28000": "config",
    "28P01": "config", "34000": "config", "3D000": "config", "3F000": "config", "40001": "retry",
    "40P01": "retry", "42501": "config", "42601": "config", "42703": "config", "42883": "config",
    "42P01": "config", "42P18": "config", "53000": "retry", "53100": "retry", "53200": "retry",
    "53300": "retry", "54000": "config", "54001": "config", "55000": "retry", "55006": "retry",
    "55P02": "config", "55P03": "retry", "57000": "retry", "57014": "retry", "57P01": "retry",
    "57P02": "retry", "57P03": "retry", "57P05": "retry", "58000": "retry", "58030": "retry",
    "58P01": "config", "72000": "retry", "F0000": "config", "HV000": "config", "HV00N": "retry",
    "P0001": "config", "P0002": "config", "XX000": "retry", "XX001": "config", "XX002": "config",
}

FUNCTIONS = """
CREATE FUNCTION fail(state text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = upper(state); END $$;
CREATE TABLE number (id integer PRIMARY KEY, value text);
INSERT INTO number VALUES (1, 'one');
CREATE TABLE word (k text, v text);
INSERT INTO word VALUES ('good', 'yes'), ('bad', 'never');
CREATE TABLE hidden (id text, value text);
CREATE ROLE stranger LOGIN;
CREATE ROLE limited LOGIN CONNECTION LIMIT 0;
CREATE ROLE knower LOGIN PASSWORD 'right';
CREATE SEQUENCE counter;
"""


class Errors:
    def __init__(self, server, bench):
        self.server = server
        self.bench = bench

    def ask(self, query, key="key", **more):
        return self.bench.ask(self.server, query, key, **more)

    def each_state(self):
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT fail('%s')"))
            for state, status in STATES.items():
                time.sleep(0.005)  # for as long the breaker keeps it out of service
                answer = asker.get(state)
                expect(answer, status, "made up", state)
                check(f"({state}" in answer.text, f"{answer}")

    def page(self):
        """The manual's table says the same."""
        rows = {}
        for line in PAGE.read_text().splitlines():
            match = re.match(r"\.It Li ([0-9A-Z]+) Ta ([A-Z]+)", line)
            if match:
                rows[match[1]] = match[2].lower()
        check(len(rows) > 10, "there is no table in the manual")
        for state, status in STATES.items():
            best = max((begin for begin in rows if state.startswith(begin)), key=len, default=None)
            same(rows.get(best, "config"), status, f"{state} in the manual")

    def in_batch(self):
        """One failing key, and the others have their answers."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(
                self.server, "SELECT CASE WHEN '%d' = 'x' THEN fail('%u') ELSE '%s' END"))
            keys = ["a@y", "53000@x", "b@y", "22P02@x", "nodomain", "42P01@x", "c@y"]
            answer, each = asker.many(keys)
            same(answer.status, "ok", "the batch")
            same(each, [("ok", b"a@y"), ("retry", b""), ("ok", b"b@y"), ("invalid", b""),
                        ("notfound", b""), ("config", b""), ("ok", b"c@y")], "answers")
            check("53000" in answer.text, f"the text is of the first failure: {answer}")

    def in_joined_batch(self):
        """So many that they are asked in one statement."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT CASE WHEN k = 'bad' THEN "
                                            "fail('40001') ELSE v END FROM word WHERE k = '%s'"))
            keys = ["good", "none"] * 20
            _, each = asker.many(keys)
            same(each, [("ok", b"yes"), ("notfound", b"")] * 20, "answers")
            keys[7] = "bad"
            _, each = asker.many(keys)
            same(each[7], ("retry", b""), "the bad one")
            same([one for one, _ in each[:7] + each[8:]],
                 ["ok" if i % 2 == 0 else "notfound" for i in range(40) if i != 7], "the others")

    def key_of_wrong_type(self):
        query = "SELECT value FROM number WHERE id = '%s'"
        expect(self.ask(query, "1"), "ok", "one")
        expect(self.ask(query, "2"), "notfound")
        expect(self.ask(query, "abc"), "invalid", "22P02")
        expect(self.ask(query, "99999999999"), "invalid", "22003")
        expect(self.ask("SELECT 'x' ~ '%s'", "("), "invalid", "2201B")
        expect(self.ask("SELECT 'xy' LIKE '%s'", "x\\"), "invalid", "22025")
        expect(self.ask("SELECT date '%s'", "2026-02-30"), "invalid", "22008")

    def mistakes(self):
        expect(self.ask("SELECT value FROM nowhere WHERE id = '%s'"), "config", "42P01")
        expect(self.ask("SELECT nothing FROM number WHERE value = '%s'"), "config", "42703")
        expect(self.ask("SELEKT '%s'"), "config", "42601")
        expect(self.ask("SELECT value FROM hidden WHERE id = '%s'", user="stranger"), "config",
               "42501")
        expect(self.ask("COPY number TO STDOUT"), "config", "no rows")
        expect(self.ask("SELECT '%s'", dbname="nowhere"), "config", "connect to pgsql server")
        expect(self.ask("SELECT '%s'", user="nobody_at_all"), "config", "nobody_at_all")
        expect(self.ask("SELECT '%s'", encoding="KLINGON"), "config", "cannot set the encoding to")
        expect(self.ask("SELECT '%s'", encoding="EUC_TW"), "ok")  # refused when it is used
        expect(self.ask("SELECT '%s"), "config", "no end")

    def passwords(self):
        guarded = EVERYBODY.replace("host all all 127", "host all knower 127.0.0.1/32 scram-sha-256"
                                    "\nhost all all 127")
        self.server.write("pg_hba.conf", guarded)
        self.server.reload()
        expect(self.ask("SELECT '%s'", user="knower", password="right"), "ok")
        answer = self.ask("SELECT '%s'", user="knower", password="wr0ng")
        expect(answer, "config", "password authentication failed")
        check("wr0ng" not in answer.text, f"{answer}")
        expect(self.ask("SELECT '%s'", user="knower"), "config", "no password")
        answer = self.ask("SELECT '%s'",
                          hosts=f"postgresql://knower:wr0ng@127.0.0.1:{self.server.port}/mail")
        expect(answer, "config", "password authentication failed")
        check("wr0ng" not in answer.text, f"{answer}")
        answer = self.ask("SELECT '%s'", hosts="postgresql://knower:wr0ng@127.0.0.1:port:x/mail?y=")
        expect(answer, "config", "URI")
        check("wr0ng" not in answer.text, f"{answer}")

    def shortage(self):
        expect(self.ask("SELECT '%s'", user="limited"), "retry", "too many connections")

    def slow_query(self):
        """The server stops when we do, and our deadline holds anyway."""
        for key in ("key", "it's"):
            answer = self.ask("SELECT pg_sleep(20), '%s'", key, ms=700)
            expect(answer, "retry")
            within(answer, 700)
        answer = self.ask("SELECT 1; SELECT pg_sleep(20), '%s'", ms=700)
        expect(answer, "retry")
        within(answer, 700)
        time.sleep(1.5)
        left = self.server.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                               "'%pg_sleep%' AND pid <> pg_backend_pid() AND state = 'active'")
        same(left.strip(), "0", "queries that go on for nobody")
        answer = self.ask("SELECT pg_sleep(20), '%s'", ms=700, statement_timeout="no")
        expect(answer, "retry", "no answer in time")
        within(answer, 700)

    def limit_stays_ours(self):
        """The limit is gone with the transaction."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(
                self.server, "SELECT current_setting('statement_timeout')"))
            asker.timeout(3000)
            check(asker.get("x").text not in ("0", ""), "there is no limit")
            asker.timeout(0xFFFFFFFF)
            same(asker.get("x").text, "0", "limit of a call without a deadline")

    def locked(self):
        """Whoever waits for a lock is let go."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "UPDATE number SET value = value WHERE "
                                            "id = '%s' RETURNING value"))
            expect(asker.get("1"), "ok", "one")
            asker.timeout(500)
            asker.must_open(self.bench.spec(self.server, "LOCK TABLE number; SELECT pg_sleep(3), "
                                            "'%s'"), slot=1)
            asker.timeout(2500, slot=1)
            answer = asker.get("1", slot=1)
            expect(answer, "retry")
            expect(asker.get("1"), "ok", "one")

    def side_effects(self):
        """After an error the others are asked again, since all of it was undone."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(
                self.server, "INSERT INTO number VALUES ('%s', 'new') RETURNING value"))
            _, each = asker.many(["100", "101", "abc", "102"])
            same([one for one, _ in each], ["ok", "ok", "invalid", "ok"], "answers")
        same(self.server.sql("SELECT count(*) FROM number WHERE id >= 100").strip(), "3", "rows")

    def refused(self):
        expect(self.ask("SELECT '%s'", hosts="127.0.0.1:1"), "retry", "connect to pgsql server")
        expect(self.ask("SELECT '%s'", hosts="/nowhere"), "retry", "connect to pgsql server")
        expect(self.ask("SELECT '%s'", hosts="no-such-host.invalid"), "retry", "not known")


def main():
    with Bench() as bench, Postgres() as server:
        server.sql(FUNCTIONS)
        it = Errors(server, bench)
        run([(name.replace("_", " "), getattr(it, name)) for name in (
            "each_state", "page", "in_batch", "in_joined_batch", "key_of_wrong_type", "mistakes", "passwords",
            "shortage", "slow_query", "limit_stays_ours", "locked", "side_effects", "refused")])


if __name__ == "__main__":
    main()
