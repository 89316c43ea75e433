#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type redis with a real redis-server, and through what can happen to one."""

import contextlib
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from peers import (ABSENT, CONFIG, INVALID, OK, RETRY, Bench, Peer, crowd, crowd_result, reset,
                   within)  # noqa: E402
from daemon import free_port  # noqa: E402
from redis import PROGRAM, Redis, RedisError  # noqa: E402
from tap import check, require, run, same  # noqa: E402


class RedisBench(Bench):
    """Tables by their settings."""

    def __init__(self, settings=""):
        super().__init__(settings)
        self.count = 0

    def table(self, *hosts, **settings):
        """@return the spec of a table in these servers"""
        self.count += 1
        path = self.home / f"table{self.count}.cf"
        settings = {"hosts": " ".join(getattr(h, "setting", h) for h in hosts)} | settings
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        return f"redis:{path}"


@contextlib.contextmanager
def world(*options, kind="ipv4"):
    with RedisBench() as bench, \
            Redis(tempfile.mkdtemp(dir=bench.home), *options, kind=kind) as server:
        yield bench, server


# ---- what works ------------------------------------------------------------------------------


def round_trip(kind):
    with world(kind=kind) as (bench, server), server.wire() as wire:
        spec = bench.table(server, key_format="m:%s", ttl="77s")
        same(bench.dictum("get", spec, "a")[0], ABSENT, "before")
        same(bench.dictum("put", spec, "A", "one two")[0], OK, "put")
        same(wire("GET", "m:a"), b"one two", "value")
        check(70 <= wire("TTL", "m:a") <= 77, "time to live")
        same(bench.dictum("get", spec, "a")[1], b"one two\n", "get")
        same(bench.dictum("get", "-0", spec, "-", given=b"a\0b\0A\0")[1],
             b"a\0one two\0A\0one two\0", "batch")
        same(bench.dictum("del", spec, "a")[0], OK, "del")
        same(wire("GET", "m:a"), None, "gone")
        same(bench.dictum("del", spec, "a")[0], ABSENT, "del again")


def by_main_cf():
    with tempfile.TemporaryDirectory() as folder, Redis(folder) as server, \
            RedisBench(f"mine_hosts = {server.setting}\nmine_key_format = x-%s\n") as bench, \
            server.wire() as wire:
        wire("SET", "x-a", "1")
        same(bench.ours.must("-q", "a", "redis:mine"), b"1\n", "postmap")


def kinds():
    with world() as (bench, server), server.wire() as wire:
        wire("SADD", "s", "c", "a", "b,", "")
        wire("RPUSH", "l", "z", "a", "z", "")
        wire("HSET", "h", "f", "field", "e", "")
        wire("SET", "plain", "x")
        as_set, as_list = (bench.table(server, kind=k) for k in ("set", "list"))
        same(bench.dictum("get", as_set, "s")[1], b"a,b,,c\n", "set")
        same(bench.dictum("get", as_list, "l")[1], b"z,a,z\n", "list")
        for spec in (as_set, as_list):
            same(bench.dictum("get", spec, "none")[0], ABSENT, "no key")
            same(bench.dictum("get", spec, "plain")[0], RETRY, "wrong type")
            check(bench.dictum("put", spec, "s", "x")[0] not in (OK, RETRY), "put")
            check(bench.dictum("list", spec)[0] not in (OK, RETRY), "list")
        fields = bench.table(server, hash="h", key_format="%s")
        same(bench.dictum("get", fields, "f")[1], b"field\n", "field")
        same(bench.dictum("get", fields, "e")[:2], (OK, b"\n"), "empty field")
        same(bench.dictum("get", fields, "g")[0], ABSENT, "no field")
        same(bench.dictum("put", fields, "g", "new")[0], OK, "put")
        same(wire("HGET", "h", "g"), b"new", "stored")
        same(bench.dictum("del", fields, "f")[0], OK, "del")
        same(bench.dictum("del", fields, "f")[0], ABSENT, "del again")
        same(sorted(bench.dictum("list", fields)[1].splitlines()), [b"e\t", b"g\tnew"], "list")
        limited = bench.table(server, kind="list", expansion_limit=2)
        status, _, said = bench.dictum("get", limited, "l")
        check(status == RETRY and "Expansion limit exceeded" in said, said)


