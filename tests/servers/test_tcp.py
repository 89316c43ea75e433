#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type tcp with small real servers: beside Postfix's, and through what servers can do."""

import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from peers import (ABSENT, CONFIG, OK, RETRY, Bench, Peer, crowd, crowd_result, read_line, reset,
                   scripted, serving, within)  # noqa: E402
from pair import THEIR_POSTMAP  # noqa: E402
from tap import check, require, run, same  # noqa: E402

TABLE = {b"a": b"one", b"b": b"two words", b"empty": b"", b"bytes": bytes(range(256)),
         b"sp ace": b"spaced", b"100%": b"percent", bytes(range(1, 10)): b"controls",
         b"\xc3\xa4\xff": b"high"}


def answer(question):
    key = urllib.parse.unquote_to_bytes(question[4:])
    if not question.startswith(b"get ") or key not in TABLE:
        return b"500 no such key\n"
    return b"200 " + urllib.parse.quote_from_bytes(TABLE[key]).encode() + b"\n"


def good(**more):
    return serving(read_line, answer, **more)


def answers(kind):
    with Bench() as bench, Peer(good(), kind) as peer:
        for key, value in TABLE.items():
            same(bench.dictum("get", "-0", f"tcp:{peer.tcp}", key)[:2],
                 (OK, key + b"\0" + value + b"\0"), key)
        for key in (b"A", b"absent", b"", b"100", b"a" * 100000):
            same(bench.dictum("get", f"tcp:{peer.tcp}", key)[:2], (ABSENT, b""), key[:9])


# What makes Postfix try ten times, a second apart, is in the recorded cases.
REPLIES = [b"200 v\n", b"200 v\r\n", b"200 \n", b"200\tv\n", b"200  v\n", b"299 v\n", b"500 no\n",
           b"555 \n", b"400 later\n", b"300 x\n", b"100 x\n", b"600 x\n", b"000 x\n", b"200\n",
           b"2000 v\n", b"20 v\n", b"abc v\n", b"\n", b"200 %\n", b"200 %4\n", b"200 %zz\n",
           b"200 %41%61%7e%7E\n", b"200 " + b"x" * 4091 + b"\n", b"500 %zz\n", b"2 0 v\n"]


def beside_postfix():
    for reply in REPLIES:
        with Bench() as bench, Peer(scripted(read_line, reply)) as peer:
            ours, theirs = (side.run("-q", "k", f"tcp:{peer.tcp}") for side in bench.sides)
            same(ours[:2], theirs[:2], f"{reply[:20]!r}: {ours[2]} {theirs[2]}")


def same_questions():
    """Both put the same bytes on the wire."""
    logs = []
    keys = [b"a", b"A b", b"100%", b"\xc3\xa4", b"t\tab", b"~!\x7f", b"", b"x" * 3000]
    with Bench() as bench:
        for side in bench.sides:
            logs.append([])
            with Peer(good(log=logs[-1])) as peer:
                side.run("-q", "-", f"tcp:{peer.tcp}", given=b"".join(k + b"\n" for k in keys))
    same(logs[0], logs[1], "questions")
    same(len(logs[0]), len(keys), "questions")


def same_batch():
    with Bench() as bench, Peer(good()) as peer:
        given = b"a\nA\nb\n\nsp ace\n100%\nabsent\n" * 50
        ours, theirs = (side.run("-q", "-", f"tcp:{peer.tcp}", given=given)
                        for side in bench.sides)
        same(ours, theirs, "batch")


def names():
    with Bench() as bench:
        for name in ("127.0.0.1:", "[::1]", "[::1", "::1:25", "[]:1"):
            status, out, said = bench.dictum("get", f"tcp:{name}", "k")
            same((status, out), (CONFIG, b""), f"{name}: {said}")
        for name in ("127.0.0.1:1", "[::1]:1", "localhost:1", "nohost.invalid:1"):
            status, _, said = within(5, name, lambda n=name: bench.dictum("get", f"tcp:{n}", "k"))
            check(status == RETRY and f"connect to TCP map {name}: " in said, f"{name}: {said}")


def cut(data):
    def serve(conn):
        with conn.makefile("rb") as file:
            read_line(file)
            conn.sendall(data)

    return serve


def stay(data, pause=0):
    def serve(conn):
        with conn.makefile("rb") as file:
            read_line(file)
            for i in range(len(data)):
                conn.sendall(data[i:i + 1])
                time.sleep(pause)
            file.read()

    return serve


def hang_up(conn):
    conn.recv(1)
    reset(conn)


