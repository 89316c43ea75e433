#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which answer each error of a MySQL or MariaDB server becomes, each raised by a real server, and
what becomes of keys that would like to be more than a value."""

import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from mariadb import MariaDB  # noqa: E402
from mysqltest import ALIAS, KEY, SCHEMA, VALUE, Bench  # noqa: E402
from sqltest import expect, within  # noqa: E402
from tap import check, run, same  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "plugins/mysql/mysql_table.5"

NUMBERS = {
    "retry": (1020, 1021, 1030, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1079, 1105, 1135, 1152,
              1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1206, 1213, 1223, 1226, 1290, 1297,
              1317, 1412, 1615, 1637, 1792, 1836, 1927, 1969, 2002, 2003, 2005, 2006, 2012, 2013,
              2014, 2027, 2055, 3024, 3032, 3058, 3100, 3101, 3168, 3169, 3572, 4031),
    "config": (1044, 1045, 1049, 1054, 1064, 1129, 1130, 1142, 1146, 1194, 1251, 1305, 1370, 1644,
               2019, 2026, 2059, 3159, 60000),
    "invalid": (1139, 1153, 1264, 1267, 1292, 1300, 1366, 1406, 1525, 1690, 2020, 3685, 3692, 3696,
                3697, 3854),
}


class Errors:
    def __init__(self, server, bench):
        self.server = server
        self.bench = bench

    def ask(self, query, key="key", **more):
        return self.bench.ask(self.server, query, key, **more)

    def each_number(self):
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT fail('%s')"))
            for status, numbers in NUMBERS.items():
                for number in numbers:
                    if 2000 <= number < 3000:  # the library's own; see unit/test_mysql.c
                        continue
                    time.sleep(0.005)  # for as long the breaker keeps it out of service
                    answer = asker.get(str(number))
                    expect(answer, status, "made up", str(number))

    def page(self):
        """The manual's table says the same, of all that it lists."""
        rows = {}
        for line in PAGE.read_text().splitlines():
            match = re.match(r"\.It Li (\d+) Ta ([A-Z]+)", line)
            if match:
                rows[int(match[1])] = match[2].lower()
        tested = {n: status for status, numbers in NUMBERS.items() for n in numbers}
        same({n: rows.get(n, "config") for n in tested}, tested, "statuses in the manual")
        same(set(rows) - set(tested), set(), "rows that are not tested")

    def in_batch(self):
        """One failing key, and the others have their answers, be it over another connection."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(
                self.server, "SELECT IF('%d' = 'x', fail('%u'), '%s')"))
            keys = ["a@y", "1040@x", "b@y", "1366@x", "nodomain", "1146@x", "1153@x", "c@y"]
            answer, each = asker.many(keys)
            same(answer.status, "ok", "the batch")
            same([one for one, _ in each], ["ok", "retry", "ok", "invalid", "notfound", "config",
                                            "invalid", "ok"], "answers")
            check("1040" in answer.text, f"the text is of the first failure: {answer}")

    def mistakes(self):
        expect(self.ask("SELECT value FROM nowhere WHERE id = '%s'"), "config", "1146")
        expect(self.ask("SELECT nothing FROM number WHERE value = '%s'"), "config", "1054")
        expect(self.ask("SELEKT '%s'"), "config", "1064")
        expect(self.ask("SELECT 1; SELECT '%s'"), "config", "1064")
        expect(self.ask("SELECT '%s'", dbname="nowhere"), "config", "connect to mysql server")
        expect(self.ask("SELECT '%s'", user="nobody_at_all"), "config", "nobody_at_all")
        expect(self.ask("SELECT '%s'", charset="klingon"), "config", "klingon")
        expect(self.ask("SELECT User FROM mysql.user WHERE 'x' = '%s'"), "config", "1142")
        expect(self.ask("CALL twice('%s')"), "config", "several")
        expect(self.ask("CALL silent('%s')"), "config", "require_result_set")
        expect(self.ask("CALL silent('%s')", require_result_set="no"), "notfound")
        expect(self.ask("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE alias -- '%s'"), "config")
        expect(self.ask("SELECT '%s'", option_file="/nowhere/my.cnf"), "config", "option_file")
        expect(self.ask("SELECT '%s'", tls_CAfile="/nowhere/ca"), "config", "tls_CAfile")
        expect(self.ask("SELECT '%s'", tls_verify_cert="maybe"), "config", "tls_verify_cert")
        for hosts in ("127.0.0.1:port", "127.0.0.1:0", "[::1", "unix:", "127.0.0.1:70000"):
            expect(self.ask("SELECT '%s'", hosts=hosts), "config", "bad host", hosts)
        expect(self.ask("SELECT '%s'", tls_verify_cert="yes"), "config", "2026",
               "a server without TLS")
        expect(self.ask("SELECT '%s'", tls_ciphers="HIGH"), "config", "has none")

    def templates(self):
        """Texts in which it could not be told what is inside of quotes."""
        for query in ("SELECT '%s", "SELECT `%s", 'SELECT "%s', "SELECT '%s' /*", r"SELECT '\%s'",
                      "SELECT /*! '%s' */ 1", "SELECT /*M! '%s' */ 1", r'SELECT "\"%s"'):
            expect(self.ask(query), "config", "query: ", query)

    def bare_keys(self):
        """Without quotes a key is a number, or there is nothing to ask: a word would be a column."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT value FROM number WHERE id = %s"))
            expect(asker.get("1"), "ok", "one")
            expect(asker.get("-1"), "notfound")
            for key in ("1 OR 1=1", "id", "1;", "1-- ", "(1)", "1#", "", "'", "1=1", "-", "1/*"):
                answer = asker.get(key)
                check(answer.status == "notfound" and not answer.text,
                      f"{key!r}: {answer}")
            for _ in range(5):  # no word takes the table out of service
                expect(asker.get("nocolumn"), "notfound")
            expect(asker.get("1"), "ok", "one")

    def names(self):
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT 'x' AS `%s`"))
            for key in ("a`b", "``", "a\\", "it's", '"'):
                expect(asker.get(key), "ok", "x", key)

    def sql_modes(self):
        """Whatever a quote or a backslash means to the server, a key stays where it is."""
        hostile = ["o'brien@d1.example", "x' OR '1'='1", "\\' OR 1=1 -- ", "\\", '"', 'x" OR "1"="1',
                   '\\" OR 1=1 -- ', "it''s", "\\\\'", "zoë", "a\\'b\\\"c"]
        for mode in ("", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"):
            self.server.sql(f"SET GLOBAL sql_mode = '{mode}'", database="mysql")
            try:
                with Asker() as asker:
                    asker.must_open(self.bench.spec(self.server, "SELECT '%s'"))
                    asker.must_open(self.bench.spec(
                        self.server, "SELECT goto FROM alias WHERE address = \"%s\""), slot=1)
                    for key in hostile:
                        same(asker.get(key).text, key.lower(), f"the value in mode {mode!r}")
                        answer = asker.get(key, slot=1)
                        check("@" not in answer.text or key.startswith("o'"), f"{key}: {answer}")
                answer = self.ask(r"SELECT '%s\\'", "x")
                if "NO_BACKSLASH" in mode:
                    expect(answer, "config", "sql_mode", mode)
                else:
                    expect(answer, "ok", "x\\", mode)
            finally:
                self.server.sql("SET GLOBAL sql_mode = DEFAULT", database="mysql")

    def charsets(self):
        """A byte that swallows a quote in one character set is none in another."""
        swallowing = [b"\xbf' OR 1=1 -- ", b"\xbf\\' OR 1=1 -- ", b"\x81'", b"\xbf\" OR 1=1 -- "]
        for charset in ("gbk", "sjis", "big5", "latin1", "utf8mb4"):
            for query in (ALIAS, ALIAS.replace("'", '"'), ALIAS.replace("'%s'", "\"%s\" -- `%s`")):
                with Asker() as asker:
                    asker.must_open(self.bench.spec(self.server, query, charset=charset))
                    for key in swallowing:
                        answer = asker.get(key)
                        check(answer.status in ("notfound", "invalid"), f"{charset} {key}: {answer}")
                    expect(asker.get(KEY), "ok", VALUE, charset)
        expect(self.ask(ALIAS, "zoë@d1.example"), "ok", "zoë@mail.example")
        answer = self.ask(ALIAS, b"zo\xeb@d1.example", charset="latin1")
        expect(answer, "ok", "@mail.example")

    def odd_keys(self):
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT LENGTH('%s')"))
            expect(asker.get("a\0b"), "notfound")
            expect(asker.get("x" * 1000000), "ok", "1000000")
            answer = asker.get("'" * (17 << 20))  # more than max_allowed_packet
            check(answer.status in ("invalid", "retry"), f"{answer.status} {answer.text:.200}")
            expect(asker.get("abc"), "ok", "3")

    def passwords(self):
        self.server.sql("CREATE USER knower@'%' IDENTIFIED BY 'right'; GRANT ALL ON mail.* TO "
                        "knower@'%'; CREATE USER limited@'%' WITH MAX_USER_CONNECTIONS 1; GRANT ALL "
                        "ON mail.* TO limited@'%'")
        right = self.bench.file("right", "right\n", 0o600)
        expect(self.ask("SELECT '%s'", user="knower", password="right"), "ok")
        expect(self.ask("SELECT '%s'", user="knower", password_file=right), "ok")
        expect(self.ask("SELECT '%s'", user="knower", password_file="right",
                        env={"CREDENTIALS_DIRECTORY": self.bench.home}), "ok")
        options = self.bench.file("my.cnf", "[mail]\npassword=right\n", 0o600)
        more = {"user": "knower", "option_file": options}
        expect(self.ask("SELECT '%s'", option_group="mail", **more), "ok")
        expect(self.ask("SELECT '%s'", **more), "config", "1045", "another group")
        answer = self.ask("SELECT '%s'", user="knower", password="wr0ng")
        expect(answer, "config", "1045")
        check("wr0ng" not in answer.text, f"{answer}")
        expect(self.ask("SELECT '%s'", password_file="/nowhere/secret"), "config", "password_file")

    def shortage(self):
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, "SELECT '%s'", user="limited"))
            asker.must_open(self.bench.spec(self.server, "SELECT '%s'", user="limited"), slot=1)
            expect(asker.get("x"), "ok", "x")
            expect(asker.get("x", slot=1), "retry", "connect to mysql server")
            asker.close(0)

    def slow_query(self):
        """Our deadline holds, and the server's own limit is told apart from a mistake."""
        answer = self.ask("SELECT SLEEP(20), '%s'", ms=700)
        expect(answer, "retry", "no answer in time")
        within(answer, 700)
        query = "SET STATEMENT max_statement_time = 0.3 FOR SELECT SLEEP(20), '%s'"
        answer = self.ask(query, ms=8000)
        check(answer.status == "retry" or answer.text.startswith("1"), f"{answer}")

    def refused(self):
        expect(self.ask("SELECT '%s'", hosts="127.0.0.1:1"), "retry", "connect to mysql server")
        expect(self.ask("SELECT '%s'", hosts="unix:/nowhere"), "retry", "2002")
        expect(self.ask("SELECT '%s'", hosts="no-such-host.invalid"), "retry", "not known")


def main():
    with Bench() as bench, MariaDB() as server:
        server.sql(SCHEMA)
        it = Errors(server, bench)
        cases = [name for name in vars(Errors) if not name.startswith("_") and name != "ask"]
        run([(name.replace("_", " "), getattr(it, name)) for name in cases
             if not sys.argv[1:] or name in sys.argv[1:]])


if __name__ == "__main__":
    main()
