#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same settings file gives the same answers as Postfix's own mysql tables: hundreds of keys in
a batch, and hostile ones one by one. Postfix 3.7 leaves the character set to its library, so that
keys are of ASCII here."""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
from mailschema import settings  # noqa: E402
from mariadb import MariaDB, programs  # noqa: E402
from mysqltest import ALIAS, DOMAINS, ENTRIES, SCHEMA  # noqa: E402
from pair import Pair  # noqa: E402
from shrink import again, compare_or_shrink  # noqa: E402
from tap import check, require, run, same  # noqa: E402

KEYS = int(os.environ.get("KEYS", "500"))

QUERIES = {
    "alias": ALIAS,
    "parts": "SELECT domain, goto FROM alias WHERE address = '%u@%d'",
    "members": "SELECT address FROM member WHERE list = '%s' ORDER BY place",
    "echo": "SELECT '%s', '%u'",
    "labels": "SELECT '%2.%1'",
    "double": 'SELECT goto FROM alias WHERE address = "%s"',
    "like": "SELECT CASE WHEN '%s' LIKE '%%@%%' THEN 'address' ELSE 'name' END",
    "escape": r"SELECT '\'%%\\%s\n'",
    "comment": "SELECT goto /* it's \"theirs */ FROM alias WHERE address = '%s' -- it's",
    "union": "SELECT goto FROM alias WHERE address = '%s' UNION ALL SELECT address FROM member "
             "WHERE list = '%s'",
    "procedure": "CALL lookup('%s')",
    "hex": "SELECT HEX('%s'), LENGTH('%s')",
}
FORMATS = {"members": "<%s>", "parts": "%S:%s", "union": "%u at %d"}

HOSTILE = [
    "o'brien@d1.example", "back\\slash@d1.example", "per%cent@d1.example", "$1@d1.example",
    "under_score@d1.example", "two words@d1.example", '"quoted"@d1.example', "a--b@d1.example",
    "x' OR '1'='1", "x\" OR \"1\"=\"1", "x'; DROP TABLE alias; --@d1.example", "\\", "\\'", "'",
    "''", "\\\"", '"', '""', "'@'", "@", "a@", "@d1.example", "@@", "a@b@d1.example", "`", "``",
    "user1@d1.example'", "/*", "*/", "/*!", "--", "-- ", "#", ";", "%s", "%", "%%", "_",
    "\\' OR 1=1 -- ", "\\\\' OR 1=1 #", "user1@d1..example", "@.", "a@.", "\t",
    " user1@d1.example", "user1@d1.example ", "\r", "\x01", "\x1a", "\x7f", "{a,b}", "(", "[", "?",
    "1", "-1", "null", "NULL", "true", "x" * 5000, "'" * 500, "\\" * 501, '"' * 501,
    "user1@" + "d" * 300, "empty@d1.example",
]


def keys_of(query):
    """Found and absent ones, in no order."""
    dice = random.Random(query)
    keys = []
    for _ in range(KEYS):
        i = dice.randrange(1, ENTRIES * 5 // 4)
        name = dice.choice(("user", "user", "list", "User"))
        i = i % 60 if name == "list" else i
        keys.append(f"{name}{i}@d{i % DOMAINS}.example")
    return keys + [key for key in HOSTILE if "empty" not in key]


class Comparison:
    def __init__(self, server, pair):
        self.server = server
        self.pair = pair

    def spec(self, name, **more):
        """Old, since Postfix waits for a young file to grow older."""
        if name in FORMATS:
            more["result_format"] = FORMATS[name]
        return self.source(name, settings(self.server, QUERIES[name], **more))

    def source(self, name, text):
        path = self.pair.source(name + ".cf", text.encode())
        os.utime(path, (0, 0))
        return f"mysql:{path}"

    def compare_keys(self, spec, keys):
        given = "".join(f"{key}\n" for key in keys).encode()
        ours, theirs = (side.run("-q", "-", spec, given=given) for side in self.pair.sides)
        same(ours[1].split(b"\n"), theirs[1].split(b"\n"), "answers")
        same(ours[0], theirs[0], "exit status")
        same(ours[2], theirs[2], "messages")
        return ours[1]

    def compare(self, spec, keys):
        found = compare_or_shrink(lambda some: self.compare_keys(spec, some), keys, again())
        check(found, "nothing was found")

    def batch(self, name):
        keys = keys_of(name)
        if name == "procedure":  # whose parameter takes no more
            keys = [key for key in keys if len(key) < 250]
        self.compare(self.spec(name), keys)

    def hostile(self, name):
        spec = self.spec(name)
        for key in HOSTILE:
            ours, theirs = (side.run("-q", key, spec) for side in self.pair.sides)
            same(ours[:2], theirs[:2], f"key {key!r}")

    def by_socket(self):
        self.compare(self.spec("alias", hosts=f"unix:{self.server.socket}"), keys_of("alias"))
        self.compare(self.spec("alias", hosts=f"inet:127.0.0.1:{self.server.port}"),
                     keys_of("alias"))

    def domain_filter(self):
        self.compare(self.spec("alias", domain="d1.example, !d2.example, inline:{d3.example=x}"),
                     keys_of("alias") + [f"user{i}@d{i % DOMAINS}.example" for i in range(300)])

    def legacy(self):
        names = {"table": "alias", "select_field": "goto", "where_field": "address",
                 "additional_conditions": "AND active = 1"}
        self.compare(self.source("legacy", settings(self.server, None, **names)),
                     keys_of("alias"))

    def expansion_limit(self):
        for limit in (4, 5, 6):
            spec = self.spec("members", expansion_limit=limit)
            ours, theirs = (side.run("-q", "list1@d1.example", spec) for side in self.pair.sides)
            same(ours[:2], theirs[:2], f"expansion_limit {limit}")
            if limit == 4:
                check(any(b"Expansion limit exceeded" in line for line in ours[2]), f"{ours[2]}")

    def without_rows(self):
        """A result set is required, unless the table says otherwise."""
        for query in ("CALL silent('%s')", "UPDATE alias SET goto = goto WHERE address = '%s'"):
            for wanted in ("yes", "no"):
                text = settings(self.server, query, require_result_set=wanted)
                spec = self.source("silent", text)
                ours, theirs = (side.run("-q", "user1@d1.example", spec)
                                for side in self.pair.sides)
                same(ours[:2], theirs[:2], f"{query}, require_result_set = {wanted}")

    def empty_value(self):
        spec = self.spec("alias")
        ours, theirs = (side.run("-q", "empty@d1.example", spec) for side in self.pair.sides)
        same(ours, theirs, "empty value")

    def no_dbname(self):
        text = settings(self.server, ALIAS, dbname=None)
        spec = self.source("nodb", text)
        ours, theirs = (side.run("-q", "x", spec) for side in self.pair.sides)
        same(ours[:2], theirs[:2], "without dbname")

    def main_cf(self):
        """Settings may stand in main.cf."""
        etc = pathlib.Path(self.pair.ours.env["MAIL_CONFIG"]) / "main.cf"
        lines = settings(self.server, ALIAS).splitlines()
        etc.write_text(etc.read_text() + "".join(f"people_{line}\n" for line in lines))
        os.utime(etc, (0, 0))
        self.compare("mysql:people", keys_of("alias"))


def main():
    if not programs():
        require("mariadbd")
    if not os.path.exists("/usr/lib/postfix/postfix-mysql.so"):
        require("postfix-mysql")
    with MariaDB() as server, Pair() as pair:
        server.sql(SCHEMA)
        os.utime(pathlib.Path(pair.ours.env["MAIL_CONFIG"]) / "main.cf", (0, 0))
        it = Comparison(server, pair)
        cases = [(f"batch of {name}", lambda name=name: it.batch(name)) for name in QUERIES]
        cases += [(f"hostile keys, {name}", lambda name=name: it.hostile(name))
                  for name in ("alias", "parts", "echo", "double")]
        cases += [(name.replace("_", " "), getattr(it, name)) for name in (
            "by_socket", "domain_filter", "legacy", "expansion_limit", "without_rows",
            "empty_value", "no_dbname", "main_cf")]
        run(cases)


if __name__ == "__main__":
    main()
