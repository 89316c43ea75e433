#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""memcached.py start [--unix] [--ipv6] FOLDER [OPTION...] | stop FOLDER - a real memcached for tests.

As a program: `start` starts one on a free port of the loopback interface (or on a socket in FOLDER)
with memcached's own OPTIONs, and prints shell variables: MEMCACHED, what a table's setting
`memcache` names, and MEMCACHED_PID. `stop` ends the one that was started with FOLDER.

As a module: the class Memcached, whose server may be killed, stopped short and started again.
"""

import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import daemon  # noqa: E402

PROGRAM = "memcached"
USER = "nobody"  # it refuses to be root


def find_program():
    for folder in [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/sbin"]:
        path = os.path.join(folder, PROGRAM)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(PROGRAM)


class Wire(daemon.Wire):
    """The text protocol."""

    def line(self, command):
        """Sends a command. @return the first line of the reply"""
        self.sock.sendall(command + b"\r\n")
        return self.file.readline().rstrip(b"\r\n")

    def set(self, key, value, flags=0, ttl=0):
        return self.line(b"set %s %d %d %d\r\n%s" % (key, flags, ttl, len(value), value))

    def get(self, key):
        """@return (value, flags), or None"""
        words = self.line(b"get " + key).split()
        if words == [b"END"]:
            return None
        value = self.file.read(int(words[3]) + 2)[:-2]
        if self.file.readline() != b"END\r\n":
            raise ValueError("more than one value")
        return value, int(words[2])

    def seconds_left(self, key):
        """@return how long the value is kept; -1: for ever; None: it is not there"""
        words = self.line(b"mg " + key + b" t").split()
        return int(words[1][1:]) if words[0] == b"HD" else None

    def stats(self):
        stats = {}
        line = self.line(b"stats")
        while line != b"END":
            _, name, value = line.split(b" ", 2)
            stats[name.decode()] = value.decode()
            line = self.file.readline().rstrip(b"\r\n")
        return stats


class Memcached(daemon.Daemon):
    NAME, URI = PROGRAM, "inet:"

    def arguments(self):
        words = [find_program(), *self.listen(), *self.options]
        if os.geteuid() == 0:
            words += ["-u", USER]
            if self.family == socket.AF_UNIX:
                os.chmod(self.folder, 0o777)
        if self.family == socket.AF_UNIX:
            pathlib.Path(self.address).unlink(missing_ok=True)
        return words

    def listen(self):
        if self.family == socket.AF_UNIX:
            return ["-s", self.address, "-a", "0777"]
        host, port = self.address
        return ["-l", host, "-p", str(port), "-U", "0"]

    def wire(self):
        return Wire(self.family, self.address)

    @staticmethod
    def is_ready(wire):
        wire.line(b"version")


if __name__ == "__main__":
    sys.exit(daemon.main(__doc__, Memcached, sys.argv[1:]))