def bad_servers():
    full = b"200 value\n"
    with Bench() as bench:
        for i in range(len(full)):
            with Peer(cut(full[:i])) as peer:
                status, out, said = bench.dictum("get", f"tcp:{peer.tcp}", "k")
                same((status, out, peer.connections), (RETRY, b"", 2), f"{i}: {said}")
        for what, serve in (("reset", hang_up), ("garbage", cut(b"\0\xff" * 5000)),
                            ("endless", cut(b"200 " + b"x" * 1000000)), ("silence", stay(b"")),
                            ("half", stay(full[:5])), ("trickle", stay(full, 1))):
            with Peer(serve) as peer:
                result = within(1, what, lambda: bench.dictum("get", "--timeout", "1s",
                                                              f"tcp:{peer.tcp}", "k"))
                same(result[:2], (RETRY, b""), f"{what}: {result[2]}")


def lost_connections():
    with Bench() as bench:
        with Peer(good(limit=1)) as peer:
            status, out, said = bench.dictum("get", f"tcp:{peer.tcp}", "-", given=b"a\nb\n" * 20)
            same((status, out), (OK, b"a\tone\nb\ttwo words\n" * 20), said)
        with Peer(good()) as peer, bench.session(f"tcp:{peer.tcp}") as session:
            for _ in range(5):
                same(session.ask("a"), ("ok", "one"), "after the connection ended")
                peer.drop()
                time.sleep(0.05)


def restarted():
    """A server that goes and comes back."""
    with Bench() as bench:
        with Peer(good()) as peer:
            port = peer.address[1]
        with bench.session(f"tcp:127.0.0.1:{port}") as session:
            same(session.ask("a")[0], "retry", "down")
            with Peer(good(), port=port):
                session.ask_until("a", ("ok", "one"))


def after_a_failure():
    """The connection of a "4xx" is not used again; the next key is asked for on a new one."""
    with Bench() as bench, \
            Peer(scripted(read_line, b"400 later\n", b"200 x\n")) as peer:
        _, out, _ = bench.dictum("get", f"tcp:{peer.tcp}", "-", given=b"a\nb\nc\n")
        same((out, peer.connections), (b"b\tx\nc\tx\n", 2), "answers and connections")


def batches():
    given = b"a\nb\nabsent\nempty\n" * 100
    wanted = b"a\tone\nb\ttwo words\nempty\t\n" * 100
    log = []
    with Bench("tcp_pipeline = 50\n") as bench, Peer(good(pause=0.002, log=log)) as peer:
        same(bench.dictum("get", f"tcp:{peer.tcp}", "-", given=given)[:2], (ABSENT, wanted), "batch")
        same(log, [b"get " + k for k in given.splitlines()], "each once, in order")
    for limit in (1, 49, 50):
        with Bench("tcp_pipeline = 50\n") as bench, Peer(good(limit=limit)) as peer:
            same(bench.dictum("get", f"tcp:{peer.tcp}", "-", given=given)[:2], (ABSENT, wanted),
                 f"the connection ends after {limit} answers")


def answers_unasked():
    """To one question, two: the second is no answer to the next, in a batch neither."""
    def twice(question):
        key = question[4:]
        return b"200 for-" + key + b"\n" + (b"200 unasked\n" if key == b"k1" else b"")

    with Bench() as bench, Peer(serving(read_line, twice)) as peer:
        ours, theirs = (side.run("-q", "-", f"tcp:{peer.tcp}", given=b"k1\nk2\nk3\n")
                        for side in bench.sides)
        same(ours, theirs, "batch")
        same(ours[1], b"k1\tfor-k1\nk2\tfor-k2\nk3\tfor-k3\n", "batch")


def threads():
    def mailbox(question):
        return b"200 mailbox of " + question[4:] + b"\n"

    with Bench() as bench, Peer(serving(read_line, mailbox)) as peer:
        asking = crowd(f"tcp:{peer.tcp}", "dictum_net.so", bench.env)
        time.sleep(0.7)
        peer.drop()
        crowd_result(asking)


CASES = [
    ("answers over IPv4", lambda: answers("ipv4")),
    ("answers over IPv6", lambda: answers("ipv6")),
    ("beside Postfix: each kind of answer", beside_postfix),
    ("beside Postfix: what is asked", same_questions),
    ("beside Postfix: a batch", same_batch),
    ("names that make no sense, and servers that are not there", names),
    ("servers that break off, keep silent or talk nonsense", bad_servers),
    ("connections that are lost", lost_connections),
    ("a server that comes back", restarted),
    ("a new connection after a failure", after_a_failure),
    ("batches with many questions under way", batches),
    ("answers that nobody asked for", answers_unasked),
    ("32 threads and a child process", threads),
]

if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(CASES)
