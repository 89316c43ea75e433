#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type sqlite beside Debian's, and what only ours promises: deadlines, new files, one state."""

import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair, lines_of  # noqa: E402
from tap import ask_in_threads, check, require, run, same  # noqa: E402

COUNT = 2000
DICTUM = os.environ["DICTUM"]
HOSTILE = ["o'brien", "' or '1'='1", "'; drop table al; --", 'a"b', "x%sy", "a\\b", "back`tick",
           "dom@in@example.org", "@example.org", "user@", "ünïcode@example.org", "a,b", "1 or 1=1"]
QUERIES = {
    "by key": ("SELECT v FROM al WHERE a = '%s'", ""),
    "by parts": ("SELECT v FROM al WHERE a = '%u@%d'", ""),
    "several rows": ("SELECT v FROM al WHERE a >= '%s' ORDER BY a, v LIMIT 3", ""),
    "joined text": ("SELECT '<%s>' || a FROM al WHERE a = '%s'", ""),
    "in a function": ("SELECT upper('%s')", ""),
    "labels": ("SELECT '%2.%1'", ""),
    "no table but a number": ("SELECT n FROM al WHERE a = '%s'", ""),
    "null": ("SELECT NULLIF(v, v) FROM al WHERE a = '%s'", ""),
    "several statements": ("SELECT v FROM al WHERE a = '%s'; SELECT 'second'", ""),
    "like": ("SELECT v FROM al WHERE a LIKE '%u@%%' LIMIT 1", ""),
    "where only a literal is taken": ("SELECT v AS '%u' FROM al WHERE a = '%s'", ""),
    "result_format": ("SELECT v FROM al WHERE a = '%s'", "result_format = [%u] %d of %S\n"),
    "domain": ("SELECT v FROM al WHERE a = '%s'", "domain = example.org, !example.com\n"),
    "expansion_limit": ("SELECT v FROM al WHERE a = '%s'", "expansion_limit = 9\n"),
}