def formats():
    with world() as (bench, server), server.wire() as wire:
        wire("SET", "u/d.example/example", "box@other.example")
        wire("SET", "u/d.example/com", "box")
        wire("RPUSH", "l", "x@a", "y", "z@b")
        spec = bench.table(server, key_format="%u/%d/%1", result_format="%d-%S")
        same(bench.dictum("get", spec, "U@D.example")[1], b"other.example-u@d.example\n", "formed")
        for key in ("u", "@d.example", "u@", ""):
            same(bench.dictum("get", spec, key)[:2], (ABSENT, b""), key)
            same(bench.dictum("put", spec, key, "x")[0] in (INVALID, ABSENT), True, f"put {key!r}")
        values = bench.table(server, kind="list", result_format="%u")
        same(bench.dictum("get", values, "l")[1], b"x,y,z\n", "parts of values")
        domains = bench.table(server, domain="d.example", key_format="%u/%d/com")
        same(bench.dictum("get", domains, "u@d.example")[1], b"box\n", "in the domain")
        wire("SET", "u/e.example/com", "box")
        same(bench.dictum("get", domains, "u@e.example")[0], ABSENT, "not in the domain")
        for settings in ({"key_format": "%x"}, {"result_format": "%"}, {"kind": "zset"},
                         {"kind": "set", "hash": "h"}, {"hosts": "::1:1"}, {"hosts": ","},
                         {"database": "-1"}, {"ttl": "soon"}, {"password_file": "/nonexistent"}):
            hosts = [] if "hosts" in settings else [server]
            same(bench.dictum("get", bench.table(*hosts, **settings), "k")[0], CONFIG, settings)


def unsuitable_values():
    with world() as (bench, server), server.wire() as wire:
        wire("SET", "a", "box")
        wire("SET", "b", "box@other.example")
        spec = bench.table(server, result_format="%d")
        same(bench.dictum("get", spec, "a")[0], ABSENT, "suppressed")
        same(bench.dictum("get", spec, "b")[1], b"other.example\n", "kept")


def any_bytes():
    with world() as (bench, server), server.wire() as wire:
        spec = bench.table(server)
        for key in (b"a\r\nFLUSHALL", b"*1\r\n$8\r\nFLUSHALL\r\n", b"\xff\xfe", b"a b", b"%s", b"\t"):
            entry = key + b"\0value\r\nof it\0"
            same(bench.dictum("put", "-0", "--no-utf8", spec, "-", given=entry)[0], OK, key)
            same(wire("GET", key.lower()), b"value\r\nof it", key)
            same(bench.dictum("get", "-0", "--no-utf8", spec, "-", given=key + b"\0")[1], entry, key)
        same(wire("DBSIZE"), 6, "keys")


def duplicates():
    with world() as (bench, server):
        for spec in (bench.table(server), bench.table(server, hash="h")):
            bench.dictum("put", spec, "a", "old")
            for how, value in (("refuse", b"old\n"), ("ignore", b"old\n"), ("replace", b"new\n")):
                bench.dictum("put", "--duplicates", how, spec, "a", "new")
                same(bench.dictum("get", spec, "a")[1], value, how)


def lists():
    with world() as (bench, server), server.wire() as wire:
        special = "p*[x]?\\^:"
        spec = bench.table(server, key_format=special + "%s")
        given = "".join(f"k{i} value {i}\n" for i in range(5000)).encode()
        same(bench.dictum("put", spec, "-", given=given)[0], OK, "put")
        for i in range(500):
            wire("SET", f"pq[x]?\\^:{i}", "not ours")
        wire("SADD", special + "set", "no string")
        found = bench.dictum("list", spec)[1].splitlines()
        same(set(found), {f"k{i}\tvalue {i}".encode() for i in range(5000)}, "all entries")
        same(bench.dictum("list", bench.table(server, key_format="%u@%d"))[0] not in (OK, RETRY),
             True, "no list where the key is not the end")


# ---- what goes wrong -------------------------------------------------------------------------


def absent():
    with RedisBench() as bench:
        for host in (f"127.0.0.1:{free_port()}", "[::1]:1", "unix:/nonexistent", "nohost.invalid"):
            status, out, said = within(5, host, lambda h=host: bench.dictum(
                "get", bench.table(h), "k"))
            check((status, out) == (RETRY, b"") and "connect to redis server" in said,
                  f"{host}: {status} {said}")


def several():
    """The second server answers when the first is not there."""
    with world() as (bench, server), server.wire() as wire:
        wire("SET", "a", "1")
        spec = bench.table(f"127.0.0.1:{free_port()}", server)
        same(bench.dictum("get", spec, "a")[1], b"1\n", "get")
        silent = Peer(lambda conn: time.sleep(60))
        with silent:
            spec = bench.table("unix:/nonexistent", server, silent.tcp)
            same(bench.dictum("get", spec, "a")[1], b"1\n", "get")


