#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type socketmap with small real servers: beside Postfix's, and through what servers can do."""

import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from peers import (ABSENT, CONFIG, OK, RETRY, Bench, Peer, crowd, crowd_result, netstring,
                   read_netstring, reset, scripted, serving, within)  # noqa: E402
from pair import THEIR_POSTMAP  # noqa: E402
from tap import check, require, run, same  # noqa: E402

TABLE = {b"a": b"one", b"b": b"two words", b"empty": b"", b"bytes": bytes(range(256)),
         b"long": b"x" * 99000, b"sp ace": b"spaced", bytes(range(1, 10)): b"controls"}


def answer(question):
    name, _, key = question.partition(b" ")
    if name != b"m":
        return netstring(b"PERM no such map")
    return netstring(b"OK " + TABLE[key] if key in TABLE else b"NOTFOUND ")


def good(**more):
    return serving(read_netstring, answer, **more)


def answers(kind):
    with Bench() as bench, Peer(good(), kind, bench.home) as peer:
        spec = f"socketmap:{peer.service}:m"
        for key, value in TABLE.items():
            same(bench.dictum("get", "-0", spec, key)[:2], (OK, key + b"\0" + value + b"\0"), key)
        for key in (b"A", b"absent", b""):
            same(bench.dictum("get", spec, key)[:2], (ABSENT, b""), key)
        same(bench.dictum("get", f"socketmap:{peer.service}:other", "a")[0], CONFIG, "other map")


REPLIES = [b"OK x", b"OK ", b"OK", b"NOTFOUND", b"NOTFOUND x", b"TEMP t", b"TIMEOUT t", b"PERM p",
           b"ok x", b"OK\tx", b"", b" ", b"OK  x", b"OK \xff"]
WIRE = [b"hello", b"100001:", b"4:OK x;", b"04:OK x,", b":,", b"4;OK x,", b"-4:OK x,", b" 4:OK x,"]


def beside_postfix():
    """The same status and output for every kind of answer."""
    for reply in [netstring(r) for r in REPLIES] + WIRE:
        with Bench() as bench, Peer(scripted(read_netstring, reply)) as peer:
            spec = f"socketmap:{peer.service}:m"
            ours, theirs = (side.run("-q", "k", spec) for side in bench.sides)
            same(ours[:2], theirs[:2], f"{reply!r}: {ours[2]} {theirs[2]}")


def same_batch():
    with Bench() as bench, Peer(good()) as peer:
        spec = f"socketmap:{peer.service}:m"
        given = b"".join(k + b"\n" for k in [b"a", b"A", b"b", b"", b"sp ace", b"absent"] * 50)
        ours, theirs = (side.run("-q", "-", spec, given=given) for side in bench.sides)
        same(ours, theirs, "batch")


def names():
    with Bench() as bench:
        for name in ("foo", "foo:x:m", "inet:x", "inet::m", "unix::m", "inet:a:b:c:m",
                     "unix:" + "x" * 200 + ":m"):
            status, out, said = bench.dictum("get", f"socketmap:{name}", "k")
            same((status, out), (CONFIG, b""), f"{name}: {said}")


def lost_connections():
    with Bench() as bench:
        for limit in (1, 3):
            with Peer(good(limit=limit)) as peer:
                spec = f"socketmap:{peer.service}:m"
                given = b"a\nb\n" * 20
                status, out, said = bench.dictum("get", spec, "-", given=given)
                same((status, out, said), (OK, b"a\tone\nb\ttwo words\n" * 20, ""), limit)
        for replies, status in (([None, netstring(b"OK x")], OK), ([None], RETRY)):
            with Peer(scripted(read_netstring, *replies)) as peer:
                same(bench.dictum("get", f"socketmap:{peer.service}:m", "k")[0], status, replies)
                same(peer.connections, 2, "connections")
        with Peer(good()) as peer, bench.session(f"socketmap:{peer.service}:m") as session:
            for _ in range(5):
                same(session.ask("a"), ("ok", "one"), "after the connection ended")
                peer.drop()
                time.sleep(0.05)