def make(path, values="box/{0}"):
    """A table of addresses, some with several values."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE al (a TEXT, v TEXT, n INTEGER)")
    rows = [(f"user{i}@example.org", values.format(f"{i}@mail.example"), i) for i in range(COUNT)]
    rows += [(f"user{i}@example.org", f"second{i}@mail.example", -i) for i in range(0, COUNT, 10)]
    rows += [(key.lower(), "hostile@mail.example", 7) for key in HOSTILE]
    db.executemany("INSERT INTO al VALUES (?, ?, ?)", rows)
    db.execute("CREATE INDEX al_a ON al (a)")
    db.commit()
    db.close()


def settings(pair, query, more=""):
    path = pair.home / "s.cf"
    path.write_text(f"dbpath = {pair.home / 'db'}\nquery = {query}\n{more}", encoding="utf-8")
    return f"sqlite:{path}"


def beside_theirs(query, more):
    with Pair() as pair:
        make(pair.home / "db")
        spec = settings(pair, query, more)
        keys = [f"user{i}@example.org" for i in range(0, COUNT + 200, 3)]
        keys += ["User1@Example.ORG", "user1@example.com", "absent", *HOSTILE]
        given = "".join(key + "\n" for key in keys).encode()
        ours, theirs = (side.run("-q", "-", spec, given=given) for side in pair.sides)
        same(ours[0], theirs[0], f"status: {ours[2]!r:.300}, {theirs[2]!r:.300}")
        same(lines_of(ours[1]), lines_of(theirs[1]), "answers")
        for key in ("user10@example.org", "o'brien"):
            same(pair.ours.run("-q", key, spec)[:2], pair.theirs.run("-q", key, spec)[:2], key)


def get(spec, *keys, timeout="2s"):
    """@return status, output, messages"""
    done = subprocess.run([DICTUM, "get", "--timeout", timeout, spec, *keys], capture_output=True,
                          check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def locked_is_try_again():
    with Pair() as pair:
        make(pair.home / "db")
        spec = settings(pair, QUERIES["by key"][0])
        db = sqlite3.connect(pair.home / "db", isolation_level=None)
        db.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        status, _, said = get(spec, *(f"user{i}@example.org" for i in range(50)), timeout="1s")
        took = time.monotonic() - began
        db.execute("ROLLBACK")
        same(status, 75, f"status: {said!r}")
        check(b"locked" in said, f"{said!r}")
        check(took < 20, f"it took {took} s")
        same(get(spec, "user1@example.org")[:2], (0, b"box/1@mail.example\n"), "once it is free")


def a_long_query_ends_in_time():
    with Pair() as pair:
        make(pair.home / "db")
        spec = settings(pair, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
                        " SELECT count(*) FROM c WHERE '%s' <> ''")
        began = time.monotonic()
        status, _, said = get(spec, "x", timeout="1s")
        took = time.monotonic() - began
        same(status, 75, f"status: {said!r}")
        check(b"timed out" in said, f"{said!r}")
        check(took < 20, f"it took {took} s")


def nothing_is_written():
    with Pair() as pair:
        make(pair.home / "db")
        before = (pair.home / "db").read_bytes()
        for query in ("DELETE FROM al WHERE a <> '%s'", "DROP TABLE al",
                      "UPDATE al SET v = '%s'"):
            status, _, said = get(settings(pair, query), "x")
            same(status, 78, f"{query}: {said!r}")
        same((pair.home / "db").read_bytes() == before, True, "the file is as it was")


def mistakes_are_configuration():
    with Pair() as pair:
        make(pair.home / "db")
        for query, word in (("SELEC", b"syntax error"), ("SELECT v FROM nowhere", b"no such table"),
                            ("-- nothing", b"empty")):
            status, _, said = get(settings(pair, query), "x")
            same(status, 78, f"{query}: {said!r}")
            check(word in said, f"{said!r}")
        (pair.home / "db").write_bytes(b"this is no database at all " * 200)
        status, _, said = get(settings(pair, "SELECT 1 FROM al"), "x")
        same(status, 78, f"{said!r}")
        (pair.home / "db").unlink()
        status, _, said = get(settings(pair, "SELECT 1"), "x")
        same(status, 78, f"{said!r}")
        check(b"open database" in said, f"{said!r}")


def a_new_file_is_asked():
    """One program goes on while the file is replaced, goes away and comes back."""
    with Pair() as pair:
        make(pair.home / "db")
        spec = settings(pair, QUERIES["by key"][0])
        with subprocess.Popen([DICTUM, "get", spec, "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asker:
            def ask():
                asker.stdin.write(b"user1@example.org\n")
                asker.stdin.flush()
                return asker.stdout.readline()
            check(b"box/1@mail.example" in ask(), "the old file")
            make(pair.home / "next", values="new/{0}")
            (pair.home / "next").rename(pair.home / "db")
            check(b"new/1@mail.example" in ask(), "the new file")
            asker.stdin.close()


def a_batch_is_of_one_state():
    """A writer changes all values at once, again and again: no batch has two kinds."""
    with Pair() as pair:
        make(pair.home / "db", values="0")
        spec = settings(pair, QUERIES["by key"][0])
        stop = threading.Event()

        def write():
            db = sqlite3.connect(pair.home / "db", timeout=60)
            n = 0
            while not stop.is_set():
                n += 1
                db.execute("UPDATE al SET v = ?", (str(n),))
                db.commit()
                time.sleep(0.01)
            db.close()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            keys = [f"user{i}@example.org" for i in range(1, 60)]
            for _ in range(10):
                status, out, said = get(spec, *(k for k in keys if not k.endswith("0@example.org")),
                                        timeout="30s")
                same(status, 0, f"{said!r}")
                values = {line.split(b"\t")[-1].split(b",")[0] for line in out.splitlines()}
                same(len(values), 1, f"states in one batch: {values}")
        finally:
            stop.set()
            writer.join()


def threads():
    with Pair() as pair:
        make(pair.home / "db")
        ask_in_threads(settings(pair, QUERIES["by key"][0]), 50,
                       *(f"user{i}@example.org" for i in range(20)), "absent", "o'brien")


def cases():
    for name, (query, more) in QUERIES.items():
        yield f"sqlite: {name}", lambda query=query, more=more: beside_theirs(query, more)
    yield "sqlite: a lock of others ends at the deadline", locked_is_try_again
    yield "sqlite: a long query ends at the deadline", a_long_query_ends_in_time
    yield "sqlite: nothing is written", nothing_is_written
    yield "sqlite: mistakes are configuration", mistakes_are_configuration
    yield "sqlite: threads and a child", threads
    yield "sqlite: a new file is asked", a_new_file_is_asked
    yield "sqlite: a batch is of one state", a_batch_is_of_one_state


if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(cases())
