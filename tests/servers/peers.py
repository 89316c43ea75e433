# SPDX-License-Identifier: BSD-2-Clause
"""peers.py - small servers for tests, good ones and bad ones, and what asks them.

A Peer listens on a free port of the loopback interface or on a Unix socket and runs a function for
each connection. What the function does with it is up to it; `netstrings` and `lines` make functions
that serve a table the way socketmap and tcp servers do.
"""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "compat")]
from pair import Pair  # noqa: E402
from tap import check  # noqa: E402

DICTUM = os.environ["DICTUM"]
PLUGINS = pathlib.Path(os.environ["DICTUM_PLUGIN_DIR"])
OK, ABSENT, INVALID, RETRY, CONFIG = 0, 1, 65, 75, 78
SLACK = 20  # seconds that a loaded machine may add to a time-out


class Peer:
    """A server; a `with` statement starts and stops it."""

    def __init__(self, serve, kind="ipv4", folder=None, port=0):
        self.serve = serve
        self.kind = kind
        self.connections = 0
        self.open = set()
        self.lock = threading.Lock()
        if kind == "unix":
            self.address = str(pathlib.Path(folder) / "peer.sock")
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket(socket.AF_INET6 if kind == "ipv6" else socket.AF_INET)
            self.address = ("::1" if kind == "ipv6" else "127.0.0.1", port)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(self.address)
        self.sock.listen(128)
        if kind != "unix":
            self.address = self.sock.getsockname()[:2]

    @property
    def tcp(self):
        """What the type tcp calls it."""
        host, port = self.address
        return f"[{host}]:{port}" if self.kind == "ipv6" else f"{host}:{port}"

    @property
    def service(self):
        """What the type socketmap calls it."""
        return f"unix:{self.address}" if self.kind == "unix" else f"inet:{self.tcp}"

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.drop()

    def drop(self):
        """Ends every connection."""
        with self.lock:
            for conn in self.open:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(conn)
            threading.Thread(target=self.run_one, args=(conn,), daemon=True).start()

    def run_one(self, conn):
        try:
            self.serve(conn)
        except OSError:
            pass
        with self.lock:
            self.open.discard(conn)
        conn.close()


def reset(conn):
    """Ends a connection with an error for the other side."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


# ---- the two protocols: a reader gives the next question or None, a writer takes an answer -----


def read_netstring(file):
    digits = b""
    while not digits.endswith(b":"):
        more = file.read(1)
        if not more:
            return None
        digits += more
    body = file.read(int(digits[:-1]))
    return body if file.read(1) == b"," else None


def netstring(body):
    return b"%d:%s," % (len(body), body)


def read_line(file):
    line = file.readline()
    return line[:-1] if line.endswith(b"\n") else None


def serving(read, answer, pause=0, limit=None, log=None):
    """Serves one question at a time. @param answer  makes bytes of a question
    @param limit  ends the connection after so many answers"""

    def serve(conn):
        with conn.makefile("rb") as file:
            count = 0
            while count != limit:
                question = read(file)
                if question is None:
                    return
                if log is not None:
                    log.append(question)
                if pause:
                    time.sleep(pause)
                conn.sendall(answer(question))
                count += 1

    return serve


def scripted(read, *replies):
    """Answers the questions of all connections with these, in order; the last one is repeated.
    None ends the connection in place of an answer."""
    left = list(replies)

    def serve(conn):
        with conn.makefile("rb") as file:
            while read(file) is not None:
                reply = left.pop(0) if len(left) > 1 else left[0]
                if reply is None:
                    return
                conn.sendall(reply)

    return serve


# ---- those who ask ----------------------------------------------------------------------------


class Bench(Pair):
    """Postfix's programs and ours, and a folder."""

    def __init__(self, settings=""):
        super().__init__(settings="smtputf8_enable = no\n" + settings)
        self.env = self.ours.env

    def dictum(self, *words, given=b""):
        """@return status, output, messages"""
        done = subprocess.run([DICTUM, *map(os.fsencode, words)], input=given,
                              capture_output=True, env=self.env, check=False, timeout=300)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def session(self, spec, *options):
        return Session(spec, *options, env=self.env)


class Session:
    """One long run of `dictum get`, so that connections last from question to question."""

    def __init__(self, spec, *options, env=None):
        self.process = subprocess.Popen([DICTUM, "get", "--json", *options, spec, "-"], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def ask(self, key):
        """@return the status and the value, or None"""
        self.process.stdin.write(key.encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        check(line, "the program ended")
        answer = json.loads(line)
        return answer["status"], answer.get("value")

    def ask_until(self, key, wanted):
        """For a table that core has taken out of service for a moment."""
        until = time.monotonic() + SLACK
        while (got := self.ask(key)) != wanted:
            check(got[0] == "retry" and time.monotonic() < until, f"{key}: {got}")
            time.sleep(0.05)


def within(seconds, what, function):
    begun = time.monotonic()
    result = function()
    took = time.monotonic() - begun
    check(took < seconds + SLACK, f"{what} took {took:.1f} s")
    return result


def crowd(spec, module, env, threads=32, seconds=2):
    """@return the program that asks with many threads and a child process (crowd.c)"""
    folder = pathlib.Path(os.environ["TOP_BUILDDIR"]) / "tests/servers"
    program = next(p for p in (folder / ".libs/crowd", folder / "crowd") if p.exists())
    return subprocess.Popen([str(program), str(PLUGINS / module), spec, str(threads), str(seconds)],
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def crowd_result(process):
    said = process.communicate(timeout=300)[0]
    check(process.returncode == 0, f"status {process.returncode}: {said}")
    check(" 0 wrong" in said and " 0 found" not in said, said)
    return said