def outages():
    with world() as (bench, server):
        spec = bench.table(server, timeout="2s")

        def fill():
            with server.wire() as wire:
                wire("SET", "a", "1")

        fill()
        with bench.session(spec) as session:
            same(session.ask("a"), ("ok", "1"), "at first")
            server.restart()
            fill()
            same(session.ask("a"), ("ok", "1"), "restarted, and nobody noticed")
            server.kill()
            same(within(2, "killed", lambda: session.ask("a"))[0], "retry", "killed")
            server.start()
            fill()
            session.ask_until("a", ("ok", "1"))
            server.hang()
            same(within(2, "hangs", lambda: session.ask("a"))[0], "retry", "it hangs")
            server.resume()
            session.ask_until("a", ("ok", "1"))
            same(session.ask("b"), ("notfound", None), "absent")


def passwords():
    with world("--requirepass", "secret") as (bench, server):
        secret = bench.home / "secret"
        secret.write_text("secret\nignored\n")
        secret.chmod(0o600)
        with server.wire() as wire:
            wire("AUTH", "secret")
            wire("ACL", "SETUSER", "carol", "on", ">code", "~c:*", "+get")
            wire("SET", "a", "1")
            wire("SET", "c:a", "2")
        same(bench.dictum("get", bench.table(server), "a")[0], CONFIG, "no password")
        same(bench.dictum("get", bench.table(server, password="wrong"), "a")[0], CONFIG, "wrong")
        same(bench.dictum("get", bench.table(server, password="secret"), "a")[1], b"1\n", "right")
        same(bench.dictum("get", bench.table(server, password_file=secret), "a")[1], b"1\n", "file")
        carol = {"user": "carol", "password": "code"}
        same(bench.dictum("get", bench.table(server, key_format="c:%s", **carol), "a")[1], b"2\n",
             "user")
        same(bench.dictum("get", bench.table(server, **carol), "a")[0], CONFIG, "no permission")
        bench.env["CREDENTIALS_DIRECTORY"] = str(bench.home)
        same(bench.dictum("get", bench.table(server, password_file="secret"), "a")[1], b"1\n",
             "credential")
        del bench.env["CREDENTIALS_DIRECTORY"]
        same(bench.dictum("get", bench.table(server, password_file="secret"), "a")[0], CONFIG,
             "no credentials")
        secret.chmod(0o644)
        check("may be used by anybody" in
              bench.dictum("get", bench.table(server, password_file=secret), "a")[2], "warning")
    with world() as (bench, server):
        same(bench.dictum("get", bench.table(server, password="x"), "a")[0], CONFIG,
             "a password where there is none")


def databases():
    with world() as (bench, server), server.wire() as wire:
        wire("SELECT", "3")
        wire("SET", "a", "three")
        same(bench.dictum("get", bench.table(server, database=3), "a")[1], b"three\n", "third")
        same(bench.dictum("get", bench.table(server), "a")[0], ABSENT, "first")
        same(bench.dictum("get", bench.table(server, database=99), "a")[0], CONFIG, "no such")


