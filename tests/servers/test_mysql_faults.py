#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""MariaDB servers that restart, hang and die, with TLS and without; and who has connections."""

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from mariadb import MariaDB  # noqa: E402
from mysqltest import ALIAS, ENTRIES, KEY, SCHEMA, VALUE, Bench, clients, pairs_file  # noqa: E402
from sqltest import eventually, expect, within  # noqa: E402
from tap import ask_in_threads, check, require, run, same  # noqa: E402


def make_certificates(folder):
    """An authority, and a certificate of its for localhost."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    options = {"check": True, "capture_output": True, "cwd": folder}
    subprocess.run([*words, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
                   **options)
    subprocess.run([*words, "-subj", "/CN=elsewhere", "-keyout", "other.key", "-out", "other.pem"],
                   **options)
    subprocess.run([*words, "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", "-CA", "ca.pem", "-CAkey",
                    "ca.key", "-keyout", "server.key", "-out", "server.pem"], **options)
    for path in folder.glob("*.key"):
        path.chmod(0o644 if path.name == "server.key" else 0o600)

OF_THREADS = 1 << 31 | 1 << 32  # signals 32 and 33, which the C library uses once there is a thread


class Faults:
    def __init__(self, server, bench):
        self.server = server
        self.bench = bench

    def spec(self, query=ALIAS, **more):
        return self.bench.spec(self.server, query, **more)

    def tls(self):
        """Options of a table that checks the server's certificate."""
        return {"tls_CAfile": self.bench.home / "ca.pem", "tls_verify_cert": "yes"}

    # ---- one server ----------------------------------------------------------------------------

    def restart_while_idle(self):
        """Nobody sees it, alone or in a batch."""
        for more in ({}, {"hosts": f"unix:{self.server.socket}"}, self.tls()):
            with Asker() as asker:
                asker.must_open(self.spec(**more))
                expect(asker.get(KEY), "ok", VALUE)
                self.server.restart()
                expect(asker.get(KEY), "ok", VALUE, "after a restart")
                self.server.restart()
                answer, each = asker.many([KEY, "nobody", KEY])
                same([one for one, _ in each], ["ok", "notfound", "ok"], f"a batch, {answer}")
                self.server.kill()
                self.server.start()
                expect(asker.get(KEY), "ok", VALUE, "after kill -9")

    def ended_session(self):
        """Killed, or idle for longer than the server likes."""
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            self.server.sql(f"KILL {clients(self.server)[0]}")
            expect(asker.get(KEY), "ok", VALUE, "after KILL")
            self.server.sql("SET GLOBAL wait_timeout = 1")
            with Asker() as other:
                other.must_open(self.spec())
                expect(other.get(KEY), "ok", VALUE)
                eventually(lambda: len(clients(self.server)) == 1, "it does not end the session")
                expect(other.get(KEY), "ok", VALUE, "after wait_timeout")
            self.server.sql("SET GLOBAL wait_timeout = 28800")

    def killed_while_asking(self):
        """A question that the server gives up is to be asked again, later."""
        with Asker() as asker:
            asker.must_open(self.spec("SELECT SLEEP(30), '%s'"))
            asker.timeout(30000)
            find = ("SELECT id FROM information_schema.processlist WHERE user = 'dictum' AND "
                    "info LIKE '%SLEEP(30)%'")
            asker.begin(self.bench.file("one", "x\tx\n"), 1)
            killed = set()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                for session in self.server.sql(find).split():
                    self.server.sql(f"KILL {session}")
                    killed.add(session)
            asker.timeout(500)
            counts = asker.end()
            check(killed and counts["retry"] > 0 and counts["other"] == 0, f"{killed} {counts}")

    def down_and_up(self):
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            self.server.stop()
            for _ in range(3):
                expect(asker.get(KEY), "retry", "server")
            self.server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")

    def hanging(self):
        """A server that is silent, with a connection and without one, with TLS and without."""
        with Asker() as asker:
            tables = [{}, {}, {"hosts": f"unix:{self.server.socket}"}, self.tls(), self.tls()]
            for slot, more in enumerate(tables):
                asker.must_open(self.spec(**more), slot=slot)
            for slot in (0, 2, 3):
                expect(asker.get(KEY, slot=slot), "ok", VALUE)
            self.server.hang()
            try:
                for slot in range(len(tables)):
                    asker.timeout(600, slot=slot)
                    answer = asker.get(KEY, slot=slot)
                    expect(answer, "retry")
                    within(answer, 600)
            finally:
                self.server.resume()
            for slot in range(len(tables)):
                asker.timeout(5000, slot=slot)
                eventually(lambda s=slot: asker.get(KEY, slot=s).status == "ok",
                           "it does not come back")

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
                port = deaf.getsockname()[1]
                answer = self.bench.ask(self.server, ALIAS, KEY, ms=600, hosts=f"127.0.0.1:{port}")
                expect(answer, "retry", "timed out")
                within(answer, 600)
                answer = self.bench.ask(self.server, ALIAS, KEY, ms=3000,
                                        hosts=f"127.0.0.1:{port}, 127.0.0.1:{self.server.port}")
                expect(answer, "ok", VALUE, "the other host, in the same call")
                for one in fill:
                    one.close()

    def silent_handshake(self):
        """A server that greets, and then says no more: before TLS, and without it."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as real, \
                socket.socket() as deaf:
            greeting = real.recv(4096)
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(8)
            kept = []

            def greet():
                while True:
                    try:
                        kept.append(deaf.accept()[0])
                        kept[-1].sendall(greeting)
                    except OSError:
                        return

            thread = threading.Thread(target=greet)
            thread.start()
            for more in ({}, self.tls()):
                answer = self.bench.ask(self.server, ALIAS, KEY, ms=600,
                                        hosts=f"127.0.0.1:{deaf.getsockname()[1]}", **more)
                check(answer.status in ("retry", "config"), f"{answer}")
                within(answer, 600)
            deaf.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in kept:
                one.close()

    def certificates(self):
        home = self.bench.home
        query = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE " \
                "VARIABLE_NAME = 'Ssl_cipher' AND '%s' = 'key'"
        for more in (self.tls(), {"tls_CAfile": home / "ca.pem"}, {"tls_ciphers": "HIGH"},
                     {"tls_CAfile": home / "ca.pem", "hosts": f"127.0.0.1:{self.server.port}"}):
            answer = self.bench.ask(self.server, query, **more)
            expect(answer, "ok", "_", f"{more}")
        expect(self.bench.ask(self.server, query, hosts=f"unix:{self.server.socket}", **self.tls()),
               "notfound")
        wrong = {"tls_CAfile": home / "other.pem", "tls_verify_cert": "yes"}
        expect(self.bench.ask(self.server, query, **wrong), "config", "2026", "another authority")
        expect(self.bench.ask(self.server, query, hosts=f"[::1]:{self.server.port}", **self.tls()),
               "config", "2026", "another name")

    # ---- several servers -----------------------------------------------------------------------

    def dead_host_is_skipped(self):
        with Asker() as asker:
            asker.must_open(self.spec(hosts=f"127.0.0.1:1 127.0.0.1:{self.server.port}"))
            for _ in range(20):
                expect(asker.get(KEY), "ok", VALUE)

    def all_marked_failed(self):
        """Hosts that failed a moment ago are tried when there are no others."""
        hosts = f"127.0.0.1:1 127.0.0.1:{self.server.port}"
        with Asker() as asker:
            asker.must_open(self.spec(hosts=hosts, retry_interval=3600))
            self.server.stop()
            expect(asker.get(KEY), "retry")
            self.server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it is never tried again")

    def host_syntaxes(self):
        port, path = self.server.port, self.server.socket
        for hosts in (f"127.0.0.1:{port}", f"inet:127.0.0.1:{port}", f"[::1]:{port}",
                      f"inet:[::1]:{port}", f"unix:{path}", str(path),
                      f"127.0.0.1:1, unix:{path}", f"127.0.0.1:1 [::1]:{port}"):
            expect(self.bench.ask(self.server, ALIAS, KEY, hosts=hosts), "ok", VALUE, hosts)

    # ---- connections ---------------------------------------------------------------------------

    def connections_are_few(self):
        """Threads wait for each other, and a table that is closed leaves nothing."""
        with Asker() as asker:
            asker.must_open(self.spec(connections=3))
            asker.begin(pairs_file(self.bench), 32)
            most = 0
            for _ in range(15):
                most = max(most, len(clients(self.server)))
                time.sleep(0.05)
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")
            check(1 <= most <= 3, f"{most} connections")
            asker.close(0)
            eventually(lambda: not clients(self.server), "a closed table keeps connections")

    def waiting_is_bounded(self):
        """All connections are busy for longer than the call may take."""
        with Asker() as asker:
            asker.must_open(self.spec("SELECT SLEEP(2), '%s'", connections=1))
            asker.begin(self.bench.file("one", "x\tx\n"), 1)
            time.sleep(0.5)
            asker.timeout(400)
            answer = asker.get(KEY)
            expect(answer, "retry", "busy")
            within(answer, 400)
            asker.end()

    def idle_ones_are_closed(self):
        with Asker() as asker:
            asker.must_open(self.spec(idle_interval=1, connections=8))
            asker.begin(pairs_file(self.bench), 8)
            time.sleep(0.5)
            asker.end()
            check(len(clients(self.server)) > 1, "threads shared one connection")
            time.sleep(1.5)
            expect(asker.get(KEY), "ok", VALUE)
            eventually(lambda: len(clients(self.server)) == 1, "idle connections stay")

    def fork(self):
        """Parent, child and grandchild have connections of their own, and no good-byes cross."""
        for more in ({}, self.tls()):
            with Asker() as asker:
                asker.must_open(self.spec(**more))
                expect(asker.get(KEY), "ok", VALUE)
                before = clients(self.server)
                same(set(asker.fork(KEY)), {"ok"}, "answers")
                eventually(lambda b=before: clients(self.server) == b, "the parent's connection")
            eventually(lambda: not clients(self.server), "connections stay")

    def fork_beside_threads(self):
        if os.environ.get("SANITIZER"):
            return  # whose own allocator does not survive that
        with Asker() as asker:
            asker.must_open(self.spec())
            asker.begin(pairs_file(self.bench), 8)
            for _ in range(5):
                same(set(asker.fork(KEY)), {"ok"}, "answers")
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")

    def threads_while_it_restarts(self):
        """32 threads on one table: never a wrong answer, never past the deadline, and it heals."""
        for more in ({}, self.tls()):
            with Asker() as asker:
                asker.must_open(self.spec(**more))
                asker.timeout(2000)
                asker.begin(pairs_file(self.bench), 32)
                for _ in range(2):
                    time.sleep(0.7)
                    self.server.restart()
                time.sleep(0.3)
                self.server.kill()
                self.server.start()
                self.server.hang()
                time.sleep(1)
                self.server.resume()
                time.sleep(1)
                counts = asker.end()
                check(counts["right"] > 100, f"{counts}")
                same((counts["wrong"], counts["other"]), (0, 0), f"{counts}")
                check(counts["slowest"] < 2000 + 2500, f"{counts}")
                eventually(lambda: asker.get(KEY).status == "ok", "it does not heal")

    def many_threads(self):
        ask_in_threads(self.spec(), 50, KEY, "user2@d2.example")

    def large_batch(self):
        path = pairs_file(self.bench)
        with open(path, encoding="utf-8") as lines:
            wanted = sum("\t" in line for line in lines)
        with Asker() as asker:
            asker.must_open(self.spec())
            answer, found = asker.file(path)
            expect(answer, "ok")
            same(found, wanted, "found")
        check(ENTRIES > 1000, "it is not large")

    def signals_stay(self):
        """What the program does with SIGPIPE is not the library's to change."""
        with Asker() as asker:
            status = pathlib.Path(f"/proc/{asker.process.pid}/status")
            asker.must_open(self.spec())
            kinds = ("SigBlk", "SigIgn", "SigCgt")

            def masks():
                words = [line.split() for line in status.read_text().splitlines()]
                return [(name, int(mask, 16) & ~OF_THREADS) for name, mask in
                        (line for line in words if line and line[0][:-1] in kinds)]
            before = masks()
            expect(asker.get(KEY), "ok", VALUE)
            same(masks(), before, "signals")


def main():
    require("openssl")
    with Bench() as bench:
        make_certificates(bench.home)
        options = (f"--ssl-cert={bench.home}/server.pem", f"--ssl-key={bench.home}/server.key")
        with MariaDB(options=options) as server:
            server.sql(SCHEMA)
            it = Faults(server, bench)
            cases = [name for name in vars(Faults)
                     if not name.startswith("_") and name not in ("spec", "tls")]
            run([(name.replace("_", " "), getattr(it, name)) for name in cases
                 if not sys.argv[1:] or name in sys.argv[1:]])


if __name__ == "__main__":
    main()
