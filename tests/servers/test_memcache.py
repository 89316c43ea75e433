#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type memcache with real servers: beside Postfix's, and through what can happen to a server."""

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "compat")]
from daemon import free_port  # noqa: E402
from memcached import Memcached  # noqa: E402
from odd import BlackHole, Odd  # noqa: E402
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from tap import check, require, run, same  # noqa: E402

DICTUM = os.environ["DICTUM"]
MODULE = pathlib.Path(os.environ["DICTUM_PLUGIN_DIR"]) / "dictum_memcache.so"
OK, ABSENT, INVALID, RETRY, CONFIG = 0, 1, 65, 75, 78
SLACK = 10  # seconds that a loaded machine may add to a time-out


def program(name):
    """A test program that was built; libtool keeps it in .libs, behind a script."""
    folder = pathlib.Path(os.environ["TOP_BUILDDIR"]) / "tests/servers"
    return str(next(p for p in (folder / ".libs" / name, folder / name) if p.exists()))


class Session:
    """One long run of `dictum get`, so that connections and pauses last from question to
    question."""

    def __init__(self, spec, *options, env=None):
        self.process = subprocess.Popen([DICTUM, "get", "--json", *options, spec, "-"], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait(60)

    def send(self, keys):
        self.process.stdin.write("".join(key + "\n" for key in keys).encode())
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        check(line, "the program ended")
        return json.loads(line)

    def ask(self, key):
        """@return the status and the value, or None"""
        self.send([key])
        answer = self.answer()
        return answer["status"], answer.get("value")

    def ask_until(self, key, wanted):
        """For a table that core has taken out of service for a moment."""
        until = time.monotonic() + SLACK
        while (got := self.ask(key)) != wanted:
            check(got[0] == "retry" and time.monotonic() < until, f"{key}: {got}")
            time.sleep(0.05)


class Bench:
    """Both sides, a folder, and tables by their settings."""

    def __init__(self):
        self.pair = Pair()
        self.home = self.pair.home
        self.ours, self.theirs = self.pair.sides
        self.env = self.ours.env
        # A length beyond memory must meet what it meets without a sanitizer.
        self.env["ASAN_OPTIONS"] = self.env.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1"
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pair.temp.cleanup()

    def folder(self):
        return tempfile.mkdtemp(dir=self.home)

    def table(self, *servers, **settings):
        """@return the spec of a table in these servers"""
        self.count += 1
        path = self.home / f"table{self.count}.cf"
        settings = {"memcache": " ".join(getattr(s, "setting", s) for s in servers)} | settings
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        return f"memcache:{path}"

    def backup(self, text):
        """@return the spec of an lmdb table"""
        self.count += 1
        path = self.pair.source(f"backup{self.count}", text)
        self.theirs.must(f"lmdb:{path}")
        return f"lmdb:{path}"

    def dictum(self, *words, given=b""):
        done = subprocess.run([DICTUM, *words], input=given, capture_output=True, env=self.env,
                              check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def session(self, spec, *options):
        return Session(spec, *options, env=self.env)


@contextlib.contextmanager
def world(*options, kind="ipv4"):
    with Bench() as bench, Memcached(bench.folder(), *options, kind=kind) as server:
        yield bench, server


def within(seconds, what, function):
    begun = time.monotonic()
    result = function()
    took = time.monotonic() - begun
    check(took < seconds + SLACK, f"{what} took {took:.1f} s")
    return result


# ---- what works ------------------------------------------------------------------------------


def round_trip(kind):
    with world(kind=kind) as (bench, server), server.wire() as wire:
        spec = bench.table(server, flags=5, ttl=77)
        same(bench.dictum("get", spec, "a")[0], ABSENT, "before")
        same(bench.dictum("put", spec, "A", "one two")[0], OK, "put")
        same(wire.get(b"a"), (b"one two", 5), "value and flags")
        check(75 <= wire.seconds_left(b"a") <= 77, "time to live")
        same(bench.dictum("get", spec, "a")[1], b"one two\n", "get")
        same(bench.dictum("del", spec, "a")[0], OK, "del")
        same(wire.get(b"a"), None, "gone")
        same(bench.dictum("del", spec, "a")[0], ABSENT, "del again")


def by_main_cf():
    with Memcached("/tmp") as server, Pair(f"mine_memcache = {server.setting}\n"
                                           "mine_key_format = x-%s\n") as pair, \
            server.wire() as wire:
        wire.set(b"x-a", b"1")
        for side in pair.sides:
            same(side.must("-q", "a", "memcache:mine"), b"1\n", side.name)


def duplicates():
    with world() as (bench, server):
        spec = bench.table(server)
        bench.dictum("put", spec, "a", "old")
        for how, status, value in (("refuse", OK, b"old\n"), ("ignore", OK, b"old\n"),
                                   ("error", CONFIG, b"old\n"), ("replace", OK, b"new\n")):
            got, _, said = bench.dictum("put", "--duplicates", how, spec, "a", "new")
            check(got == status or how == "error" and got != OK, f"{how}: {got} {said}")
            same("duplicate" in said, how in ("refuse", "error"), f"{how}: {said}")
            same(bench.dictum("get", spec, "a")[1], value, how)


def digests():
    with world() as (bench, server), server.wire() as wire:
        for name in ("md5", "sha1", "sha256", "SHA512", "sha3-256"):
            spec = bench.table(server, key_format="k %s", key_digest=name)
            same(bench.dictum("put", spec, "a b", name)[0], OK, name)
            key = hashlib.new(name.lower().replace("sha3-", "sha3_"), b"k a b").hexdigest()
            if len(key) <= 250:
                same(wire.get(key.encode()), (name.encode(), 0), name)


# ---- beside Postfix --------------------------------------------------------------------------


def same_answers():
    """Both ask the same server; each sees what the other did."""
    with world() as (bench, server), server.wire() as wire:
        plain = bench.table(server)
        formed = bench.table(server, key_format="%u/%d/%1", domain="d.example, x.example")
        wire.set(b"a", b"from the wire", flags=7)
        wire.set(b"empty", b"")
        wire.set(b"u/d.example/example", b"formed")
        keys = ["a", "A", "absent", "a b", "", "empty", "u@d.example", "u@other.example",
                "u@sub.d.example", "@d.example", "x", "100%", "ä", "a\tb"]
        for spec in (plain, formed):
            for key in keys:
                ours, theirs = (side.run("-q", key, spec) for side in bench.pair.sides)
                same(ours[:2], theirs[:2], f"-q {key!r} {spec}")
            given = "".join(key + "\n" for key in keys).encode()
            ours, theirs = (side.run("-q", "-", spec, given=given) for side in bench.pair.sides)
            same(ours[:2], theirs[:2], f"-q - {spec}")
        for deleter, asker in (bench.pair.sides, bench.pair.sides[::-1]):
            bench.ours.must("-i", plain, given=b"b value of b\n")
            same(asker.must("-q", "b", plain), b"value of b\n", f"{asker.name} after -i")
            same(deleter.run("-d", "b", plain)[0], 0, f"{deleter.name} -d")
            same(asker.run("-q", "b", plain)[:2], (1, b""), f"{asker.name} after -d")
            same(deleter.run("-d", "b", plain)[0], 1, f"{deleter.name} -d again")
            same(deleter.run("-d", "b b", plain)[0], 1, f"{deleter.name} -d of no key")


def same_backup():
    """What either finds in the backup is in memcached afterwards, the same way."""
    with world() as (bench, server), server.wire() as wire:
        spec = bench.table(server, backup=bench.backup(b"a from backup\nb other\n"), flags=3,
                           ttl=500)
        seen = []
        for side in bench.pair.sides:
            wire.line(b"flush_all")
            same(side.must("-q", "a", spec), b"from backup\n", side.name)
            seen.append(wire.get(b"a"))
            check(498 <= wire.seconds_left(b"a") <= 500, f"{side.name}: time to live")
            wire.set(b"a", b"cached")
            same(side.must("-q", "a", spec), b"cached\n", f"{side.name}: memcached first")
            same(side.run("-q", "c", spec)[:2], (1, b""), f"{side.name}: in neither")
            same(sorted(side.dump(spec)), [b"a\tfrom backup", b"b\tother"], f"{side.name}: dump")
            check(bool(side.run("-s", bench.table(server))[2]), f"{side.name}: no dump, a warning")
            same(side.run("-s", bench.table(server))[:2], (0, b""), f"{side.name}: no dump")
        same(seen, [(b"from backup", 3)] * 2, "stored by each")
        for side in bench.pair.sides:
            wire.set(b"only", b"in memcached")
            same(side.run("-d", "only", spec)[0], 1, f"{side.name}: the backup's result counts")
            same(wire.get(b"only"), None, f"{side.name}: deleted in memcached all the same")


def same_when_down():
    with Bench() as bench:
        port = free_port()
        for settings, keys in (({}, ["a"]), ({"backup": bench.backup(b"a backup's\n")},
                                             ["a", "absent"])):
            spec = bench.table(f"inet:127.0.0.1:{port}", **settings)
            for words in [["-q", key] for key in keys] + ([] if settings else [["-d", "a"]]):
                ours, theirs = (side.run(*words, spec) for side in bench.pair.sides)
                same(ours[:2], theirs[:2], f"{words} {settings}")
                warning = b"warning: connect to 127.0.0.1:%d: Connection refused" % port
                for said in (ours[2], theirs[2]):
                    check(warning in said, f"{words} {settings}: {said}")
            ours, theirs = (side.run("-q", "-", spec, given=b"a\nb\n")
                            for side in bench.pair.sides)
            same(ours[:2], theirs[:2], f"-q - {settings}")


# ---- keys and values -------------------------------------------------------------------------

INJECTIONS = [b"a\r\nset evil 0 0 1\r\n1", b"a\nflush_all", b"a evil", b"a\0b", b"a\tb", b"\x7f",
              b"a\r", b" ", b"\r\nflush_all\r\n"]


def injections():
    """Keys of every kind through every call: nothing of them reaches the server as a command."""
    with world() as (bench, server), server.wire() as wire:
        wire.set(b"witness", b"1")
        for settings in ({}, {"key_format": "%s x"}, {"key_format": "%u:%d"}):
            spec = bench.table(server, **settings)
            keys = INJECTIONS + [key + b"@d.example" for key in INJECTIONS]
            given = b"".join(key + b"\0" for key in keys)
            status, out, said = bench.dictum("get", "--no-utf8", "-0", spec, "-", given=given)
            same((status, out), (ABSENT, b""), f"get {settings}: {said}")
            for key in keys:
                entry = key.split(b"\0")[0] + b"\0value\0"
                if key.split(b"\0")[0] in (b"a", b"a@d.example"):
                    continue
                status = bench.dictum("put", "-0", spec, "-", given=entry)[0]
                same(status, INVALID, f"put {key!r} {settings}")
                status = bench.dictum("del", "-0", spec, "-", given=key + b"\0")[0]
                check(status == ABSENT or b"\0" in key, f"del {key!r} {settings}: {status}")
        same(wire.get(b"witness"), (b"1", 0), "nothing was flushed")
        same(wire.get(b"evil"), None, "nothing was set")
        same(wire.stats()["curr_items"], "1", "items")


def value_injections():
    with world() as (bench, server), server.wire() as wire:
        spec = bench.table(server)
        value = b"x\r\nEND\r\nset evil 0 0 1\r\n1\r\nVALUE a 0 1\r\n"
        same(bench.dictum("put", "-0", spec, "-", given=b"a\0" + value + b"\0")[0], OK, "put")
        same(bench.dictum("get", "-0", spec, "a")[1], b"a\0" + value + b"\0", "get")
        same(wire.get(b"a")[0], value, "on the wire")
        same(wire.get(b"evil"), None, "nothing was set")


def long_keys():
    with world() as (bench, server):
        spec = bench.table(server)
        for length, status in ((249, OK), (250, OK), (251, INVALID), (5000, INVALID)):
            same(bench.dictum("put", spec, "k" * length, "v")[0], status, f"put {length}")
            same(bench.dictum("get", spec, "k" * length)[0], OK if status == OK else ABSENT,
                 f"get {length}")
        status, _, said = bench.ours.run("-i", spec, given=b"k" * 251 + b" v\nnext v\n")
        check(status == 0 and any(b"skipping update" in line for line in said), f"{said}")
        same(bench.ours.must("-q", "next", spec), b"v\n", "the one behind")
        given = "".join(f"{'k' * n}\n" for n in (251, 250, 5000, 249)).encode()
        same(len(bench.ours.must("-q", "-", spec, given=given).splitlines()), 2, "in a batch")


def long_values():
    with world() as (bench, server), server.wire() as wire:
        small = bench.table(server, data_size_limit=100)
        same(bench.dictum("put", small, "a", "old")[0], OK, "put")
        status, _, said = bench.ours.run("-i", small, given=b"a " + b"x" * 101 + b"\nb v\n")
        check(status == 0 and any(b"is too long" in line for line in said), f"{said}")
        same(wire.get(b"a"), None, "what is out of date is gone")
        same(wire.get(b"b"), (b"v", 0), "the one behind")
        same(bench.dictum("put", small, "a", "x" * 101)[0], INVALID, "put")
        large = bench.table(server, data_size_limit=9000000)
        bench.dictum("put", large, "a", "old")
        same(bench.dictum("put", "-0", large, "-", given=b"a\0" + b"x" * 2000000 + b"\0")[0],
             INVALID, "more than the server takes")
        same(bench.dictum("get", large, "a")[0], ABSENT, "the server dropped what was there")
        wire.set(b"a", b"x" * 101)
        for side in bench.pair.sides:
            status, _, said = side.run("-q", "a", small)
            check(status == 1 and any(b"unexpected memcache server reply" in line for line in said),
                  f"{side.name}: {status} {said}")
        narrow = bench.table(server, line_size_limit=10)
        same(bench.dictum("get", narrow, "b")[0], RETRY, "a line that is too long")


# ---- the backup ------------------------------------------------------------------------------


def backup_batches():
    """The misses of a batch are asked in one go and stored."""
    with world() as (bench, server), server.wire() as wire:
        text = b"".join(b"user%04d value %d\n" % (i, i) for i in range(3000))
        spec = bench.table(server, backup=bench.backup(text))
        given = b"".join(b"user%04d\n" % i for i in range(0, 4000))
        for cmd_set in ("3000", "3000"):
            out = bench.ours.must("-q", "-", spec, given=given)
            same(out.replace(b"\t", b" "), text, "answers")
            same(wire.stats()["cmd_set"], cmd_set, "stored, and once")
        server.restart()
        same(bench.ours.must("-q", "-", spec, given=given).replace(b"\t", b" "), text, "emptied")


def backup_changes():
    with world() as (bench, server), server.wire() as wire:
        backup = bench.backup(b"a old\n")
        spec = bench.table(server, backup=backup)
        same(bench.ours.run("-q", "a", spec)[1], b"old\n", "before")
        same(bench.dictum("put", spec, "a", "new")[0], OK, "put")
        same((wire.get(b"a"), bench.theirs.must("-q", "a", backup)), ((b"new", 0), b"new\n"),
             "put in both")
        for how in ("refuse", "ignore"):
            bench.dictum("put", "--duplicates", how, spec, "a", "other")
            same(bench.dictum("get", spec, "a")[1], b"new\n", how)
            same(bench.theirs.must("-q", "a", backup), b"new\n", f"{how}: backup")
        same(bench.dictum("put", spec, "long", "x" * 20000)[0], OK, "the backup takes it")
        same(bench.dictum("get", spec, "long")[1], b"x" * 20000 + b"\n", "and gives it")
        same(bench.dictum("del", spec, "a")[0], OK, "del")
        same((wire.get(b"a"), bench.theirs.run("-q", "a", backup)[0]), (None, 1), "del in both")
        server.kill()
        status, _, said = bench.dictum("put", spec, "b", "v")
        check(status == OK and "connect to" in said, f"put without memcached: {status} {said}")
        same(bench.dictum("get", spec, "b")[1], b"v\n", "get without memcached")
        same(bench.dictum("get", spec, "absent")[0], ABSENT, "absent without memcached")


def backup_fails():
    """The backup's answer counts, also when it is a failure."""
    with world() as (bench, server), server.wire() as wire:
        wire.set(b"a", b"cached")
        spec = bench.table(server, backup="fail:test")
        same(bench.dictum("get", spec, "a")[:2], (OK, b"cached\n"), "in memcached")
        same(bench.dictum("get", spec, "b")[0], RETRY, "not in memcached")
        same(bench.dictum("get", spec, "a", "b")[0], RETRY, "both")
        spec = bench.table(server, backup=f"lmdb:{bench.home}/missing")
        same(bench.dictum("get", spec, "a")[0], CONFIG, "a backup that is not there")


# ---- what happens to servers -----------------------------------------------------------------


def absent_from_the_start():
    with Bench() as bench:
        server = Memcached(bench.folder())
        with bench.session(bench.table(server)) as session:
            same(session.ask("a")[0], "retry", "no server")
            with server, server.wire() as wire:
                wire.set(b"a", b"1")
                same(session.ask("a"), ("ok", "1"), "used as soon as it is there")
        socket = Memcached(bench.folder(), kind="unix")
        same(bench.dictum("get", bench.table(socket), "a")[0], RETRY, "no socket")


def killed_and_restarted():
    with world() as (bench, server):
        with bench.session(bench.table(server)) as session:
            for _ in range(5):
                with server.wire() as wire:
                    wire.set(b"a", b"1")
                same(session.ask("a"), ("ok", "1"), "up")
                server.kill()
                same(session.ask("a")[0], "retry", "killed")
                same(session.ask("a")[0], "retry", "still down")
                server.start()
                same(session.ask("a"), ("notfound", None), "back at once, and empty")
            server.restart()
            same(session.ask("a"), ("notfound", None), "a restart between two questions")
            server.restart()
            session.send(["a", "b", "c"])
            same({session.answer()["status"] for _ in range(3)}, {"notfound"}, "in a batch, too")


def killed_in_a_batch():
    """Whatever was answered is right, and the rest is not called absent."""
    with world() as (bench, server):
        spec = bench.table(server)
        entries = b"".join(b"user%05d value of %05d\n" % (i, i) for i in range(2000))
        bench.ours.must("-i", spec, given=entries)
        for delay in (0.0, 0.01, 0.03, 0.1):
            with bench.session(spec, "--timeout", "2s") as session:
                same(session.ask("user00000")[0], "ok", "up")
                keys = [f"user{i % 2000:05}" for i in range(20000)]
                with open(bench.home / "keys", "w") as out:
                    out.write("".join(key + "\n" for key in keys))
                batch = subprocess.Popen([DICTUM, "get", "--json", spec, "-"], env=bench.env,
                                         stdin=open(bench.home / "keys"), stderr=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
                time.sleep(delay)
                server.kill()
                answers = [json.loads(line) for line in batch.communicate()[0].splitlines()]
                same(len(answers), len(keys), "answers")
                for key, answer in zip(keys, answers):
                    right = answer["status"] == "retry" or \
                        answer.get("value") == f"value of {key[4:]}"
                    check(right and answer["key"] == key, f"{key}: {answer}")
            server.start()
            bench.ours.must("-i", spec, given=entries)


def stopped_short():
    with world() as (bench, server), server.wire() as wire:
        wire.set(b"a", b"1")
        spec = bench.table(server, timeout=1)
        with bench.session(spec, "--timeout", "500ms") as session:
            same(session.ask("a"), ("ok", "1"), "up")
            server.hang()
            for _ in range(2):
                same(within(0.5, "a lookup", lambda: session.ask("a"))[0], "retry", "stopped")
            for words in (["get", spec, "b"], ["put", spec, "b", "2"], ["del", spec, "b"]):
                status = within(1, words[0], lambda words=words: bench.dictum(*words)[0])
                same(status, RETRY, words[0])
            server.resume()
            session.ask_until("a", ("ok", "1"))
        backed = bench.table(server, timeout=1, backup=bench.backup(b"a backup's\n"))
        server.hang()
        same(within(1, "with a backup", lambda: bench.dictum("get", backed, "a"))[:2],
             (OK, b"backup's\n"), "the backup answers")
        same(within(1, "a batch", lambda: bench.ours.run("-q", "-", backed, given=b"a\nb\n" * 999)
                    )[0], 0, "a batch waits once")


def stopped_in_a_large_batch(kind):
    """More keys than the system keeps for a server that does not read: it is waited for once."""
    with world(kind=kind) as (bench, server):
        spec = bench.table(server, timeout=1)
        asker = subprocess.Popen([program("large"), MODULE, spec], env=bench.env,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        same(asker.stdout.readline(), b"ready\n", "a first question")
        server.hang()
        out = within(1, "a batch", lambda: asker.communicate(b"\n")[0])
        same(out, b"retry 20000\n", "stopped")


def black_hole():
    with Bench() as bench, BlackHole() as hole:
        spec = bench.table(hole, timeout=1)
        same(within(1, "a lookup", lambda: bench.dictum("get", spec, "a")[0]), RETRY, "lookup")
        same(within(0.3, "a lookup", lambda: bench.dictum("get", "--timeout", "300ms", spec, "a")[0]
                    ), RETRY, "the deadline is nearer")
        same(within(1, "a put", lambda: bench.dictum("put", spec, "a", "1")[0]), RETRY, "put")


def full():
    """A cache that has no room drops what is old, or refuses: neither is an answer to mix up."""
    with world("-m", "1", "-I", "512k") as (bench, server):
        spec = bench.table(server)
        entries = b"".join(b"key%05d %s\n" % (i, b"x" * 8000) for i in range(20000))
        bench.ours.must("-i", spec, given=entries)
        same(bench.dictum("get", spec, "key00000")[0], ABSENT, "the oldest was dropped")
        same(bench.dictum("get", spec, "key19999")[0], OK, "the youngest is there")
    with world("-m", "1", "-I", "512k", "-M") as (bench, server):
        spec = bench.table(server)
        status, _, said = bench.ours.run("-i", spec, given=entries)
        check(status == 1 and any(b"reply" in line for line in said), f"{status} {said}")
        same(bench.dictum("get", spec, "key00000")[0], OK, "the oldest is there")
        same(bench.dictum("put", spec, "more", "x" * 8000)[0], RETRY, "no room")


ODD_REPLIES = [
    ("HTTP", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    ("redis", b"-ERR unknown command 'get'\r\n"),
    ("ERROR", b"ERROR\r\n"),
    ("CLIENT_ERROR", b"CLIENT_ERROR bad command line format\r\n"),
    ("SERVER_ERROR", b"SERVER_ERROR out of memory writing get response\r\n"),
    ("SERVER_ERROR of its own", b"SERVER_ERROR go away\r\n"),
    ("STORED", b"STORED\r\n"),
    ("another key", b"VALUE b 0 1\r\n1\r\nEND\r\n"),
    ("the key twice", b"VALUE a 0 1\r\n1\r\nVALUE a 0 1\r\n1\r\nEND\r\n"),
    ("an endless key", b"VALUE " + b"k" * 320 + b" 0 1\r\n1\r\nEND\r\n"),
    ("no length", b"VALUE a 0\r\n1\r\nEND\r\n"),
    ("a length beyond memory", b"VALUE a 0 9223372036854775807\r\n1\r\nEND\r\n"),
    ("a negative length", b"VALUE a 0 -1\r\n1\r\nEND\r\n"),
    ("an endless line", b"x" * 100000),
    ("binary", b"\x81\0\0\0" * 30),
    ("nothing", b""),
    ("half a line", b"VALUE a 0"),
    ("half a value", b"VALUE a 0 100\r\n12345"),
    ("no END", b"VALUE a 0 1\r\n1\r\n"),
]


def odd_replies():
    """None is taken for an answer. Where the key's value is whole, it may count."""
    with Bench() as bench:
        for what, reply in ODD_REPLIES:
            for reset in (False, True):
                with Odd(reply, reset=reset) as server:
                    spec = bench.table(server, timeout=1)
                    got, out, said = within(1, what, lambda s=spec: bench.dictum("get", s, "a"))
                    same((got, out), (RETRY, b""), f"{what}, reset {reset}: {said}")
                    got = bench.dictum("get", spec, "a", "c")[0]
                    same(got, RETRY, f"{what}, reset {reset}: two keys")
                    check(len(server.received) >= 2, f"{what}: one attempt more")
                    backed = bench.table(server, timeout=1, backup="static:backup's")
                    same(bench.dictum("get", backed, "c")[:2], (OK, b"backup's\n"), what)
        with Odd(b"220 mail.example ESMTP\r\n", speaks_first=True) as server:
            same(bench.dictum("get", bench.table(server), "a")[0], RETRY, "SMTP")
            same(bench.dictum("put", bench.table(server), "a", "1")[0], RETRY, "SMTP: put")
            same(bench.dictum("del", bench.table(server), "a")[0], RETRY, "SMTP: del")
        for what, reply in ODD_REPLIES[:7] + ODD_REPLIES[13:17]:
            if what == "STORED":
                continue
            with Odd(reply, reset=True) as server:
                spec = bench.table(server, timeout=1)
                same(bench.dictum("put", spec, "a", "1")[0], RETRY, f"{what}: put")
                same(bench.dictum("del", spec, "a")[0], RETRY, f"{what}: del")
        with Odd(b"ERROR\r\n") as server:
            bench.dictum("get", bench.table(server, max_try=1), "a")
            same(len(server.received), 1, "max_try = 1")


def a_hundred_servers():
    with world() as (bench, server):
        down = [f"inet:127.0.0.1:{n + 1}" for n in range(99)]
        spec = bench.table(server, *down, backup="static:backup's")
        same(bench.dictum("get", spec, *map(str, range(50)))[0], OK, "all have an answer")


def several_servers():
    with Bench() as bench, Memcached(bench.folder()) as one, \
            Memcached(bench.folder(), kind="unix") as two, Memcached(bench.folder()) as three:
        servers = (one, two, three)
        spec = bench.table(*servers)
        text = b"".join(b"user%04d value %d\n" % (i, i) for i in range(3000))
        given = b"".join(line.split(b" ")[0] + b"\n" for line in text.splitlines())
        bench.ours.must("-i", spec, given=text)
        same(bench.ours.must("-q", "-", spec, given=given).replace(b"\t", b" "), text, "all")
        counts = []
        for server in servers:
            with server.wire() as wire:
                counts.append(int(wire.stats()["curr_items"]))
        check(sum(counts) == 3000 and min(counts) > 300, f"spread: {counts}")
        two.kill()
        status, out, _ = bench.dictum("get", "--json", spec, "-", given=given)
        answers = [json.loads(line) for line in out.splitlines()]
        same(status, RETRY, "one is down")
        same([sum(a["status"] == s for a in answers) for s in ("ok", "retry", "notfound")],
             [counts[0] + counts[2], counts[1], 0], "answers")
        backed = bench.table(*servers, backup=bench.backup(text))
        out = bench.ours.must("-q", "-", backed, given=given)
        same(out.replace(b"\t", b" "), text, "with a backup")
        same(bench.dictum("put", backed, "user0000", "new")[0], OK, "put with a backup")
        # The others keep their keys when one is taken off the list, but for the ones that it had.
        fewer = bench.table(one, three)
        out = bench.dictum("get", "--json", fewer, "-", given=given)[1]
        kept = sum(json.loads(line)["status"] == "ok" for line in out.splitlines())
        check(kept >= counts[0] + counts[2] - 1, f"kept {kept} of {counts}")


SETTINGS = [
    ({"memcache": "foo"}, "need inet:host:port or unix:path"),
    ({"memcache": "localhost:11211"}, "need inet:host:port or unix:path"),
    ({"memcache": ""}, "names no server"),
    ({"memcache": "inet:localhost"}, "missing service"),
    ({"memcache": "inet:localhost:"}, "missing service"),
    ({"memcache": "inet:localhost:1x"}, "bad port"),
    ({"memcache": "inet:localhost:70000"}, "bad port"),
    ({"memcache": "inet::1"}, "bad host"),
    ({"memcache": "inet:[::1:1"}, "bad"),
    ({"memcache": "inet:/tmp/socket:1"}, "bad host"),
    ({"memcache": " ".join(f"inet:127.0.0.1:{n + 1}" for n in range(101))}, "more than 100"),
    ({"memcache": "unix:relative"}, "path"),
    ({"memcache": "unix:/" + "x" * 200}, "path"),
    ({"key_format": "%x"}, "Invalid query template"),
    ({"key_digest": "nosuch"}, "key digest nosuch is not available"),
    ({"backup": "nocolon"}, "nocolon"),
    ({"backup": "nosuch:type"}, "nosuch"),
    ({"ttl": "1h"}, "bad numerical configuration"),
    ({"max_try": "0"}, "invalid max_try parameter value 0 < 1"),
    ({"retry_pause": "0"}, "invalid retry_pause parameter value 0 < 1"),
    ({"data_size_limit": "0"}, "invalid data_size_limit parameter value 0 < 1"),
    ({"line_size_limit": "0"}, "invalid line_size_limit parameter value 0 < 1"),
    ({"timeout": "x"}, "bad numerical configuration"),
    ({"domain": "/nonexistent"}, "nonexistent"),
]


def settings():
    with Bench() as bench:
        for wrong, text in SETTINGS:
            spec = bench.table("inet:127.0.0.1:1", **wrong)
            status, _, said = bench.dictum("get", spec, "a")
            check(status in (CONFIG, INVALID, 64) and text in said, f"{wrong}: {status} {said}")
            same(bench.ours.run("-q", "a", spec)[0], 1, f"postmap {wrong}")


def crowd():
    """32 threads and a child on one table, while the server comes and goes."""
    with world() as (bench, server):
        spec = bench.table(server, timeout=1)
        entries = b"".join(b"user%05d@example.org mailbox of user%05d@example.org\n" % (i, i)
                           for i in range(1000))
        bench.ours.must("-i", spec, given=entries)
        seconds = int(os.environ.get("CROWD_SECONDS", "4"))
        members = subprocess.Popen([program("crowd"), MODULE, spec, "32", str(seconds)],
                                   env=bench.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while members.poll() is None:
            time.sleep(0.3)
            server.kill()
            server.start()
            bench.ours.must("-i", spec, given=entries)
            server.hang()
            time.sleep(0.1)
            server.resume()
        out = members.stdout.read().decode()
        same(members.returncode, 0, out)
        check(out.count(" found") == 2 and " 0 found" not in out, out)
        for line in out.splitlines():
            if "slowest" in line:
                check(int(line.split()[-2]) < 2000 + SLACK * 1000, line)


def cases():
    for kind in ("ipv4", "ipv6", "unix"):
        yield f"put, get and del over {kind}", lambda kind=kind: round_trip(kind)
    for kind in ("ipv4", "unix"):
        yield f"stopped in a large batch over {kind}", \
            lambda kind=kind: stopped_in_a_large_batch(kind)
    for function in (by_main_cf, duplicates, digests, same_answers, same_backup, same_when_down,
                     injections, value_injections, long_keys, long_values, backup_batches,
                     backup_changes, backup_fails, absent_from_the_start, killed_and_restarted,
                     killed_in_a_batch, stopped_short, black_hole, full, odd_replies,
                     several_servers, a_hundred_servers, settings, crowd):
        yield function.__name__.replace("_", " "), function


if __name__ == "__main__":
    require("memcached", THEIR_POSTMAP)
    run((name, function) for name, function in cases()
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:]))