def cut(data):
    """Sends @p data in place of an answer and ends the connection."""

    def serve(conn):
        with conn.makefile("rb") as file:
            read_netstring(file)
            conn.sendall(data)

    return serve


def stay(data, pause=0):
    """The same, byte by byte, and stays."""

    def serve(conn):
        with conn.makefile("rb") as file:
            read_netstring(file)
            for i in range(len(data)):
                conn.sendall(data[i:i + 1])
                time.sleep(pause)
            file.read()

    return serve


def hang_up(conn):
    conn.recv(1)
    reset(conn)


def bad_servers():
    full = netstring(b"OK value")
    with Bench() as bench:
        for i in range(len(full)):
            with Peer(cut(full[:i])) as peer:
                same(bench.dictum("get", f"socketmap:{peer.service}:m", "k")[:2], (RETRY, b""), i)
        for what, serve in (("reset", hang_up), ("garbage", cut(b"\0\xff" * 5000)),
                            ("huge", stay(b"9" * 50)), ("endless", stay(b"100001:" + b"x" * 50)),
                            ("http", cut(b"HTTP/1.1 400 Bad Request\r\n\r\n"))):
            with Peer(serve) as peer:
                result = within(1, what, lambda: bench.dictum(
                    "get", "--timeout", "1s", f"socketmap:{peer.service}:m", "k"))
                same(result[:2], (RETRY, b""), f"{what}: {result[2]}")


def silence():
    """A call never takes longer than it may, however the server dawdles."""
    full = netstring(b"OK value")
    with Bench() as bench:
        for what, serve in (("silence", stay(b"")), ("half", stay(full[:5])),
                            ("trickle", stay(full, 1))):
            with Peer(serve) as peer:
                result = within(1, what, lambda: bench.dictum(
                    "get", "--timeout", "1s", f"socketmap:{peer.service}:m", "k"))
                same(result[:2], (RETRY, b""), f"{what}: {result[2]}")
        with Bench("socketmap_pipeline = 100\n") as many, Peer(good(pause=0.3)) as peer:
            result = within(2, "slow answers", lambda: many.dictum(
                "get", "--timeout", "1s", f"socketmap:{peer.service}:m", "-",
                given=b"a\n" * 1000))
            same(result[0], RETRY, "each in time, all of them not")
        with Peer(stay(full, 0.02)) as peer:
            same(bench.dictum("get", f"socketmap:{peer.service}:m", "k")[:2], (OK, b"value\n"),
                 "slow, but in time")


def answers_nobody_asked_for():
    """Once they have come, they are not taken for the answer to the next question."""
    said = threading.Semaphore(0)

    def serve(conn):
        with conn.makefile("rb") as file:
            while (question := read_netstring(file)) is not None:
                conn.sendall(netstring(b"OK " + question) + netstring(b"OK wrong"))
                said.release()

    def late(conn):
        with conn.makefile("rb") as file:
            while (question := read_netstring(file)) is not None:
                conn.sendall(netstring(b"OK " + question))
                time.sleep(0.02)
                conn.sendall(netstring(b"OK wrong"))
                said.release()

    for server in (serve, late):
        with Bench() as bench, Peer(server) as peer, \
                bench.session(f"socketmap:{peer.service}:m") as session:
            for i in range(20):
                same(session.ask(f"k{i}"), ("ok", f"m k{i}"), "answer")
                said.acquire()


def limits():
    with Bench("socketmap_max_reply_size = 11\nsocketmap_max_query_size = 5\n") as bench, \
            Peer(good()) as peer:
        spec = f"socketmap:{peer.service}:m"
        same(bench.dictum("get", spec, "a")[:2], (OK, b"one\n"), "short")
        same(bench.dictum("get", spec, "b")[0], RETRY, "long answer")
        status, _, said = bench.dictum("get", spec, "123456")
        check(status == ABSENT and "query too large" in said, said)


def idle_connections():
    with Bench("ipc_idle = 1s\n") as bench, Peer(good()) as peer, \
            bench.session(f"socketmap:{peer.service}:m") as session:
        for _ in range(3):
            same(session.ask("a"), ("ok", "one"), "answer")
        same(peer.connections, 1, "one connection is used again")
        time.sleep(1.3)
        same(session.ask("a"), ("ok", "one"), "answer")
        same(peer.connections, 2, "one that was idle for too long is not")


