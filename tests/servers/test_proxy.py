#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type proxy with the proxymap of a real Postfix, beside Postfix's postmap. Needs root.

An instance of its own runs in a temporary folder. It has no mail services: proxymap and proxywrite
are all that it starts.
"""

import os
import pathlib
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemon import stop_short  # noqa: E402
from peers import ABSENT, CONFIG, OK, RETRY, Bench, Peer, reset, within  # noqa: E402
from pair import THEIR_POSTMAP, lines_of  # noqa: E402
from tap import check, require, run, same  # noqa: E402

PATIENCE = 30

MAIN_CF = """compatibility_level = 3.6
smtputf8_enable = {utf8}
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = mail.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
proxy_read_maps = proxy:lmdb:{home}/table, proxy:lmdb:{home}/data/own, proxy:static:x,
    proxy:fail:y, proxy:lmdb:{home}/absent, proxy:regexp:{home}/rules
proxy_write_maps = proxy:lmdb:{home}/data/own
"""

MASTER_CF = """proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
postlog unix-dgram n - n - 1 postlogd
"""

TABLE = b"a one\nb two words\nmixed@example.org Mixed\n\xc3\xa4 umlaut\nlong " + b"x" * 60000 + b"\n"
RULES = b"/^Exact$/i mixed\n/^EXACT$/i upper\n"  # "i": case counts


class World(Bench):
    """A Postfix, both sides' programs, and tables; a `with` statement starts and stops it all."""

    def __init__(self, utf8="no"):
        super().__init__()
        owner = pwd.getpwnam("postfix")
        for name in ("queue", "queue/pid", "queue/private", "queue/public", "queue/incoming",
                     "queue/active", "queue/deferred", "data"):
            (self.home / name).mkdir()
            if name not in ("queue", "queue/pid"):
                os.chown(self.home / name, owner.pw_uid, owner.pw_gid)
        (self.home / "etc/main.cf").write_text(MAIN_CF.format(home=self.home, utf8=utf8))
        (self.home / "etc/master.cf").write_text(MASTER_CF)
        self.source("rules", RULES)
        self.build("table", TABLE)
        self.build("data/own", b"old value\n")
        for name in ("own", "own.lmdb"):
            os.chown(self.home / "data" / name, owner.pw_uid, owner.pw_gid)
        self.private = self.home / "queue/private"
        self.master = None

    def build(self, name, data):
        self.theirs.must(f"lmdb:{self.source(name, data)}")

    def spec(self, name):
        return f"proxy:lmdb:{self.home / name}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *args):
        self.stop()
        super().__exit__(*args)

    def start(self):
        folder = subprocess.run(["/usr/sbin/postconf", "-h", "-d", "daemon_directory"], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.master = subprocess.Popen([f"{folder}/master", "-c", str(self.home / "etc"), "-d",
                                        "-e", "900"], env=self.env, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.settimeout(PATIENCE)
                    probe.connect(str(self.private / "proxymap"))
                    if probe.recv(100):
                        return
            except OSError:
                pass
            check(time.monotonic() < until and self.master.poll() is None, "Postfix does not run")
            time.sleep(0.05)

    def stop(self):
        if self.master:
            self.master.send_signal(signal.SIGTERM)
            self.master.wait(PATIENCE)
            self.master = None

    def proxymaps(self):
        """@return the numbers of this Postfix's proxymap processes"""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.master.pid and (folder / "comm").read_text() == "proxymap\n":
                    found.append(int(folder.name))
            except OSError:
                pass
        return found


def beside_postfix(utf8):
    keys = ["a", "A", "b", "absent", "", "Mixed@Example.ORG", "ä", "Ä", "long", b"\xff"]
    with World(utf8) as world:
        rules = f"proxy:regexp:{world.home}/rules"
        asked = [(world.spec("table"), keys), ("proxy:static:x", ["K"]), ("proxy:fail:y", ["k"]),
                 (world.spec("absent"), ["k"]), (rules, ["Exact", "EXACT", "exact"]),
                 ("proxy:lmdb:/not/listed", ["k"]), ("proxy:nonsense", ["k"])]
        for spec, some in asked:
            for key in some:
                for options in ([], ["-f"], ["-u"], ["-N"]):
                    words = [*options, "-q", key, spec]
                    if options and key not in ("Mixed@Example.ORG", "Ä", "Exact"):
                        continue
                    # A proxymap process that is new opens the table as its first client wants it,
                    # with or without UTF-8, and so it stays for those who come later.
                    if options == ["-u"] and key == "Ä":
                        continue
                    ours, theirs = (side.run(*words) for side in world.sides)
                    same(ours[:2], theirs[:2], f"{words}: {ours[2]} {theirs[2]}")
        given = b"a\nA\nb\nabsent\nMixed@Example.ORG\n" * 30
        ours, theirs = (side.run("-q", "-", world.spec("table"), given=given)
                        for side in world.sides)
        same(ours, theirs, "batch")
        same(world.ours.must("-q", "EXACT", rules), b"upper\n", "patterns' keys are not folded")


def changes():
    with World() as world:
        spec = world.spec("data/own")
        same(world.dictum("put", spec, "New", "one two")[0], OK, "put")
        for side in world.sides:
            same(side.must("-q", "new", spec), b"one two\n", side.name)
        for how, value in (("refuse", b"one two\n"), ("ignore", b"one two\n"), ("replace", b"x\n")):
            world.dictum("put", "--duplicates", how, spec, "new", "x")
            same(world.dictum("get", spec, "new")[1], value, how)
        status, _, said = world.dictum("put", "-0", spec, "-", given=b"k\0a\0")
        same(status, OK, said)
        same(world.ours.run("-d", "old", spec)[0], 0, "ours -d")
        same(world.theirs.run("-q", "old", spec)[0], 1, "gone")
        for side in world.sides:
            same(side.run("-d", "old", spec)[0], 1, f"{side.name} -d of nothing")
            check(side.run("-d", "a", world.spec("table"))[0] != 0, "not for writing")
            check(side.run("-s", spec)[0] != 0, f"{side.name}: no list")
        status, _, said = world.dictum("put", world.spec("table"), "a", "x")
        check(status == CONFIG and "proxywrite service is not configured" in said, said)


def session_of_server():
    """What happens to the server while a table is open."""
    with World() as world:
        with world.session(world.spec("table"), "--timeout", "2s") as session:
            same(session.ask("a"), ("ok", "one"), "at first")
            for pid in world.proxymaps():
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.2)
            session.ask_until("b", ("ok", "two words"))
            pids = world.proxymaps()
            stop_short(pids)
            try:
                status = within(2, "hanging", lambda: session.ask("a"))[0]
                same(status, "retry", "the server hangs")
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            session.ask_until("a", ("ok", "one"))
            world.stop()
            same(within(2, "stopped", lambda: session.ask("a"))[0], "retry", "Postfix is stopped")
            world.start()
            session.ask_until("a", ("ok", "one"))


def without_server():
    """Where there is no socket, the other table is opened here."""
    with Bench("queue_directory = /nonexistent\n") as bench:
        path = bench.source("table", TABLE)
        bench.ours.must(f"lmdb:{path}")
        rules = bench.source("rules", RULES)
        spec = f"proxy:lmdb:{path}"
        same(bench.dictum("get", spec, "MIXED@example.org")[:2], (OK, b"Mixed\n"), "folded")
        same(bench.dictum("get", f"proxy:regexp:{rules}", "EXACT")[1], b"upper\n", "not folded")
        same(bench.dictum("get", spec, "-", given=b"a\nabsent\nB\n")[:2],
             (ABSENT, b"a\tone\nB\ttwo words\n"), "batch")
        same(len(lines_of(bench.dictum("list", spec)[1])), 5, "list")
        same(bench.dictum("put", spec, "c", "three")[0], OK, "put")
        same(bench.dictum("get", f"lmdb:{path}", "c")[1], b"three\n", "there")
        same(bench.dictum("del", spec, "c")[0], OK, "del")
        same(bench.dictum("del", spec, "c")[0], ABSENT, "del again")
        same(bench.dictum("get", "proxy:fail:x", "c")[0], RETRY, "fail")
        same(bench.dictum("get", f"proxy:lmdb:{bench.home}/absent", "c")[0], CONFIG, "absent")
        same(bench.dictum("get", "proxy:nonsense", "c")[0] != OK, True, "no type")
        check(bench.dictum("build", spec, "x")[0] != OK, "build is refused")


def message(*pairs):
    return b"".join(part + b"\0" for part in pairs) + b"\0"


HELLO = message(b"protocol", b"proxymap_protocol")


def other_servers():
    """What listens there may be something else, or out of its mind."""

    def saying(*parts):
        def serve(conn):
            conn.sendall(parts[0])
            for part in parts[1:]:
                if not conn.recv(65536):
                    return
                conn.sendall(part)

        return serve

    opened = message(b"status", b"0", b"flags", b"16")
    cases = [("other protocol", saying(message(b"protocol", b"smtp")), RETRY),
             ("smtp", saying(b"220 mail.example ESMTP\r\n"), RETRY),
             ("silence", lambda conn: time.sleep(30), RETRY),
             ("end", lambda conn: None, RETRY),
             ("reset", reset, RETRY),
             ("empty message", saying(HELLO, b"\0"), RETRY),
             ("no status", saying(HELLO, opened, message(b"value", b"x")), RETRY),
             ("no value", saying(HELLO, opened, message(b"status", b"0")), RETRY),
             ("odd status", saying(HELLO, opened, message(b"status", b"x", b"value", b"y")), RETRY),
             ("new status", saying(HELLO, opened, message(b"status", b"77", b"value", b"")), RETRY),
             ("endless", saying(HELLO, opened, b"status\0" + b"0" * 5000000), RETRY),
             ("half", saying(HELLO, opened, b"status\0000\0val"), RETRY),
             ("status 5", saying(HELLO, opened, message(b"status", b"5", b"value", b"")), CONFIG),
             ("more", saying(HELLO, opened, message(b"x", b"y", b"status", b"0", b"value", b"v")),
              OK)]
    for what, serve, wanted in cases:
        with Bench() as bench:
            private = bench.home / "private"
            private.mkdir()
            with Peer(serve, "unix", private) as peer:
                os.symlink(peer.address, private / "proxymap")
                with open(bench.home / "etc/main.cf", "a", encoding="ascii") as file:
                    file.write(f"queue_directory = {bench.home}\n")
                check(stat.S_ISSOCK(os.stat(private / "proxymap").st_mode), "socket")
                status, out, said = within(6, what, lambda: bench.dictum(
                    "get", "--timeout", "1s", "proxy:static:x", "k"))
                same((status, out), (wanted, b"v\n" if wanted == OK else b""), f"{what}: {said}")


CASES = [
    ("beside Postfix: lookups", lambda: beside_postfix("no")),
    ("beside Postfix: lookups with UTF-8", lambda: beside_postfix("yes")),
    ("beside Postfix: changes", changes),
    ("a server that goes, hangs and comes back", session_of_server),
    ("without a server", without_server),
    ("servers of another kind, or out of their mind", other_servers),
]

if __name__ == "__main__":
    require(THEIR_POSTMAP, "/usr/sbin/postconf")
    if os.geteuid() != 0:
        print("1..0 # SKIP Postfix can only be started by root")
        sys.exit(0)
    run(CASES)
