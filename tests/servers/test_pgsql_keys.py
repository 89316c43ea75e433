#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A key is a value, whatever bytes it has, in every encoding and in every place of a query."""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from pgsqltest import Bench  # noqa: E402
from postgres import Postgres  # noqa: E402
from sqltest import expect  # noqa: E402
from tap import check, run, same  # noqa: E402

# Databases, the encodings that clients of them may have, and Python's names of these.
ENCODINGS = {
    "UTF8": {"UTF8": "utf-8", "LATIN1": "latin-1", "EUC_JP": "euc_jp", "SJIS": "shift_jis",
             "BIG5": "big5", "GBK": "gbk"},
    "LATIN1": {"LATIN1": "latin-1", "UTF8": "utf-8"},
    "EUC_JP": {"EUC_JP": "euc_jp", "SJIS": "shift_jis", "UTF8": "utf-8"},
    "SQL_ASCII": {"SQL_ASCII": "latin-1"},
}

# Each must give the key back, or for the last ones a part of a name, or nothing.
PLACES = {
    "literal": "SELECT '%s'",
    "beside text": "SELECT substr('it''s [%s]', 7, length('[%s]') - 2)",
    "escape string": "SELECT E'%s'",
    "dollar quotes": "SELECT $$%s$$",
    "dollar quotes with a tag": "SELECT $x1$%s$x1$",
    "after a type": "SELECT text '%s'",
    "two literals": "SELECT left('%s%s', length('%s'))",
    "argument of any type": "SELECT concat('%s')",
    "argument": "SELECT coalesce('%s', 'x')",
    "beside a comment": "SELECT /* it's -- ' */ '%s' -- ' /*",
    "nested comments": "SELECT /* a /* ' */ b */ '%s'",
    "in a comment as well": "SELECT '%s' /* '%s' */ -- %s",
    "operators": "SELECT '%s' || ''",
    "several statements": "SELECT 'no'; SELECT '%s';",
    "quoted name": "SELECT jsonb_object_keys(to_jsonb(t)) FROM (SELECT 1 AS \"x%s\") t",
    "national literal": "SELECT N'%s'::text",
    "names with quotes": "SELECT '%s' AS \"a '\"\" name\"",
}

# In lower case, as keys are folded before they come here.
ATTACKS = [
    "'", "''", "\\", "\\\\", "\\'", "'; drop table witness; --", "' or '1'='1", "\\' or 1=1 --",
    "$$", "$x1$", "$$; drop table witness; select $$", "*/ drop table witness; /*", "--", "\n",
    "\n'; drop table witness; --", "\"", "\"; drop table witness; --", "%s", "%%", "$1", "{", "}",
    "e'", "\x01", "\x7f", "\t", "a\rb", "; drop table witness", "\\x27", "\\047", "\\u0027",
]