def full():
    with world("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as (bench, server):
        spec = bench.table(server)
        with contextlib.suppress(RedisError), server.wire() as wire:
            for i in range(10000):
                wire("SET", f"filler{i}", "x" * 1000)
        status, _, said = bench.dictum("put", spec, "a", "x" * 100000)
        check(status == RETRY and "OOM" in said, f"{status} {said}")
        same(bench.dictum("get", spec, "a")[0], ABSENT, "questions are answered")


def wrong_type():
    with world() as (bench, server), server.wire() as wire:
        wire("SADD", "s", "x")
        wire("SET", "a", "1")
        with bench.session(bench.table(server)) as session:
            same(session.ask("s")[0], "retry", "a set")
            same(session.ask("a"), ("ok", "1"), "others are answered")
        _, out, _ = bench.dictum("get", bench.table(server), "-", given=b"a\ns\na\n")
        same(out, b"a\t1\na\t1\n", "in a batch")


def busy():
    """A server in the middle of a script, a replica that takes no changes, one without room."""
    with world("--busy-reply-threshold", "50") as (bench, server):
        spec = bench.table(server)

        def loop():
            with contextlib.suppress(OSError, RedisError), server.wire() as wire:
                wire("EVAL", "while true do end", "0")

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        time.sleep(0.5)
        status, _, said = bench.dictum("get", spec, "a")
        check(status == RETRY and "BUSY" in said, f"{status} {said}")
        with server.wire() as wire:
            wire("SCRIPT", "KILL")
        thread.join(20)
        with server.wire() as wire:
            wire("REPLICAOF", "127.0.0.1", str(free_port()))
        status, _, said = bench.dictum("put", spec, "a", "1")
        check(status == RETRY and "READONLY" in said, f"{status} {said}")
        with server.wire() as wire:
            wire("CONFIG", "SET", "replica-serve-stale-data", "no")
        status, _, said = bench.dictum("get", spec, "a")
        check(status == RETRY and "MASTERDOWN" in said, f"{status} {said}")
        with server.wire() as wire:
            wire("CONFIG", "SET", "replica-serve-stale-data", "yes")
            wire("CONFIG", "SET", "maxclients", "1")
            status, _, said = bench.dictum("get", spec, "a")
            check(status == RETRY, f"{status} {said}")


def other_servers():
    """What listens there may be something else, or out of its mind."""

    def saying(data):
        def serve(conn):
            conn.recv(65536)
            conn.sendall(data)
            conn.recv(65536)

        return serve

    cases = [("silence", lambda conn: time.sleep(30)), ("end", lambda conn: None),
             ("reset", reset), ("http", saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
             ("half", saying(b"$5\r\nab")), ("huge", saying(b"$999999999999\r\n")),
             ("many", saying(b"*1000000000\r\n")), ("deep", saying(b"*1\r\n" * 100000)),
             ("endless", saying(b"+" + b"x" * 2000000)), ("number", saying(b":5\r\n")),
             ("array", saying(b"*1\r\n$1\r\na\r\n")), ("moved", saying(b"-MOVED 1 1.2.3.4:5\r\n"))]
    with RedisBench() as bench:
        for what, serve in cases:
            with Peer(serve) as peer:
                spec = bench.table(peer.tcp, timeout="1s", reply_size_limit=100000)
                status, out, said = within(1, what, lambda s=spec: bench.dictum("get", s, "k"))
                same((status, out), (CONFIG if what == "moved" else RETRY, b""), f"{what}: {said}")


def threads():
    with world() as (bench, server):

        def fill():
            with server.wire() as wire:
                for i in range(1000):
                    wire("SET", f"user{i:05}@example.org", f"mailbox of user{i:05}@example.org")

        fill()
        spec = bench.table(server)
        asking = crowd(spec, "dictum_redis.so", bench.env, seconds=4)
        time.sleep(1)
        server.kill()
        time.sleep(0.3)
        server.start()
        fill()
        crowd_result(asking)


def unknown_password_command():
    """What came with it is repeated by such a server."""
    with world("--requirepass", "s3cr3t", "--rename-command", "AUTH", "") as (bench, server):
        status, _, said = bench.dictum("get", bench.table(server, password="s3cr3t"), "a")
        same(status, CONFIG, "status")
        check("unknown command" in said and "s3cr3t" not in said, said)


def one_key_fails():
    """A key of the wrong type is no reason to leave the others alone."""
    with world() as (bench, server), server.wire() as wire:
        wire("SET", "good", "1")
        wire("LPUSH", "bad", "1")
        with bench.session(bench.table(server)) as session:
            for _ in range(5):
                same(session.ask("bad")[0], "retry", "wrong type")
            same(session.ask("good"), ("ok", "1"), "another key")


def after_fork():
    """A child's connections are its own: counted by the server."""
    with world() as (bench, server), server.wire() as wire:
        for i in range(1000):
            wire("SET", f"user{i:05}@example.org", f"mailbox of user{i:05}@example.org")
        crowd_result(crowd(bench.table(server), "dictum_redis.so", bench.env, threads=1, seconds=1))
        info = dict(line.split(b":", 1) for line in wire("INFO").splitlines() if b":" in line)
        check(3 <= int(info[b"total_connections_received"]) <= 20, info[b"total_connections_received"])


CASES = [
    ("round trip over IPv4", lambda: round_trip("ipv4")),
    ("round trip over IPv6", lambda: round_trip("ipv6")),
    ("round trip over a Unix socket", lambda: round_trip("unix")),
    ("settings in main.cf", by_main_cf),
    ("strings, sets, lists, hashes", kinds),
    ("formats and domains", formats),
    ("values that do not fit the format", unsuitable_values),
    ("any bytes in keys and values", any_bytes),
    ("duplicates", duplicates),
    ("lists", lists),
    ("no server", absent),
    ("several servers", several),
    ("a server that goes, hangs and comes back", outages),
    ("passwords", passwords),
    ("a server that does not know AUTH", unknown_password_command),
    ("a key that fails takes no other with it", one_key_fails),
    ("databases", databases),
    ("a server that is full", full),
    ("a key of the wrong type", wrong_type),
    ("a server that is busy, a replica, or crowded", busy),
    ("servers of another kind, or out of their mind", other_servers),
    ("32 threads and a child process, through a kill", threads),
    ("a child has connections of its own", after_fork),
]

if __name__ == "__main__":
    require(PROGRAM)
    run(CASES)
