#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type mongodb: questions, answers, settings and errors, with a server that is emulated
(mongod.py), as Debian has none."""

import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bson  # noqa: E402
from asker import Asker  # noqa: E402
from bson import Code, Date, Int64, Oid, Regex  # noqa: E402
from mongotest import ALIAS, ENTRIES, KEY, VALUE, Bench, pairs_file, users  # noqa: E402
from sqltest import expect  # noqa: E402
from tap import check, missing, run, same  # noqa: E402

# Its counters lie in memory that other processes can see, under a number that a process which was
# killed may have used before: the client library would say so on standard error.
os.environ["MONGOC_DISABLE_SHM"] = "1"

PAGE = pathlib.Path(__file__).resolve().parents[2] / "plugins/mongodb/mongodb_table.5"

# Numbers of MongoDB's errors, by what becomes of them.
NUMBERS = {
    "retry": (6, 7, 24, 43, 46, 50, 63, 70, 82, 89, 91, 94, 112, 133, 134, 136, 146, 150, 175, 189,
              202, 237, 239, 246, 262, 279, 290, 292, 384, 9001, 10058, 10107, 11600, 11601, 11602,
              13388, 13435, 13436),
    "config": (1, 2, 9, 13, 14, 18, 26, 59, 73, 168, 17287, 60000),
    "invalid": (51091,),
}

ODD = [
    {"address": "kinds", "a": "text", "b": 5, "c": Int64(5_000_000_000), "d": ["x", 7, ["y", []]],
     "e": 2.5, "f": True, "g": None, "h": Date(0), "i": {"inner": "no"}, "j": Oid(b"x" * 12),
     "k": Regex(("x", "")), "l": b"bytes", "m": Code("code"), "n": -3, "o": [{"inner": "no"}, "z"]},
    {"_id": Oid(b"y" * 12), "address": "only-id"},
    {"_id": "text-id", "address": "text-id"},
    {"address": "empty", "goto": ""},
    {"address": "nothing", "goto": []},
    {"address": "mixed", "goto": ["", "a@b", "c", "", "@d"]},
    {"address": "zero", "goto": "a\0b"},
    {"address": "nested", "goto": {"to": "inside@mail.example"}},
    {"address": "same", "goto": "first"},
    {"address": "same", "goto": "second", "extra": "third"},
    {"address": "zoë@d1.example", "goto": "zoë@mail.example"},
    {"address": "a\0b", "goto": "secret"},
]
ODD += [{"address": f"many{n}", "goto": [f"v{i}" for i in range(n)]} for n in (10, 11, 100, 101)]
ODD += [{"address": "apart", "goto": f"v{i}"} for i in range(150)]


# What MongoDB's own client for Python, which has nothing of ours, makes of the emulated server.
OTHER_CLIENT = """
import sys
import bson
import pymongo
with pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=5000) as client:
    users = client.mail.users
    print(users.find_one({"address": "user7@d7.example"}, {"_id": 0})["goto"])
    print(sum(1 for _ in users.find({"active": 1})))
    for document in bson.decode_all(sys.stdin.buffer.read()):
        sys.stdout.write(bson.BSON.encode(document).hex() + "\\n")
