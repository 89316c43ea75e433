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
import shlex
import signal
import socket
import subprocess
import sys
import time

PROGRAM = "memcached"
USER = "nobody"  # it refuses to be root
PATIENCE = 20    # seconds, until a server that does not answer has failed


def find_program():
    for folder in [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/sbin"]:
        path = os.path.join(folder, PROGRAM)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(PROGRAM)


def free_port(family=socket.AF_INET):
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


class Wire:
    """The text protocol, byte by byte."""

    def __init__(self, family, address):
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(address)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

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


class Memcached:
    """One server; a `with` statement starts and stops it."""

    def __init__(self, folder, *options, kind="ipv4"):
        """kind: ipv4, ipv6, or unix for a socket in @p folder"""
        self.folder = pathlib.Path(folder)
        self.options = options
        self.process = None
        if kind == "unix":
            path = str(self.folder / "memcached.sock")
            self.family, self.address = socket.AF_UNIX, path
            self.setting = f"unix:{path}"
            self.listen = ["-s", path, "-a", "0777"]
        else:
            self.family = socket.AF_INET6 if kind == "ipv6" else socket.AF_INET
            host = "::1" if kind == "ipv6" else "127.0.0.1"
            port = free_port(self.family)
            self.address = (host, port)
            self.setting = f"inet:[{host}]:{port}" if kind == "ipv6" else f"inet:{host}:{port}"
            self.listen = ["-l", host, "-p", str(port), "-U", "0"]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, and waits until it answers."""
        words = [find_program(), *self.listen, *self.options]
        if os.geteuid() == 0:
            words += ["-u", USER]
            if self.family == socket.AF_UNIX:
                os.chmod(self.folder, 0o777)
        if self.family == socket.AF_UNIX:
            pathlib.Path(self.address).unlink(missing_ok=True)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with self.wire() as wire:
                    wire.line(b"version")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise
                time.sleep(0.01)  # until it listens

    def wire(self):
        return Wire(self.family, self.address)

    def stop(self):
        if self.process is None:
            return
        self.resume()
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process = None

    def kill(self):
        """As a crash does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process = None

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        """Another one in its place, which is empty."""
        self.stop()
        self.start()


# ---- as a program ----------------------------------------------------------------------------


def start(words):
    kind = "ipv4"
    while words and words[0] in ("--unix", "--ipv6"):
        kind = words.pop(0)[2:]
    folder = pathlib.Path(words.pop(0))
    server = Memcached(folder, *words, kind=kind)
    server.start()
    (folder / "memcached.pid").write_text(f"{server.process.pid}\n")
    print(f"MEMCACHED={shlex.quote(server.setting)}")
    print(f"MEMCACHED_PID={server.process.pid}")


def is_memcached(pid):
    """The number may be another's by now."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == PROGRAM
    except OSError:
        return False


def stop(words):
    path = pathlib.Path(words[0]) / "memcached.pid"
    pid = int(path.read_text())
    until = time.monotonic() + PATIENCE
    if is_memcached(pid):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    while is_memcached(pid) and time.monotonic() < until:
        time.sleep(0.01)
    path.unlink()


def main(words):
    commands = {"start": start, "stop": stop}
    if len(words) < 2 or words[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 64
    commands[words[0]](words[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
