#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""PostgreSQL servers that restart, hang, die, follow and take over; and who shares connections."""

import os
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from mailschema import QUERIES, schema  # noqa: E402
from pgsqltest import Bench, clients, pairs_file  # noqa: E402
from postgres import Postgres, Standby  # noqa: E402
from sqltest import eventually, expect, within  # noqa: E402
from tap import check, run, same  # noqa: E402

KEY, VALUE = "user1@d1.example", "box1@mail.example"
ENTRIES = 2000


class Faults:
    def __init__(self, server, bench):
        self.server = server
        self.bench = bench

    def spec(self, query=QUERIES["alias"], **more):
        return self.bench.spec(self.server, query, **more)

    # ---- one server ----------------------------------------------------------------------------

    def restart_while_idle(self):
        """Nobody sees it, alone or in a batch."""
        with Asker() as asker:
            asker.must_open(self.spec())
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
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'dictum'")
            expect(asker.get(KEY), "ok", VALUE)

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
        """A server that is silent, with a connection and without one."""
        with Asker() as asker:
            asker.must_open(self.spec())
            asker.must_open(self.spec(connections=3), slot=1)
            expect(asker.get(KEY), "ok", VALUE)
            self.server.hang()
            try:
                for slot in (0, 1):
                    asker.timeout(600, slot=slot)
                    answer = asker.get(KEY, slot=slot)
                    expect(answer, "retry")
                    within(answer, 600)
            finally:
                self.server.resume()
            asker.timeout(5000)
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")

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
                answer = self.bench.ask(self.server, QUERIES["alias"], KEY, ms=600,
                                        hosts=f"127.0.0.1:{port}")
                expect(answer, "retry", "timed out")
                within(answer, 600)
                answer = self.bench.ask(self.server, QUERIES["alias"], KEY, ms=3000,
                                        hosts=f"127.0.0.1:{port}, 127.0.0.1:{self.server.port}")
                expect(answer, "ok", VALUE, "the other host, in the same call")
                for one in fill:
                    one.close()

    def refusing_backends(self):
        """Busy with recovery it says so, which is to be tried again."""
        self.server.kill()
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "retry", "connect to pgsql server")
            self.server.start()
            eventually(lambda: asker.get(KEY).status == "ok", "it does not come back")

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

    def order_of_kinds(self):
        """Sockets come before addresses, and these before URIs."""
        port = self.server.port
        uri = f"postgresql://dictum@127.0.0.1:{port}/mail?application_name=dictum"
        query = "SELECT coalesce(host(inet_client_addr()), 'socket') || '%s'"
        for hosts, wanted in ((f"{uri} 127.0.0.1:{port} {self.server.home}", "socket"),
                              (f"[::1]:{port} {uri}", "::1"),
                              (f"{uri} 127.0.0.1:1", "127.0.0.1")):
            answer = self.bench.ask(self.server, query, "", hosts=hosts, env={"PGPORT": port})
            expect(answer, "ok", wanted, hosts)

    def host_syntaxes(self):
        port, home = self.server.port, self.server.home
        for hosts in (f"127.0.0.1:{port}", f"inet:127.0.0.1:{port}", f"localhost:{port}",
                      f"[::1]:{port}", f"inet:[::1]:{port}", "127.0.0.1", "::1", "inet:localhost",
                      "", f"unix:{home}", str(home), f"postgresql://dictum@localhost:{port}/mail",
                      f"postgres://dictum@[::1]:{port}/mail",
                      f"postgresql:///mail?host={home}&port={port}&user=dictum"):
            answer = self.bench.ask(self.server, QUERIES["alias"], KEY, hosts=hosts,
                                    env={"PGPORT": port})
            expect(answer, "ok", VALUE, f"hosts = {hosts}")

    def standby_takes_over(self):
        """A table that wants who may write finds the new one; one that wants any has no pause."""
        with Standby(self.server) as standby:
            hosts = f"127.0.0.1:{self.server.port} 127.0.0.1:{standby.port}"
            with Asker() as asker:
                asker.must_open(self.spec(hosts=hosts, target_session_attrs="read-write"))
                asker.must_open(self.spec(hosts=hosts), slot=1)
                asker.must_open(self.spec("SELECT inet_server_port() || '%s'", hosts=hosts,
                                          target_session_attrs="standby"), slot=2)
                asker.must_open(self.spec("SELECT inet_server_port() || '%s'", hosts=hosts,
                                          target_session_attrs="read-write"), slot=3)
                asker.must_open(self.spec("UPDATE alias SET goto = goto WHERE address = '%s' "
                                          "RETURNING goto", hosts=f"127.0.0.1:{standby.port}"),
                                slot=4)
                for _ in range(8):
                    expect(asker.get(KEY), "ok", VALUE, "read-write")
                    expect(asker.get(KEY, slot=1), "ok", VALUE, "any")
                    expect(asker.get("", slot=2), "ok", str(standby.port), "standby")
                    expect(asker.get("", slot=3), "ok", str(self.server.port), "who may write")
                expect(asker.get(KEY, slot=4), "retry", "25006", "a change on a standby")
                self.server.kill()
                expect(asker.get(KEY), "retry", "server", "nobody may write")
                expect(asker.get(KEY, slot=1), "ok", VALUE, "any, from the standby")
                standby.promote()
                eventually(lambda: asker.get(KEY).status == "ok", "the new one is not found")
                expect(asker.get("", slot=3), "ok", str(standby.port), "who may write now")
                expect(asker.get(KEY, slot=4), "ok", VALUE, "a change on the new one")
        self.server.start()

    # ---- connections ---------------------------------------------------------------------------

    def connections_are_few(self):
        """Tables with the same servers share them, and threads wait for each other."""
        with Asker() as asker:
            asker.must_open(self.spec(connections=3))
            asker.must_open(self.spec(QUERIES["mailbox"], connections=3), slot=1)
            asker.begin(pairs_file(self.bench, ENTRIES), 32)
            most = 0
            for _ in range(15):
                asker_has = clients(self.server)
                most = max(most, asker_has)
                time.sleep(0.05)
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")
            check(1 <= most <= 3, f"{most} connections")
            expect(asker.get(KEY, slot=1), "ok", "d1.example/user1/")
            check(clients(self.server) <= 3, "the second table has its own")
            asker.close(1)
            expect(asker.get(KEY), "ok", VALUE)
            asker.close(0)
            eventually(lambda: clients(self.server) == 0, "closed tables keep connections")

    def waiting_is_bounded(self):
        """All connections are busy for longer than the call may take."""
        with Asker() as asker:
            asker.must_open(self.spec("SELECT pg_sleep(3), '%s'", connections=1))
            asker.must_open(self.spec(connections=1), slot=1)
            asker.begin(self.bench.file("one", "x\tx\n"), 1)
            time.sleep(0.5)
            asker.timeout(400, slot=1)
            answer = asker.get(KEY, slot=1)
            expect(answer, "retry", "busy")
            within(answer, 400)
            asker.end()

    def idle_ones_are_closed(self):
        with Asker() as asker:
            asker.must_open(self.spec(idle_interval=1, connections=8))
            asker.begin(pairs_file(self.bench, ENTRIES), 8)
            time.sleep(0.5)
            asker.end()
            check(clients(self.server) > 1, "threads shared one connection")
            time.sleep(1.5)
            expect(asker.get(KEY), "ok", VALUE)
            eventually(lambda: clients(self.server) == 1, "idle connections stay")

    def fork(self):
        """Parent, child and grandchild have connections of their own, and no good-byes cross."""
        with Asker() as asker:
            asker.must_open(self.spec())
            expect(asker.get(KEY), "ok", VALUE)
            pid = self.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = "
                                  "'dictum'")
            same(set(asker.fork(KEY)), {"ok"}, "answers")
            again = self.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = "
                                    "'dictum'")
            same(again, pid, "the parent's connection")

    def fork_beside_threads(self):
        if os.environ.get("SANITIZER"):
            return  # whose own allocator does not survive that
        with Asker() as asker:
            asker.must_open(self.spec())
            asker.begin(pairs_file(self.bench, ENTRIES), 8)
            for _ in range(5):
                same(set(asker.fork(KEY)), {"ok"}, "answers")
            counts = asker.end()
            check(counts["right"] > 100 and counts["wrong"] + counts["retry"] + counts["other"] == 0,
                  f"{counts}")

    def threads_while_it_restarts(self):
        """32 threads on one table: never a wrong answer, never past the deadline, and it heals."""
        with Asker() as asker:
            asker.must_open(self.spec())
            asker.timeout(2000)
            asker.begin(pairs_file(self.bench, ENTRIES), 32)
            for _ in range(3):
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

    def large_batch(self):
        path = pairs_file(self.bench, ENTRIES)
        with open(path, encoding="utf-8") as lines:
            wanted = sum("\t" in line for line in lines)
        with Asker() as asker:
            asker.must_open(self.spec())
            answer, found = asker.file(path)
            expect(answer, "ok")
            same(found, wanted, "found")


def main():
    with Bench() as bench, Postgres() as server:
        server.sql(schema(entries=ENTRIES))
        it = Faults(server, bench)
        cases = [name for name in vars(Faults) if not name.startswith("_") and name != "spec"]
        run([(name.replace("_", " "), getattr(it, name)) for name in cases
             if not sys.argv[1:] or name in sys.argv[1:]])


if __name__ == "__main__":
    main()