"""


class Mongodb:
    def __init__(self, bench, server, odd):
        self._bench = bench
        self._server = server
        self._odd = odd

    def _ask(self, query, key="key", server=None, **more):
        return self._bench.ask(server or self._server, query, key, **more)

    def _value(self, key, query=None, **more):
        more = {"result_attribute": "goto"} | more
        answer = self._ask(query or {"address": "%s"}, key, self._odd, **more)
        check(answer.status in ("ok", "notfound"), f"{answer}")
        return answer.text if answer.status == "ok" else None

    # ---- answers -------------------------------------------------------------------------------

    def lookup(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, ALIAS, result_attribute="goto"))
            expect(asker.get(KEY), "ok", VALUE)
            expect(asker.get(KEY.upper()), "ok", VALUE, "keys are folded")
            expect(asker.get("user10@d10.example"), "notfound", what="not active")
            expect(asker.get("nobody"), "notfound")
            answer, each = asker.many([KEY, "nobody", "user2@d2.example", KEY])
            same([answer.status] + each,
                 ["ok", ("ok", VALUE.encode()), ("notfound", b""), ("ok", b"box2@mail.example"),
                  ("ok", VALUE.encode())], "a batch")
            same(asker.events(), [], "events")

    def large_batch(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, ALIAS, result_attribute="goto"))
            answer, found = asker.file(pairs_file(self._bench))
            expect(answer, "ok")
            same(found, ENTRIES - ENTRIES // 10, "found")

    def kinds_of_values(self):
        """Texts, whole numbers and arrays of them, in the order in which they come; the others are
        told about."""
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._odd, {"address": "%s"}, expansion_limit=0))
            expect(asker.get("kinds"), "ok")
            same(asker.get("kinds").text, "kinds,text,5,5000000000,x,7,y,-3,z", "values")
            told = " ".join(text for _, text in asker.events())
            for field, kind in (("e", "a double"), ("f", "a boolean"), ("g", "null"),
                                ("h", "a date"), ("i", "a document"), ("j", "an ObjectId"),
                                ("k", "neither"), ("l", "neither"), ("m", "neither"),
                                ("o", "a document")):
                check(f'field "{field}" is {kind}' in told, f"{field} in {told}")
            expect(asker.get("only-id"), "ok", "only-id")
            same(asker.get("text-id").text, "text-id,text-id", "an _id of our own")

    def fields(self):
        same(self._value("kinds", result_attribute="b, a n"), "text,5,-3", "in the document's order")
        same(self._value("only-id", result_attribute="_id"), None, "made up by the server")
        same(self._value("text-id", result_attribute="_id"), "text-id", "not made up")
        same(self._value("kinds", result_attribute="nothing"), None, "no such field")
        same(self._value("nested", result_attribute="goto"), None, "a document")
        same(self._value("same"), "first,second", "two documents")
        same(self._value("same", result_attribute="goto,extra"), "first,second,third", "of each")

    def projections(self):
        def value(key, projection, **more):
            return self._value(key, result_attribute=None, projection=projection, **more)

        same(value("same", '{"goto": 1}'), "first,second", "a field")
        same(value("text-id", '{"_id": 1}'), "text-id", "_id as asked for")
        same(value("kinds", '{"address": 0, "d": 0, "o": 0}', expansion_limit=0),
             "text,5,5000000000,-3", "without some")
        same(value("nested", '{"to": "$goto.to"}'), "inside@mail.example", "of a document")
        same(value("same", '{"_id": 0, "to": {"$concat": ["smtp:[", "$goto", "]"]}}'),
             "smtp:[first],smtp:[second]", "computed")

    def formats(self):
        same(self._value("mixed"), "a@b,c,@d", "empty ones are left out")
        same(self._value("mixed", result_format="%d"), "b,d", "domains")
        same(self._value("mixed", result_format="<%u>"), "<a>,<c>", "local parts")
        same(self._value("same", result_format="%S=%s"), "same=first,same=second", "of the key")
        same(self._value("same", result_format="%D=%s"), None, "a part that the key lacks")
        same(self._value("empty"), None, "an empty value")
        same(self._value("nothing"), None, "an empty array")
        same(self._value("zero"), "a", "it ends at a NUL byte")
        same(self._value("same", result_format="100%% %s"), "100% first,100% second", "percent")

    def limits(self):
        for key, limit, status in (("many10", None, "ok"), ("many11", None, "retry"),
                                   ("many11", 11, "ok"), ("many100", 100, "ok"),
                                   ("many101", 100, "retry"), ("many101", 0, "ok"),
                                   ("apart", None, "retry"), ("apart", 0, "ok"),
                                   ("same", 1, "retry"), ("same", 2, "ok")):
            answer = self._ask({"address": "%s"}, key, self._odd, result_attribute="goto",
                               expansion_limit=limit)
            expect(answer, status, "Expansion limit" if status == "retry" else "", f"{key} {limit}")
        for limit in (-1, 101, "x"):
            expect(self._ask(ALIAS, expansion_limit=limit), "config", "expansion_limit")
        with Asker() as asker:  # it is a matter of the key
            asker.must_open(self._bench.spec(self._odd, {"address": "%s"}, result_attribute="goto"))
            for _ in range(5):
                expect(asker.get("apart"), "retry", "Expansion limit")
            expect(asker.get("same"), "ok", "first")

    def many_documents(self):
        """More than come at once."""
        value = self._value("apart", expansion_limit=0)
        same(value.split(","), [f"v{i}" for i in range(150)], "values")
        check("killCursors" not in self._odd.lines()[-4:], "it was all read")
        self._odd.forget()
        expect(self._ask({"address": "%s"}, "apart", self._odd, result_attribute="goto"), "retry",
               "Expansion limit")
        check("killCursors" in self._odd.lines(), "the server keeps what nobody wants")

    def domains(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, ALIAS, result_attribute="goto",
                                             domain="!d2.example, d1.example, d2.example"))
            self._server.forget()
            expect(asker.get(KEY), "ok", VALUE)
            for key in ("user2@d2.example", "user3@d3.example", "user1", "@d1.example",
                        "d1.example"):
                expect(asker.get(key), "notfound", what=key)
            same(len(self._server.asked()), 1, "questions")

    # ---- questions -----------------------------------------------------------------------------

    def _filters(self, query, keys):
        """What the server is asked for."""
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, query))
            self._server.forget()
            statuses = [asker.get(key).status for key in keys]
        check(set(statuses) <= {"ok", "notfound"}, f"{statuses}")
        return [command["filter"] for command in self._server.asked()]

    def parts_of_keys(self):
        query = {"a": "%s", "b": ["x%u", {"c": "%d"}], "d": "%1.%2", "e": "100%%", "n": 1}
        same(self._filters(query, ["u@x.example.org", "nodomain", "u@org", "@x.org"]),
             [{"a": "u@x.example.org", "b": ["xu", {"c": "x.example.org"}], "d": "org.example",
               "e": "100%", "n": 1}], "a key that lacks a part is not asked for")
        same(self._filters({"a": "%S %U %D"}, ["u@d"]), [{"a": "u@d u d"}], "as lower case")

    def hostile_keys(self):
        keys = ['"', '\\', '\\"', '"}', '", "$where": "1', '{"$gt": ""}', "$gt", "$where", "a\tb",
                "\x01", "\x010\x01", "\n", "'", "zoë", "\\u0022", "x" * 5000, "%s", "%",
                "\x7f\ue000", "😀", '"}, {"a": "b']
        same(self._filters({"a": {"$in": ["%s", "x%s"]}}, keys),
             [{"a": {"$in": [key, f"x{key}"]}} for key in keys], "filters")
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._odd, {"address": "%s"}, result_attribute="goto"))
            self._odd.forget()
            for key in (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b", b"\0"):
                expect(asker.get(key), "notfound", what=repr(key))
            same(self._odd.asked(), [], "questions about what no text can be")

    def regular_expressions(self):
        keys = [".*", "a.b+c@d1.example", "[", "(?i)x", "a|b", "\\E.*", "^$", "zoë", "{2}", "a b#c"]
        for test, wanted in (({"$regex": "^%s$"}, ""), ({"$regex": "^%s$", "$options": "i"}, "i"),
                             ({"$regularExpression": {"pattern": "^%s$", "options": "i"}}, "i")):
            for key, asked in zip(keys, self._filters({"a": test}, keys)):
                pattern, options = asked["a"]
                same(options, wanted, f"options of {test}")
                folded = key.lower()
                check(re.fullmatch(pattern, folded) and not re.fullmatch(pattern, folded + "x"),
                      f"{key}: {pattern}")
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, {"address": {"$regex": "^%s$"}},
                                             result_attribute="goto"))
            expect(asker.get(".*"), "notfound")
            expect(asker.get(KEY), "ok", VALUE)
        expect(self._ask({"a": {"$regex": "^%s$"}}, "x" * 40000), "notfound")

    def expressions(self):
        query = {"$expr": {"$eq": ["$address", {"$toLower": "%s"}]}}
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, query, result_attribute="goto"))
            self._server.forget()
            expect(asker.get(KEY), "ok", VALUE)
            for key in ("$address", "$$ROOT", "$goto"):
                expect(asker.get(key), "notfound", what=key)
            same(self._server.asked()[1]["filter"],
                 {"$expr": {"$eq": ["$address", {"$toLower": {"$literal": "$address"}}]}}, "filter")

    def operators(self):
        """Those that the manual lists work, and are not in the key's hands."""
        for query in ({"$or": [{"address": "%s"}, {"alias.address": "%s"}], "active": 1},
                      {"$and": [{"address": {"$eq": "%s"}}, {"active": {"$ne": 0}}]},
                      {"address": {"$in": ["%s", "nobody"]}}, {"address": {"$gte": "%s", "$lte": "%s"}},
                      {"$nor": [{"address": {"$not": {"$eq": "%s"}}}]},
                      {"address": "%u@%d", "$comment": "for %s"}):
            expect(self._ask(query, KEY, result_attribute="goto"), "ok", VALUE, f"{query}")

    def refused_filters(self):
        for query, why in (({"$where": "this.a == '%s'"}, "$where"),
                           ({"$expr": {"$function": {"body": "%s"}}}, "$function"),
                           ({"$expr": {"$regexMatch": {"input": "$a", "regex": "%s"}}}, "$regex"),
                           ({"$expr": {"$eq": ["$a.%u", 1]}}, "the name of a field"),
                           ({"$text": {"$search": "%s"}}, "$text"),
                           ({"$jsonSchema": {"a": "%s"}}, "$jsonSchema"),
                           ({"a": {"$where": {"b": "%s"}}}, "$where"),
                           ({"%s": 1}, "a name"), ({"a": {"%u": 1}}, "a name"),
                           ({"a": {"$regex": "\\Q%s\\E"}}, "\\Q"),
                           ({"a": {"$regex": "\\%s"}}, "backslash"),
                           ({"a": {"$regex": "x", "$options": "%s"}}, "no text"),
                           ({"a": {"$code": "%s"}}, "code"),
                           ({"a": {"$oid": "%s"}}, "query_filter"),
                           ({"a": "\x01%s"}, "query_filter"), ({"a": "\x00%s"}, "query_filter"),
                           ('{"a": %s}', "query_filter"), ("{'a': '%s'}", "query_filter"),
                           ('{"a": "%s"', "query_filter"), ('{"a": "%s"} {}', "query_filter"),
                           ('["%s"]', "query_filter"), ('"%s"', "query_filter"),
                           ("%s", "query_filter"), ('{"a": "%x"}', "Invalid query template"),
                           ('{"a": "%s"}}', "query_filter"), ('{"a": "%"}', "template")):
            answer = self._ask(query, "k")
            expect(answer, "config", why, f"{query}")
            check(".cf: " in answer.text, f"no file in {answer}")
        deep = '{"a": ' * 150 + '"%s"' + "}" * 150
        expect(self._ask(deep), "config", "query_filter")

    def long_keys(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, {"a": "%s", "b": "%s"}))
            expect(asker.get("x" * 1000000), "notfound")
            for _ in range(5):
                expect(asker.get("x" * (9 << 20)), "invalid", "too long")
            expect(asker.get("x"), "notfound")

    # ---- settings ------------------------------------------------------------------------------

    def mistakes(self):
        for name in ("uri", "dbname", "collection", "query_filter"):
            answer = self._ask(ALIAS, **{name: None})
            expect(answer, "config", name, name)
        for more, why in (({"projection": "{"}, "projection"), ({"projection": "[1]"}, "projection"),
                          ({"projection": '{"a": 1}', "result_attribute": "a"}, "both"),
                          ({"result_format": "%x"}, "result template"),
                          ({"result_format": ""}, "result_format"),
                          ({"connections": 0}, "connections"), ({"connections": 33}, "connections"),
                          ({"domain": "/nowhere/list"}, "/nowhere/list"),
                          ({"password_file": "/nowhere/secret"}, "password_file"),
                          ({"uri": "http://127.0.0.1/"}, "uri: "),
                          ({"uri": "mongodb://"}, "uri: "),
                          ({"uri": "mongodb://127.0.0.1:70000/"}, "uri: "),
                          ({"uri": "mongodb://127.0.0.1/?tls=maybe"}, "uri: ")):
            answer = self._ask(ALIAS, **more)
            expect(answer, "config", why, f"{more}")
            check(".cf: " in answer.text or why in str(more.values()), f"no file in {answer}")
        expect(self._ask(ALIAS, KEY, self._server.uri + "?frobnicate=1", result_attribute="goto"),
               "ok", VALUE, "an option that nobody knows")
        expect(self._ask({"address": {"$frob": 1}, "x": "%s"}), "config", "(2)")

    def main_cf(self):
        """With the table's name before each, and '$$' for '$'."""
        folder = self._bench.home / "etc"
        folder.mkdir()
        (folder / "main.cf").write_text(
            f"compatibility_level = 3.6\nmine_uri = {self._server.uri}\nmine_dbname = mail\n"
            'mine_collection = users\nmine_query_filter = { "$$or": [{"address": "%s"}] }\n'
            "mine_result_attribute = goto\n")
        done = subprocess.run([os.environ["DICTUM"], "get", "mongodb:mine", KEY], check=False,
                              capture_output=True, env=os.environ | {"MAIL_CONFIG": str(folder)})
        same((done.stdout, done.stderr), (f"{VALUE}\n".encode(), b""), "output")

    def secrets(self):
        """A password gets in, and is in no message, no event, and nothing that is printed."""
        with self._bench.server(user="dictum", password="s3cr3t/p@ss") as server:
            right = f"mongodb://dictum:s3cr3t%2Fp%40ss@{server.hosts}/"
            wrong = right.replace("s3cr3t", "wr0ng")
            expect(self._ask(ALIAS, KEY, right, result_attribute="goto"), "ok", VALUE)
            answers = [self._ask(ALIAS, KEY, wrong)]
            expect(answers[-1], "config", "Authentication failed")
            answers.append(self._ask(ALIAS, KEY, server.uri))
            expect(answers[-1], "config", "(13)")
            for bad in (right.replace("%2F", "/"), right.replace("%40", "@").replace("%2F", "/"),
                        right.replace("%2F", ":"), right.replace("%40", "%zz"), right + "?tls=x",
                        right.replace("mongodb", "mongo"), f"mongodb://dictum:s3cr3t/p@{server.hosts}",
                        f"mongodb://h/?tlsCertificateKeyFilePassword=s3cr3t&tls=maybe"):
                answers.append(self._ask(ALIAS, KEY, bad))
                expect(answers[-1], "config", "uri: it cannot be read", bad)
            for answer in answers:
                check("s3cr3t" not in answer.text and "wr0ng" not in answer.text and
                      "p@ss" not in answer.text, f"{answer}")
            self._password_files(server)
            for mode, told in ((0o644, True), (0o640, False)):
                with Asker() as asker:
                    asker.must_open(self._bench.spec(right, ALIAS, mode=mode))
                    asker.get(KEY)
                    server.kill()
                    asker.get(KEY)
                    texts = [text for _, text in asker.events()]
                    server.start()
                    same(any("everybody may read it" in text for text in texts), told, f"{texts}")
                    check(not any("s3cr3t" in text for text in texts), f"{texts}")

    def _password_files(self, server):
        uri = f"mongodb://dictum@{server.hosts}/"
        right = self._bench.file("right", "s3cr3t/p@ss\n", 0o600)
        more = {"result_attribute": "goto"}
        expect(self._ask(ALIAS, KEY, uri, password_file=right, **more), "ok", VALUE)
        expect(self._ask(ALIAS, KEY, uri, password_file="right",
                         env={"CREDENTIALS_DIRECTORY": self._bench.home}, **more), "ok", VALUE)
        expect(self._ask(ALIAS, KEY, server.uri, password_file=right), "config", "no user")
        right.chmod(0o644)
        with Asker() as asker:
            asker.must_open(self._bench.spec(uri, ALIAS, password_file=right))
            check(any("password_file" in text for _, text in asker.events()), "nothing is told")

    def another_client(self):
        """The emulated server is one to a client that was not made for it."""
        python = "/usr/bin/python3"  # Debian's, as its packages are
        if subprocess.run([python, "-c", "import pymongo"], check=False,
                          capture_output=True).returncode != 0:
            raise missing("there is no pymongo")
        document = bson.encode({"a": "zoë", "b": [1, Int64(2), 2.5, None, True, {"c": Date(5)}],
                                "d": Oid(b"x" * 12), "e": b"12"})
        with self._bench.server(user="dictum", password="right") as server:
            uri = f"mongodb://dictum:right@{server.hosts}/?authMechanism=SCRAM-SHA-256"
            done = subprocess.run([python, "-B", "-c", OTHER_CLIENT, uri], input=document,
                                  capture_output=True, check=False, cwd=self._bench.home)
        same((done.stdout.decode().split(), done.stderr.decode()),
             (["box7@mail.example", str(ENTRIES - ENTRIES // 10), document.hex()], ""), "output")

    # ---- errors --------------------------------------------------------------------------------

    def each_number(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, {"fault": "error %s"}))
            for status, numbers in NUMBERS.items():
                for number in numbers:
                    time.sleep(0.005)  # for as long the breaker keeps it out of service
                    answer = asker.get(str(number))
                    expect(answer, status, f"made up ({number})", str(number))

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
            asker.must_open(self._bench.spec(
                self._server, {"$or": [{"address": "%s"}], "fault": "%u"}))
            answer, each = asker.many(["error 50@x", "a@y", "error 91@x", "error 2@x",
                                       "error 51091@x", "nest 3@x", "nodomain"])
        same([one for one, _ in each], ["retry", "config", "retry", "config", "invalid", "ok",
                                        "config"], f"answers: {answer}")
        same(answer.status, "ok", "the batch")
        check("(50)" in answer.text, f"the text is of the first failure: {answer}")

    def time_limit_is_told(self):
        with Asker() as asker:
            asker.must_open(self._bench.spec(self._server, ALIAS))
            asker.timeout(700)
            self._server.forget()
            asker.get(KEY)
            limit = self._server.asked()[0]["maxTimeMS"]
            check(1 <= limit <= 700, f"maxTimeMS is {limit}")


def main():
    with Bench() as bench, bench.server() as server, bench.server(ODD) as odd:
        it = Mongodb(bench, server, odd)
        cases = [name for name in vars(Mongodb) if not name.startswith("_")]
        run([(name.replace("_", " "), getattr(it, name)) for name in cases
             if not sys.argv[1:] or name in sys.argv[1:]])


if __name__ == "__main__":
    main()
