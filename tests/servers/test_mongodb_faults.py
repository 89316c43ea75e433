#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Servers for mongodb tables that restart, hang, die and talk nonsense, with TLS and without; sets
of them; and who has connections. They are emulated (mongod.py), as Debian has none."""

import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from mongod import SHAPES  # noqa: E402
from mongotest import ALIAS, KEY, VALUE, Bench, pairs_file  # noqa: E402
from sqltest import eventually, expect, within  # noqa: E402
from tap import ask_in_threads, check, require, run, same  # noqa: E402

SEED = int(os.environ.get("MONGODB_SEED", random.randrange(1 << 32)))


def make_certificates(folder):
    """An authority, and a certificate of its for 127.0.0.1."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    options = {"check": True, "capture_output": True, "cwd": folder}
    for name in ("ca", "other"):
        subprocess.run([*words, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                        f"{name}.pem"], **options)
    subprocess.run([*words, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "server.key", "-out",
                    "server.pem"], **options)
    for path in folder.glob("*.key"):
        path.chmod(0o600)


class Mangler:
    """Stands between a table and its server, and changes some bytes of what the server says, from
    its first words on. A `with` statement starts and ends it."""

    def __init__(self, port, dice):
        self.dice = dice
        self.server = ("127.0.0.1", port)
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.uri = f"mongodb://127.0.0.1:{self.sock.getsockname()[1]}/"

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
                server = socket.create_connection(self.server)
            except OSError:
                return
            for one, other, mangled in ((conn, server, False), (server, conn, True)):
                threading.Thread(target=self.carry, args=(one, other, mangled), daemon=True).start()

    def carry(self, one, other, mangled):
        try:
            while data := bytearray(one.recv(1 << 16)):
                for _ in range(self.dice.choice((0, 1, 1, 4)) if mangled else 0):
                    data[self.dice.randrange(len(data))] = self.dice.choice(
                        (0, 1, 2, 3, 4, 127, 255, self.dice.randrange(256)))
                other.sendall(data)
        except OSError:
            pass
        for sock in (one, other):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Faults:
    def __init__(self, bench, server, tls):
        self._bench = bench
        self._server = server
        self._tls = tls

    def _ways(self):
        """A server and a uri for each way to reach one."""
        yield self._server, self._server.uri
        yield self._tls, self._secure()

    def _secure(self, authority="ca.pem", **more):
        words = {"tls": "true", "tlsCAFile": self._bench.home / authority} | more
        return self._tls.uri + "?" + "&".join(f"{n}={v}" for n, v in words.items())

    def _spec(self, uri=None, query=None, **more):
        return self._bench.spec(uri or self._server.uri, query or ALIAS,
                                **({"result_attribute": "goto"} | more))

    def _faulty(self, **more):
        return self._spec(query={"fault": "%s"}, result_attribute=None, **more)

    # ---- one server ----------------------------------------------------------------------------

    def restart_while_idle(self):
        """Nobody sees it, alone or in a batch."""
        for server, uri in self._ways():
            with Asker() as asker:
                asker.must_open(self._spec(uri))
                expect(asker.get(KEY), "ok", VALUE)
                server.restart()
                expect(asker.get(KEY), "ok", VALUE, "after a restart")
                server.restart()
                answer, each = asker.many([KEY, "nobody", KEY])
                same([one for one, _ in each], ["ok", "notfound", "ok"], f"a batch, {answer}")
                server.kill()
                server.start()
                expect(asker.get(KEY), "ok", VALUE, "after kill -9")

    def library_looks_first(self):
        """After a while without questions libmongoc looks whether a connection is still there."""
        with Asker() as asker:
            asker.must_open(self._spec(self._server.uri + "?socketCheckIntervalMS=1"))
            for _ in range(3):
                expect(asker.get(KEY), "ok", VALUE)
                time.sleep(0.01)
            self._server.restart()
            expect(asker.get(KEY), "ok", VALUE, "after a restart")
            self._server.kill()
            time.sleep(0.01)
            expect(asker.get(KEY), "retry", "refused")
            self._server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")

    def ended_connection(self):
        """In the middle of a question, once: it is put again over another one, if this one has
        been of use before."""
        with Asker() as asker:
            asker.must_open(self._faulty())
            expect(asker.get("nest 1"), "ok", "deep")
            expect(asker.get("once a"), "ok", "good")
            expect(asker.get("nest 1"), "ok", "deep")
            expect(asker.get("close"), "retry", "server 127.0.0.1")
        with Asker() as asker:
            asker.must_open(self._faulty())
            expect(asker.get("once b"), "retry", "server 127.0.0.1")

    def down_and_up(self):
        with Asker() as asker:
            asker.must_open(self._spec())
            expect(asker.get(KEY), "ok", VALUE)
            self._server.stop()
            for _ in range(3):
                expect(asker.get(KEY), "retry", "refused")
            self._server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")
            told = [text for _, text in asker.events()]
            check(len(told) == 2, f"one event each for down and up: {told}")

    def absent(self):
        for uri, why in (("mongodb://127.0.0.1:1/", "refused"),
                         ("mongodb://no-such-host.invalid/", "not known"),
                         ("mongodb://%2Fnowhere%2Fmongod.sock/", "No such file"),
                         ("mongodb+srv://db.no-such-host.invalid/", "connect to mongodb server")):
            expect(self._bench.ask(uri, ALIAS, KEY, ms=3000), "retry", why, uri)

    def hanging(self):
        """A server that is silent, with a connection and without one."""
        for server, uri in self._ways():
            with Asker() as asker:
                for slot in range(2):
                    asker.must_open(self._spec(uri), slot=slot)
                expect(asker.get(KEY), "ok", VALUE)
                server.hang()
                try:
                    for slot in range(2):
                        asker.timeout(600, slot=slot)
                        answer = asker.get(KEY, slot=slot)
                        expect(answer, "retry", "no answer in time")
                        check(answer.ms >= 500, f"it gave up early: {answer}")
                        within(answer, 600)
                finally:
                    server.resume()
                for slot in range(2):
                    asker.timeout(5000, slot=slot)
                    eventually(lambda s=slot: asker.get(KEY, slot=s).status == "ok",
                               "it does not come back")

    def closing_does_not_wait(self):
        """A table is closed while its server hangs."""
        with Asker() as asker:
            asker.must_open(self._spec())
            expect(asker.get(KEY), "ok", VALUE)
            self._server.hang()
            try:
                begun = time.monotonic()
                asker.close(0)
                took = time.monotonic() - begun
            finally:
                self._server.resume()
        check(took < 2, f"it took {took} s")

    def good_byes(self):
        eventually(lambda: self._server.sessions() == 0, "connections stay")
        with Asker() as asker:
            self._server.forget()
            asker.must_open(self._spec())
            expect(asker.get(KEY), "ok", VALUE)
            asker.close(0)
            eventually(lambda: "good-bye" in self._server.lines(), "it just goes")

    def silent_port(self):
        """Something that accepts connections and never speaks, and something that does not even."""
        for backlog in (8, 0):
            with socket.socket() as deaf:
                deaf.bind(("127.0.0.1", 0))
                deaf.listen(backlog)
                fill = [socket.socket() for _ in range(4 if backlog == 0 else 0)]
                for one in fill:
                    one.setblocking(False)
                    one.connect_ex(deaf.getsockname())
                for more in ("", "?tls=true"):
                    uri = f"mongodb://127.0.0.1:{deaf.getsockname()[1]}/{more}"
                    answer = self._bench.ask(uri, ALIAS, KEY, ms=600)
                    expect(answer, "retry", "no answer in time")
                    within(answer, 600)
                for one in fill:
                    one.close()

    def slow_answers(self):
        """A byte now and then is not enough."""
        for fault in ("silent 3", "slow 0.05"):
            answer = self._bench.ask(self._server, {"fault": "%s"}, fault, ms=700)
            expect(answer, "retry", "no answer in time")
            within(answer, 700)
        expect(self._bench.ask(self._server, {"fault": "%s"}, "slow 0.001"), "ok", "good")

    def broken_answers(self):
        for fault in ("close", "reset", "half"):
            answer = self._bench.ask(self._server, {"fault": "%s"}, fault)
            expect(answer, "retry", "server 127.0.0.1", fault)
            within(answer, 0)

    # ---- nonsense ------------------------------------------------------------------------------

    def nonsense(self):
        """It ends no program, and is no answer."""
        good = 107  # bytes of a right answer behind its header, about
        cases = ["message 00", "message 0000000000", "message 000000000105000000",
                 "bytes " + "00" * 16, "bytes " + "ff" * 16, "bytes 485454502f312e3120343030",
                 "size 0", "size 15", "size -1", "size 2000000000", "size 48020000"]
        cases += [f"cut {n}" for n in range(0, good, 3)]
        with Asker() as asker:
            asker.must_open(self._faulty())
            asker.timeout(300)
            for case in cases:
                time.sleep(0.01)
                answer = asker.get(case)
                expect(answer, "retry", what=case)
            asker.timeout(5000)
            eventually(lambda: asker.get("nest 90").text == "deep", "it does not come back")
            expect(asker.get("nest 150"), "retry", "cannot be read")
            eventually(lambda: asker.get("nest 1").text == "deep", "it does not come back")
            expect(asker.get("nest 300000"), "retry", "cannot be read")

    def answers_that_are_none(self):
        """Well formed, and not what was asked for."""
        with Asker() as asker:
            asker.must_open(self._faulty())
            for number in range(len(SHAPES)):
                time.sleep(0.01)
                answer = asker.get(f"shape {number}")
                check(answer.status in ("retry", "config"), f"{SHAPES[number]}: {answer}")
        answer = self._bench.ask(self._server, {"fault": "%s"}, "endless", ms=500)
        expect(answer, "retry", "no answer in time")
        within(answer, 500)

    def flipped_bytes(self):
        """An answer with one wrong byte: whatever comes of it, it is said, and in time."""
        dice = random.Random(SEED)
        print(f"# MONGODB_SEED={SEED}")
        counts = {}
        with Asker() as asker:
            asker.must_open(self._faulty())
            asker.timeout(300)
            for place in range(110):
                for byte in (0, 1, 255, dice.randrange(256)):
                    answer = asker.get(f"flip {place} {byte}")
                    within(answer, 300)
                    counts[answer.status] = counts.get(answer.status, 0) + 1
        check(set(counts) <= {"ok", "notfound", "retry", "config"}, f"{counts}")
        check(counts.get("ok") and counts.get("retry"), f"{counts}")

    def mangled_conversations(self):
        """The same from the first word on."""
        print(f"# MONGODB_SEED={SEED}")
        counts = {}
        with Mangler(self._server.port, random.Random(SEED)) as between, Asker() as asker:
            asker.must_open(self._spec(between.uri))
            asker.timeout(150)
            for _ in range(int(os.environ.get("MONGODB_ROUNDS", 300))):
                answer = asker.get(KEY)
                within(answer, 150)
                counts[answer.status] = counts.get(answer.status, 0) + 1
                time.sleep(0.003)  # for as long the breaker keeps it out of service
        print(f"# {counts}")
        check(set(counts) <= {"ok", "notfound", "retry", "config", "invalid"}, f"{counts}")
        check(counts.get("ok") and counts.get("retry"), f"{counts}")

    def strange_handshakes(self):
        """What a server says of itself is as hostile as the rest."""
        for more in ({"maxWireVersion": 2}, {"minWireVersion": 90, "maxWireVersion": 99},
                     {"maxMessageSizeBytes": -1}, {"maxBsonObjectSize": "x"},
                     {"setName": 5}, {"hosts": [1, {}]}, {"setName": "x", "hosts": ["", "x" * 999]},
                     {"compression": ["zlib"]}, {"topologyVersion": "x"}, {"ok": 0.0},
                     {"tags": 7, "me": False}, {"logicalSessionTimeoutMinutes": -1}):
            with self._bench.server([{"address": "a"}], more=more) as server:
                answer = self._bench.ask(server, {"address": "%s"}, "a", ms=1000)
                check(answer.status in ("ok", "retry", "config"), f"{more}: {answer}")
                within(answer, 1000)

    # ---- ways to a server ----------------------------------------------------------------------

    def ways(self):
        """A Unix socket, IPv6, a name."""
        with self._bench.server(unix=self._bench.home / "mongod.sock") as server:
            expect(self._bench.ask(server, ALIAS, KEY, result_attribute="goto"), "ok", VALUE)
        with self._bench.server(host="::1") as server:
            expect(self._bench.ask(server, ALIAS, KEY, result_attribute="goto"), "ok", VALUE)
        uri = f"mongodb://localhost:{self._server.port}/?connectTimeoutMS=2000"
        expect(self._bench.ask(uri, ALIAS, KEY, result_attribute="goto"), "ok", VALUE)

    def certificates(self):
        ask = self._bench.ask
        expect(ask(self._secure(), ALIAS, KEY, result_attribute="goto"), "ok", VALUE)
        for uri in (self._secure("other.pem"), self._tls.uri + "?tls=true",
                    self._secure().replace("127.0.0.1", "localhost")):
            answer = ask(uri, ALIAS, KEY)
            expect(answer, "config", "certificate", uri)
        expect(ask(self._secure("nowhere.pem"), ALIAS, KEY), "config", "TLS")
        for more in ({"tlsAllowInvalidCertificates": "true"}, {"tlsInsecure": "true"}):
            expect(ask(self._secure("other.pem", **more), ALIAS, KEY, result_attribute="goto"), "ok",
                   VALUE, f"{more}")
        expect(ask(self._tls.uri, ALIAS, KEY, ms=1000), "retry", what="TLS is not asked for")
        expect(ask(self._server.uri + "?tls=true", ALIAS, KEY, ms=1000), "retry",
               what="a server without TLS")

    def replica_set(self):
        """One of the set goes away, and the other one takes over."""
        servers = [self._bench.server() for _ in range(2)]
        hosts = [server.hosts for server in servers]

        def role(server, primary):
            server.plan["more"] = {"setName": "rs", "hosts": hosts, "me": server.hosts,
                                   "primary": hosts[primary], "setVersion": 1,
                                   "isWritablePrimary": server is servers[primary],
                                   "ismaster": server is servers[primary],
                                   "secondary": server is not servers[primary]}

        for server in servers:
            role(server, 0)
            server.start()
        try:
            with Asker() as asker:
                asker.must_open(self._spec(f"mongodb://{','.join(hosts)}/?replicaSet=rs"))
                asker.must_open(self._spec(f"mongodb://{hosts[0]}/?replicaSet=rs"), slot=1)
                for slot in range(2):
                    expect(asker.get(KEY, slot=slot), "ok", VALUE)
                servers[1].kill()
                for slot in range(2):
                    expect(asker.get(KEY, slot=slot), "ok", VALUE, "without the secondary")
                seeds = f"mongodb://{','.join(hosts)}/?replicaSet=rs"
                expect(self._bench.ask(seeds, {"fault": "%s"}, "error 13"), "config", "(13)")
                expect(self._bench.ask(seeds.replace("//", "//some:body@"), ALIAS), "config",
                       "Authentication failed", "not taken for the secondary's absence")
                role(servers[1], 1)
                servers[1].start()
                servers[0].kill()
                eventually(lambda: asker.get(KEY).status == "ok", "nobody takes over")
                other = f"mongodb://{','.join(hosts)}/?replicaSet=another"
                expect(self._bench.ask(other, ALIAS, KEY, ms=1500), "retry", what="another set")
                secondary = f"mongodb://{hosts[1]}/?directConnection=true&readPreference=nearest"
                expect(self._bench.ask(secondary, ALIAS, KEY, result_attribute="goto"), "ok", VALUE)
        finally:
            for server in servers:
                server.stop()

    def silent_member(self):
        """One that does not even connect, and one that hangs: they take a part of the time, and not
        all of it."""
        def ask(*hosts):
            for seeds in (hosts, hosts[::-1], hosts[:1]):
                answer = self._bench.ask(f"mongodb://{','.join(seeds)}/?replicaSet=rs", ALIAS, KEY,
                                         ms=3000, result_attribute="goto")
                expect(answer, "ok", VALUE, f"{seeds}")
                within(answer, 3000)

        with self._bench.server() as server, self._bench.server() as other, \
                socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            fill = [socket.socket() for _ in range(4)]
            for one in fill:
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            for silent in (f"127.0.0.1:{deaf.getsockname()[1]}", other.hosts):
                server.plan["more"] = {"setName": "rs", "hosts": [silent, server.hosts],
                                       "setVersion": 1, "me": server.hosts,
                                       "primary": server.hosts}
                server.restart()
                other.hang()
                ask(server.hosts, silent)
                other.resume()
            for one in fill:
                one.close()

    # ---- connections ---------------------------------------------------------------------------

    def connections_are_few(self):
        """Threads wait for each other, and a table that is closed leaves nothing."""
        eventually(lambda: self._server.sessions() == 0, "connections stay")
        with Asker() as asker:
            asker.must_open(self._spec(connections=3))
            asker.begin(pairs_file(self._bench), 32)
            most = 0
            for _ in range(15):
                most = max(most, self._server.sessions())
                time.sleep(0.05)
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")
            check(1 <= most <= 3, f"{most} connections")
            asker.close(0)
            eventually(lambda: self._server.sessions() == 0, "a closed table keeps connections")

    def waiting_is_bounded(self):
        """All connections are busy for longer than the call may take."""
        with Asker() as asker:
            asker.must_open(self._faulty(connections=1))
            asker.begin(self._bench.file("one", "silent 2\tgood\n"), 1)
            time.sleep(0.5)
            asker.timeout(400)
            answer = asker.get("nest 1")
            expect(answer, "retry", "busy")
            within(answer, 400)
            asker.end()

    def fork(self):
        """Parent, child and grandchild have connections of their own, and no good-byes cross."""
        for server, uri in self._ways():
            with Asker() as asker:
                asker.must_open(self._spec(uri))
                expect(asker.get(KEY), "ok", VALUE)
                before = server.sessions()
                same(set(asker.fork(KEY)), {"ok"}, "answers")
                eventually(lambda s=server, b=before: s.sessions() == b, "the parent's connection")
            eventually(lambda s=server: s.sessions() == 0, "connections stay")

    def fork_beside_threads(self):
        if os.environ.get("SANITIZER"):
            return  # whose own allocator does not survive that
        with Asker() as asker:
            asker.must_open(self._spec())
            asker.begin(pairs_file(self._bench), 8)
            for _ in range(5):
                same(set(asker.fork(KEY)), {"ok"}, "answers")
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")

    def threads_while_it_restarts(self):
        """32 threads on one table: never a wrong answer, never past the deadline, and it heals."""
        for server, uri in self._ways():
            with Asker() as asker:
                asker.must_open(self._spec(uri))
                asker.timeout(2000)
                asker.begin(pairs_file(self._bench), 32)
                for _ in range(2):
                    time.sleep(0.7)
                    server.restart()
                time.sleep(0.3)
                server.kill()
                server.start()
                server.hang()
                time.sleep(1)
                server.resume()
                time.sleep(1)
                counts = asker.end()
                check(counts["right"] > 100, f"{counts}")
                same((counts["wrong"], counts["other"]), (0, 0), f"{counts}")
                check(counts["slowest"] < 2000 + 2500, f"{counts}")
                eventually(lambda: asker.get(KEY).status == "ok", "it does not heal")

    def many_threads(self):
        ask_in_threads(self._spec(), 50, KEY, "user2@d2.example")

    # ---- the process ---------------------------------------------------------------------------

    def process(self):
        """Signals stay as they are, no thread is started, and nothing is left in shared memory."""
        with Asker() as asker:
            folder = pathlib.Path(f"/proc/{asker.process.pid}")

            def state():
                lines = (folder / "status").read_text().splitlines()
                return [one for one in lines if one.startswith(("SigBlk", "SigIgn", "SigCgt",
                                                                "Threads"))]

            asker.events()  # it has started
            before = state()
            asker.must_open(self._spec())
            expect(asker.get(KEY), "ok", VALUE)
            same(state(), before, "signals and threads")
            left = pathlib.Path(f"/dev/shm/mongoc-{asker.process.pid}")
            check(not left.exists(), f"there is {left}")


def main():
    require("openssl")
    with Bench() as bench:
        make_certificates(bench.home)
        keys = (bench.home / "server.pem", bench.home / "server.key")
        with bench.server() as server, bench.server(tls=keys) as tls:
            it = Faults(bench, server, tls)
            cases = [name for name in vars(Faults) if not name.startswith("_")]
            run([(name.replace("_", " "), getattr(it, name)) for name in cases
                 if not sys.argv[1:] or name in sys.argv[1:]])


if __name__ == "__main__":
    main()