def drops_read_ahead(conn):
    """What is read behind a question is lost, as with servers built on Postfix's own library."""
    while data := conn.recv(65536):
        head, _, rest = data.partition(b":")
        conn.sendall(answer(rest[:int(head)]))


def batches():
    keys = ["a", "b", "absent", "empty"] * 100
    given = "".join(k + "\n" for k in keys).encode()
    wanted = b"a\tone\nb\ttwo words\nempty\t\n" * 100
    with Bench() as bench, Peer(drops_read_ahead) as peer:
        result = bench.dictum("get", f"socketmap:{peer.service}:m", "-", given=given)
        same(result[:2], (ABSENT, wanted), "one question at a time")
        same(peer.connections, 1, "connections")
    log = []
    with Bench("socketmap_pipeline = 64\n") as bench, Peer(good(pause=0.002, log=log)) as peer:
        spec = f"socketmap:{peer.service}:m"
        result = bench.dictum("get", spec, "-", given=given)
        same(result[:2], (ABSENT, wanted), "many under way, a slow server that reads one at a time")
        same(log, [f"m {k}".encode() for k in keys], "each question once, in order")
    for limit in (1, 7, 64, 65):
        with Bench("socketmap_pipeline = 64\n") as bench, Peer(good(limit=limit)) as peer:
            result = bench.dictum("get", f"socketmap:{peer.service}:m", "-", given=given)
            same(result[:2], (ABSENT, wanted), f"the connection ends after {limit} answers")


def large_batch():
    """More than the buffers between both hold, in both directions."""
    given = b"".join(b"%d%s\n" % (i, b"k" * 9000) for i in range(500))

    def serve(conn):
        with conn.makefile("rb") as file:
            while (question := read_netstring(file)) is not None:
                conn.sendall(netstring(b"OK " + question[2:10] + b"v" * 50000))

    with Bench("socketmap_pipeline = 10000\n") as bench, Peer(serve) as peer:
        status, out, said = bench.dictum("get", "--timeout", "2m", f"socketmap:{peer.service}:m",
                                         "-", given=given)
        same((status, len(out.splitlines())), (OK, 500), said)


def mixed_batch():
    """A failure of one key is that key's."""

    def some(question):
        return netstring({b"m t": b"TEMP t", b"m p": b"PERM p"}.get(question, b"OK v"))

    with Bench() as bench, Peer(serving(read_netstring, some)) as peer:
        status, out, _ = bench.dictum("get", f"socketmap:{peer.service}:m", "-",
                                      given=b"a\nt\nb\np\nc\n")
        same(out, b"a\tv\nb\tv\nc\tv\n", "the others are found")
        check(status in (RETRY, CONFIG), f"status {status}")


def mailbox(question):
    return netstring(b"OK mailbox of " + question[2:])


def threads():
    with Bench() as bench, Peer(serving(read_netstring, mailbox), "unix", bench.home) as peer:
        asking = crowd(f"socketmap:{peer.service}:m", "dictum_net.so", bench.env)
        time.sleep(0.7)
        peer.drop()
        crowd_result(asking)


CASES = [
    ("answers over IPv4", lambda: answers("ipv4")),
    ("answers over IPv6", lambda: answers("ipv6")),
    ("answers over a Unix socket", lambda: answers("unix")),
    ("beside Postfix: each kind of answer", beside_postfix),
    ("beside Postfix: a batch", same_batch),
    ("names that make no sense", names),
    ("connections that are lost", lost_connections),
    ("servers that break off, reset or talk nonsense", bad_servers),
    ("servers that keep silent", silence),
    ("answers that nobody asked for", answers_nobody_asked_for),
    ("limits of size", limits),
    ("connections that are idle", idle_connections),
    ("batches, one by one and many under way", batches),
    ("a batch larger than all buffers", large_batch),
    ("a batch in which some keys fail", mixed_batch),
    ("32 threads and a child process", threads),
]

if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(CASES)
