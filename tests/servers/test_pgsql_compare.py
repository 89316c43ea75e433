#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same settings file gives the same answers as Postfix's own pgsql tables.

On a database as PostfixAdmin keeps one, with 100,000 entries; for each query thousands of keys are
asked in a batch, by both, and hostile ones one by one. Postfix 3.7 always speaks LATIN1, so that
keys are of ASCII here; what becomes of others is tested in test_pgsql_keys.py.
"""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
from mailschema import DOMAINS, ENTRIES, FORMATS, QUERIES, schema, settings  # noqa: E402
from pair import Pair  # noqa: E402
from postgres import Postgres, programs  # noqa: E402
from shrink import again, compare_or_shrink  # noqa: E402
from tap import check, require, run, same  # noqa: E402

KEYS = int(os.environ.get("KEYS", "3000"))

HOSTILE = [
    "o'brien@d1.example", "back\\slash@d1.example", "per%cent@d1.example", "$1@d1.example",
    "under_score@d1.example", "two words@d1.example", '"quoted"@d1.example', "a--b@d1.example",
    "x' OR '1'='1", "x'; DROP TABLE alias; --@d1.example", "\\", "\\'", "'", "''", "'@'", "@", "a@",
    "@d1.example", "@@", "a@b@d1.example", "user1@d1.example'", "$$", "$tag$x$tag$", "/*", "*/",
    "--", ";", "%s", "%", "%%", "_", "\\' OR 1=1 --", "E'\\''", "user1@d1..example", "@.", "a@.",
    "\t", " user1@d1.example", "user1@d1.example ", "\r", "\x01", "\x7f", "{a,b}", "(", "[", "?",
    "$1", "$2", "1", "-1", "null", "NULL", "true", "x" * 5000, "'" * 500, "\\" * 501,
    "user1@" + "d" * 300, "empty@d1.example",
]


def require_postfix_pgsql():
    """Their plugin is a package of its own."""
    if os.path.exists("/usr/lib/postfix/postfix-pgsql.so"):
        return
    require("postfix-pgsql")


def keys_of(query):
    """Found and absent ones, in no order."""
    dice = random.Random(query)
    keys = []
    for _ in range(KEYS):
        i = dice.randrange(1, ENTRIES * 5 // 4)
        name = dice.choice(("user", "user", "list", "User"))
        domain = dice.choice(("d", "d", "d", "other"))
        i = i // 100 if name == "list" else i
        keys.append(f"{name}{i}@{domain}{i % DOMAINS}.example")
    return keys + [key for key in HOSTILE if "\n" not in key and "empty" not in key]


def compare_keys(pair, spec, keys):
    given = "".join(f"{key}\n" for key in keys).encode()
    ours, theirs = (side.run("-q", "-", spec, given=given) for side in pair.sides)
    same(ours[1].split(b"\n"), theirs[1].split(b"\n"), "answers")
    same(ours[0], theirs[0], "exit status")
    same(ours[2], theirs[2], "messages")
    return ours[1].count(b"\n")


def compare_batch(pair, spec, keys):
    """@return how many are found"""
    return compare_or_shrink(lambda some: compare_keys(pair, spec, some), keys, again())


def compare_one(pair, spec, key):
    ours, theirs = (side.run("-q", key, spec) for side in pair.sides)
    same(ours[:2], theirs[:2], f"key {key!r}")


class Comparison:
    def __init__(self, server, pair):
        self.server = server
        self.pair = pair

    def spec(self, name, **more):
        text = settings(self.server, QUERIES[name], **more)
        if name in FORMATS:
            text += f"result_format = {FORMATS[name]}\n"
        return self.source(name, text)

    def source(self, name, text):
        """Old, since Postfix waits for a young file to grow older."""
        path = self.pair.source(name + ".cf", text.encode())
        os.utime(path, (0, 0))
        return f"pgsql:{path}"

    def batch(self, name):
        """Many keys. A query that no key of theirs may break is asked for hostile ones as well."""
        keys = keys_of(name)
        if name == "escape-string":  # there, Postfix lets a backslash escape from the literal
            keys = [key for key in keys if "\\" not in key and "'" not in key]
        if name == "dollars":  # and here it doubles quotes
            keys = [key for key in keys if not set(key) & set("'\\$")]
        if name == "comment":  # and here a key can end the comment
            keys = [key for key in keys if not set(key) & set("'*\\\r")]
        if name == "typed-literal":
            keys = keys[:500] + HOSTILE[:20]
        found = compare_batch(self.pair, self.spec(name), keys)
        check(found > 0 or name == "update", "nothing was found")

    def hostile(self, name):
        spec = self.spec(name)
        for key in HOSTILE:
            compare_one(self.pair, spec, key)

    def by_socket(self):
        spec = self.spec("alias", hosts=f"unix:{self.server.home}")
        for side in self.pair.sides:
            side.env["PGPORT"] = str(self.server.port)
        compare_batch(self.pair, spec, keys_of("alias"))
        compare_batch(self.pair, self.spec("alias", hosts=self.server.home), keys_of("alias"))

    def domain_filter(self):
        spec = self.spec("alias", domain="d1.example, !d2.example, inline:{d3.example=x}")
        compare_batch(self.pair, spec, keys_of("alias"))

    def legacy(self):
        names = {"table": "alias", "select_field": "goto", "where_field": "address",
                 "additional_conditions": "AND active = true"}
        text = settings(self.server, "", **names).replace("query = \n", "")
        spec = self.source("legacy", text)
        compare_batch(self.pair, spec, keys_of("alias"))
        text = settings(self.server, "", select_function="upper").replace("query = \n", "")
        spec = self.source("function", text)
        compare_batch(self.pair, spec, keys_of("alias"))

    def expansion_limit(self):
        """Too many rows are a failure that Postfix tells in the same words."""
        for limit in (4, 5, 6):
            spec = self.spec("members", expansion_limit=limit)
            ours, theirs = (side.run("-q", "list1@d1.example", spec) for side in self.pair.sides)
            same(ours[:2], theirs[:2], f"expansion_limit {limit}")
            if limit == 4:
                check(any(b"Expansion limit exceeded" in line for line in ours[2]), f"{ours[2]}")
                check(any(b"query error" in line for line in ours[2]), f"{ours[2]}")

    def empty_value(self):
        spec = self.spec("alias")
        ours, theirs = (side.run("-q", "empty@d1.example", spec) for side in self.pair.sides)
        same(ours, theirs, "empty value")

    def main_cf(self):
        """Settings may stand in main.cf."""
        text = settings(self.server, QUERIES["alias"])
        etc = pathlib.Path(self.pair.ours.env["MAIL_CONFIG"]) / "main.cf"
        etc.write_text(etc.read_text() + "".join(f"people_{line}\n" for line in text.splitlines()))
        os.utime(etc, (0, 0))
        compare_batch(self.pair, "pgsql:people", keys_of("alias"))


def main():
    require_postfix_pgsql()
    if not programs():
        require("postgres")
    with Postgres() as server, Pair() as pair:
        server.sql(schema())
        os.utime(pathlib.Path(pair.ours.env["MAIL_CONFIG"]) / "main.cf", (0, 0))
        it = Comparison(server, pair)
        cases = [(f"batch of {name}", lambda name=name: it.batch(name)) for name in QUERIES]
        cases += [(f"hostile keys, {name}", lambda name=name: it.hostile(name))
                  for name in ("alias", "alias-domain", "columns", "echo")]
        cases += [("Unix socket", it.by_socket), ("domain filter", it.domain_filter),
                  ("without query", it.legacy), ("expansion limit", it.expansion_limit),
                  ("empty value", it.empty_value), ("settings in main.cf", it.main_cf)]
        run(cases)


if __name__ == "__main__":
    main()
