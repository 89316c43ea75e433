#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""redis.py start [--unix] [--ipv6] FOLDER [OPTION...] | stop FOLDER - a real Redis server for tests.

As a program: `start` starts one on a free port of the loopback interface (or on a socket in FOLDER)
with Redis's own OPTIONs, and prints shell variables: REDIS, what a table's setting `hosts` names,
and REDIS_PID. `stop` ends the one that was started with FOLDER.

As a module: the class Redis, whose server may be killed, stopped short and started again.
"""

import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time

PROGRAM = "redis-server"
PATIENCE = 20  # seconds, until a server that does not answer has failed


def free_port(family=socket.AF_INET):
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisError(Exception):
    """What the server calls an error."""


class Wire:
    """The protocol, byte by byte."""

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


class Redis:
    """One server; a `with` statement starts and stops it."""

    def __init__(self, folder, *options, kind="ipv4"):
        """kind: ipv4, ipv6, or unix for a socket in @p folder"""
        self.folder = pathlib.Path(folder).absolute()
        self.options = options
        self.process = None
        if kind == "unix":
            path = str(self.folder / "redis.sock")
            self.family, self.address = socket.AF_UNIX, path
            self.setting = f"unix:{path}"
            self.listen = ["--port", "0", "--unixsocket", path]
        else:
            self.family = socket.AF_INET6 if kind == "ipv6" else socket.AF_INET
            host = "::1" if kind == "ipv6" else "127.0.0.1"
            port = free_port(self.family)
            self.address = (host, port)
            self.setting = f"[{host}]:{port}" if kind == "ipv6" else f"{host}:{port}"
            self.listen = ["--bind", host, "--port", str(port)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, and waits until it answers."""
        words = [PROGRAM, *self.listen, "--dir", str(self.folder), "--save", "", "--appendonly",
                 "no", *self.options]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with self.wire() as wire:
                    wire("PING")
                return
            except RedisError:
                return  # it wants a password
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
    server = Redis(folder, *words, kind=kind)
    server.start()
    (folder / "redis.pid").write_text(f"{server.process.pid}\n")
    print(f"REDIS={shlex.quote(server.setting)}")
    print(f"REDIS_PID={server.process.pid}")


def is_redis(pid):
    """The number may be another's by now."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("redis")
    except OSError:
        return False


def stop(words):
    path = pathlib.Path(words[0]) / "redis.pid"
    pid = int(path.read_text())
    until = time.monotonic() + PATIENCE
    if is_redis(pid):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    while is_redis(pid) and time.monotonic() < until:
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
