#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Host names: no table waits for a name server longer than it was told, and all addresses count."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from memcached import Memcached  # noqa: E402
from peers import OK, RETRY, Bench, Peer, read_line, serving, within  # noqa: E402
from redis import Redis  # noqa: E402
from tap import check, run, same  # noqa: E402

LIMIT = 0.4  # seconds

# What a table of each type needs; @ is where a name goes. None: the spec says it all.
TABLES = {
    "tcp": None,
    "socketmap": None,
    "memcache": "memcache = inet:@:1\n",
    "redis": "hosts = @:1\n",
    "pgsql": "hosts = @:1\nuser = x\ndbname = x\nquery = SELECT '%s'\n",
    "mysql": "hosts = inet:@:1\nuser = x\ndbname = x\nquery = SELECT '%s'\n",
    "ldap": "server_host = ldap://@:1\nsearch_base = dc=x\nquery_filter = (cn=%s)\n"
            "result_attribute = mail\nbind = no\n",
    "mongodb": "uri = mongodb://@:1\ndbname = x\ncollection = x\n"
               'query_filter = {"a": "%s"}\nresult_attribute = b\n',
}


def preload():
    folder = pathlib.Path(os.environ["TOP_BUILDDIR"]) / "tests/.libs"
    library = folder / "slow_names.so"
    check(library.exists(), f"{library} was not built")
    return str(library)


def bench_with_names():
    bench = Bench()
    bench.env = dict(bench.env, LD_PRELOAD=preload(),
                     ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    return bench


def table(bench, kind, name):
    if kind == "tcp":
        return f"tcp:{name}:1"
    if kind == "socketmap":
        return f"socketmap:inet:{name}:1:map"
    path = bench.home / f"{kind}.cf"
    path.write_text(TABLES[kind].replace("@", name))
    path.chmod(0o600)
    return f"{kind}:{path}"


def ask_in_vain(bench, spec):
    """In a process of its own, and three times in one that lasts."""
    done = within(LIMIT, spec, lambda: bench.dictum("get", "--timeout", f"{LIMIT * 1000:.0f}ms", spec, "a"))
    same(done[0], RETRY, done[2])
    check(any(words in done[2] for words in ("timed out", "TIMEOUT", "in time")), done[2])
    with bench.session(spec, "--timeout", f"{LIMIT * 1000:.0f}ms") as session:
        for _ in range(3):
            answer = within(LIMIT, spec, lambda: session.ask("a"))
            same(answer[0], "retry", spec)


def slow(kind):
    with bench_with_names() as bench:
        ask_in_vain(bench, table(bench, kind, "server.slow.test"))


def slow_service():
    """A name that libpq finds by itself, in a file of services."""
    with bench_with_names() as bench:
        (bench.home / "services").write_text("[away]\nhost=server.slow.test\nport=1\n")
        bench.env["PGSERVICEFILE"] = str(bench.home / "services")
        path = bench.home / "service.cf"
        path.write_text("hosts = postgresql:///x?service=away\nquery = SELECT '%s'\n")
        ask_in_vain(bench, f"pgsql:{path}")


def slow_certificate():
    """A name that a certificate must have."""
    with bench_with_names() as bench:
        path = bench.home / "verify.cf"
        path.write_text("hosts = inet:server.slow.test:1\nuser = x\ndbname = x\n"
                        "query = SELECT '%s'\ntls_verify_cert = yes\n")
        ask_in_vain(bench, f"mysql:{path}")


def found(bench, spec, value):
    status, output, messages = bench.dictum("get", spec, "a")
    same((status, output), (OK, value), messages)


def both_tcp():
    """Nobody listens at the first address."""
    def answer(_):
        return b"200 one\n"
    with bench_with_names() as bench, Peer(serving(read_line, answer)) as peer:
        port = peer.tcp.rpartition(":")[2]
        found(bench, f"tcp:both.test:{port}", b"one\n")


def both(server_class, kind, setting, store):
    with bench_with_names() as bench, server_class(bench.home) as server:
        with server.wire() as wire:
            store(wire)
        path = bench.home / f"both-{kind}.cf"
        path.write_text(setting.format(port=server.address[1]))
        found(bench, f"{kind}:{path}", b"1\n")


def both_memcache():
    both(Memcached, "memcache", "memcache = inet:both.test:{port}\n",
         lambda wire: wire.set(b"a", b"1"))


def both_redis():
    both(Redis, "redis", "hosts = both.test:{port}\n", lambda wire: wire(b"SET", b"a", b"1"))


if __name__ == "__main__":
    run([*((f"{kind}: a name server that hangs", lambda kind=kind: slow(kind)) for kind in TABLES),
         ("pgsql: a name of a service", slow_service),
         ("mysql: a name of a certificate", slow_certificate),
         ("tcp: two addresses", both_tcp),
         ("memcache: two addresses", both_memcache),
         ("redis: two addresses", both_redis)])
