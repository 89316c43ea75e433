#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""redis.py start [--unix] [--ipv6] FOLDER [OPTION...] | stop FOLDER - a real Redis server for tests.

As a program: `start` starts one on a free port of the loopback interface (or on a socket in FOLDER)
with Redis's own OPTIONs, and prints shell variables: REDIS, what a table's setting `hosts` names,
and REDIS_PID. `stop` ends the one that was started with FOLDER.

As a module: the class Redis, whose server may be killed, stopped short and started again.
"""

import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import daemon  # noqa: E402

PROGRAM = "redis-server"


class RedisError(Exception):
    """What the server calls an error."""


class Wire(daemon.Wire):
    """The protocol."""

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(words) +
                          b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server ended the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return text
        if kind == b"-":
            raise RedisError(text.decode())
        if kind == b":":
            return int(text)
        if text == b"-1":
            return None
        if kind == b"$":
            return self.file.read(int(text) + 2)[:-2]
        return [self.reply() for _ in range(int(text))]


class Redis(daemon.Daemon):
    NAME, URI = "redis", ""

    def arguments(self):
        return [PROGRAM, *self.listen(), "--dir", str(self.folder), "--save", "", "--appendonly",
                "no", *self.options]

    def listen(self):
        if self.family == socket.AF_UNIX:
            return ["--port", "0", "--unixsocket", self.address]
        host, port = self.address
        return ["--bind", host, "--port", str(port)]

    def wire(self):
        return Wire(self.family, self.address)

    @staticmethod
    def is_ready(wire):
        try:
            wire("PING")
        except RedisError:
            pass  # it wants a password


if __name__ == "__main__":
    sys.exit(daemon.main(__doc__, Redis, sys.argv[1:]))