class Keys:
    def __init__(self, bench, servers):
        self.bench = bench
        self.servers = servers

    def echo(self, server, query, keys, **more):
        """Each key comes back, alone and in a batch, and the witness lives."""
        with Asker() as asker:
            asker.must_open(self.bench.spec(server, query, **more))
            for key in keys:
                answer = asker.get(key)
                if "x%s" in query:  # a name is cut at 63 bytes
                    expect(answer, "ok", ("x" + key)[:20], f"{query}: {key!r}")
                else:
                    expect(answer, "ok", "", f"{query}: {key!r}")
                    same(answer.text, key, query)
            answer, each = asker.many(keys)
            same([one for one, _ in each], ["ok"] * len(keys), f"{query} {answer}")
        same(server.sql("SELECT count(*) FROM witness").strip(), "1", "the witness")

    def place(self, name):
        self.echo(self.servers["UTF8"], PLACES[name], ATTACKS + ["plain", "ünï"])

    def one_by_one_in_any_encoding(self, database, client):
        """Keys with quotes and backslashes inside and beside characters of several bytes."""
        server, codec = self.servers[database], ENCODINGS[database][client]
        native = ENCODINGS[database][database]
        words = [word.encode(codec) for word in self.words(codec)
                 if word.encode(native, errors="replace").decode(native) == word]
        for query in ("SELECT '%s'", "SELECT concat('%s')", "SELECT 1; SELECT '%s'"):
            with Asker() as asker:
                asker.must_open(self.bench.spec(server, query, encoding=client))
                answer, each = asker.many(words)
                same(each, [("ok", word) for word in words], f"{query}, {answer}")

    @staticmethod
    def words(codec):
        """表 and ソ have a backslash as their second byte in SJIS, 許 has in BIG5."""
        words = ["it's", "back\\slash", "\\'", "plain"]
        if codec in ("utf-8", "latin-1"):
            words += ["müller", "é'è", "à\\"]
        if codec in ("utf-8", "euc_jp", "shift_jis"):
            words += ["日本'語", "表'", "ソ\\'; drop table witness; --", "表"]
        if codec in ("utf-8", "big5"):
            words += ["許'功", "許"]
        if codec in ("utf-8", "gbk"):
            words += ["縗'"]
        return words

    def broken_bytes(self, database, client):
        """A first byte without its second, before a quote, is refused or taken as it is; it never
        swallows the quote."""
        server = self.servers[database]
        heads = [b"\x81", b"\x8f", b"\x95", b"\xa3", b"\xbf", b"\xc3", b"\xe0\xa0", b"\xf0", b"\xff"]
        keys = [head + tail for head in heads for tail in
                (b"", b"'", b"\\", b"' or 1=1 --", b"\\'; drop table witness; --")]
        keys += [b"\xbf\x27", b"\xbf\x5c\x27 or 1=1", b"\xc0\xa7", b"\xed\xa0\x80"]
        for query in ("SELECT v FROM witness WHERE v = '%s'",
                      "SELECT v FROM witness WHERE v = concat('%s')",
                      "SELECT 1; SELECT v FROM witness WHERE v = '%s'"):
            with Asker() as asker:
                asker.must_open(self.bench.spec(server, query, encoding=client))
                _, each = asker.many([*keys, b"here"])
                check({one for one, _ in each[:-1]} <= {"invalid", "notfound"}, f"{query}: {each}")
                same(each[-1], ("ok", b"here"), "the key behind them")
        same(server.sql("SELECT count(*) FROM witness").strip(), "1", "the witness")

    def nul(self):
        server = self.servers["UTF8"]
        for query in ("SELECT '%s'", "SELECT concat('%s')", "SELECT 1; SELECT '%s'"):
            with Asker() as asker:
                asker.must_open(self.bench.spec(server, query))
                expect(asker.get(b"a\0b"), "invalid")
                _, each = asker.many([b"a", b"a\0'b", b"\0", b"b"])
                same(each, [("ok", b"a"), ("invalid", b""), ("invalid", b""), ("ok", b"b")], query)
        with Asker() as asker:
            asker.must_open(self.bench.spec(server, "SELECT '%d'"))
            expect(asker.get(b"a\0b@c.d"), "ok", "c.d", "a NUL where nobody looks")

    def very_long(self):
        server = self.servers["UTF8"]
        for key in ("x" * 10_000_000, "'" * 1_000_000, "\\" * 1_000_000):
            with Asker() as asker:
                asker.must_open(self.bench.spec(server, "SELECT length('%s')"))
                asker.must_open(self.bench.spec(server, "SELECT length(concat('%s'))"), slot=1)
                for slot in (0, 1):
                    asker.timeout(60000, slot=slot)
                    expect(asker.get(key, slot=slot), "ok", str(len(key)))
                _, each = asker.many([key[:400_000]] * 8)
                same(each, [("ok", str(min(len(key), 400_000)).encode())] * 8, "in a batch")

    def random_bytes(self):
        """What comes back is what was asked, or the key was refused."""
        dice = random.Random(7)
        server = self.servers["SQL_ASCII"]
        alphabet = b"'\"\\$;-/*%\x01\x80\xa3\xbf\xff ab@."
        keys = [bytes(dice.choices(alphabet, k=dice.randrange(1, 12))) for _ in range(2000)]
        with Asker() as asker:
            for slot, query in enumerate(("SELECT '%s'", "SELECT E'%s'", "SELECT $$%s$$",
                                          "SELECT concat('%s')", "SELECT text '%s' || ''")):
                asker.must_open(self.bench.spec(server, query, encoding="SQL_ASCII"), slot=slot)
                _, each = asker.many(keys, slot=slot)
                same(each, [("ok", key) for key in keys], query)

    def without_quotes(self):
        server = self.servers["UTF8"]
        with Asker() as asker:
            asker.must_open(self.bench.spec(server, "SELECT v FROM witness WHERE n = %s"))
            asker.must_open(self.bench.spec(server, "SELECT v FROM wit_%u"), slot=1)
            asker.must_open(self.bench.spec(server, "SELECT v FROM \"%u\""), slot=2)
            expect(asker.get("7"), "ok", "here")
            expect(asker.get("8"), "notfound")
            for key in ("n", "7 or 1=1", "7--", "0x7", "-7", "(7)", "", "7;", "v"):
                expect(asker.get(key), "invalid", "", key)
            expect(asker.get("ness", slot=1), "ok", "other")
            for key in ("ness, witness", "ness;", "ness WHERE 1=1", "'"):
                expect(asker.get(key, slot=1), "invalid", "", key)
            expect(asker.get("witness", slot=2), "ok", "here")

    def batch_is_like_singles(self):
        """Whatever the column's type is, and however many keys are asked at once."""
        server = self.servers["UTF8"]
        server.sql("CREATE EXTENSION IF NOT EXISTS citext; CREATE DOMAIN short AS varchar(20); "
                   "CREATE COLLATION IF NOT EXISTS c2 FROM \"C\"")
        keys = ["abc", "ABC", "abc ", " abc", "", "1", "01", "null", "a,b", "{a}", '"', "\\", "ünï",
                "x'y", "%", "no", "nope", "7", "8", "9", "abc", "two", "two"]
        bad = [b"a\xff", b"\0"]
        for kind in ("text", "varchar(20)", "char(12)", "name", "citext", "short",
                     "text COLLATE c2", "integer", '"char"'):
            server.sql(f"DROP TABLE IF EXISTS typed; CREATE TABLE typed (k {kind}, v text, n int)")
            values = ("1", "7") if kind == "integer" else keys[:14]
            for i, key in enumerate(values):
                text = key.replace("'", "''")
                server.sql(f"INSERT INTO typed VALUES ('{text}', 'v{i}', {i}), "
                           f"('{text}', 'second{i}', {i})")
            for query in ("SELECT v FROM typed WHERE k = '%s'",
                          "SELECT n, v FROM typed WHERE k='%s' ORDER BY n DESC LIMIT 3",
                          "SELECT count(*), max(v) FROM typed WHERE k = '%s' -- a comment",
                          "SELECT v FROM typed WHERE k = '%s' UNION ALL SELECT 'x' WHERE 'two' = "
                          "'%s' or 'no' = '%u'"):
                with Asker() as asker:
                    asker.must_open(self.bench.spec(server, query))
                    for batch in (keys, keys + bad):
                        _, each = asker.many(batch)
                        singles = [asker.get(key) for key in batch]
                        same([one for one, _ in each], [one.status for one in singles],
                             f"{kind}: {query}")
                        same([value.decode() for one, value in each if one == "ok"],
                             [one.text for one in singles if one.status == "ok"],
                             f"{kind}: {query}")

    def old_style_strings(self):
        """A server where a backslash in a literal escapes: keys stay what they are."""
        server = self.servers["UTF8"]
        server.sql("ALTER DATABASE mail SET standard_conforming_strings = off")
        try:
            for query in ("SELECT '%s'", "SELECT concat('%s')", "SELECT 1; SELECT '%s'"):
                self.echo(server, query, ATTACKS)
            expect(self.bench.ask(server, "SELECT '\\%s'", "x"), "config", "backslash")
        finally:
            server.sql("ALTER DATABASE mail RESET standard_conforming_strings")
        expect(self.bench.ask(server, "SELECT '\\\\%s'", "x"), "ok", "\\\\x")

    def mistakes(self):
        server = self.servers["UTF8"]
        for query in ("SELECT '%s", "SELECT \"%s", "SELECT $$%s", "SELECT /* '%s'", "SELECT E'\\%s'",
                      "SELECT E'\\x4%s'"):
            with Asker() as asker:
                expect(asker.open(self.bench.spec(server, query)), "config", "query", query)


def main():
    with Bench() as bench:
        servers = {name: Postgres(encoding=name) for name in ENCODINGS}
        try:
            for server in servers.values():
                server.start()
                server.sql("CREATE TABLE witness (v text, n integer); INSERT INTO witness VALUES "
                           "('here', 7); CREATE TABLE wit_ness (v text); INSERT INTO wit_ness "
                           "VALUES ('other');")
            it = Keys(bench, servers)
            cases = [(f"attacks: {name}", lambda name=name: it.place(name)) for name in PLACES]
            for database, clients in ENCODINGS.items():
                for client in clients:
                    pair = (database, client)
                    cases.append((f"{database} asked in {client}",
                                  lambda pair=pair: it.one_by_one_in_any_encoding(*pair)))
                    cases.append((f"broken bytes, {database} asked in {client}",
                                  lambda pair=pair: it.broken_bytes(*pair)))
            cases += [(name.replace("_", " "), getattr(it, name)) for name in (
                "nul", "very_long", "random_bytes", "without_quotes",
                "batch_is_like_singles", "old_style_strings",
                "mistakes")]
            run(cases)
        finally:
            for server in servers.values():
                server.stop()
                server.remove()


if __name__ == "__main__":
    main()
