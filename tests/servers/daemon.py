# SPDX-License-Identifier: BSD-2-Clause
"""daemon.py - what real servers for tests share: ports, users, and the life of one process."""

import os
import pathlib
import pwd
import shlex
import signal
import socket
import subprocess
import sys
import time

PATIENCE = 20  # seconds, until a server that does not answer has failed


def free_port(family=socket.AF_INET):
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


def stop_short(pids):
    """Stops processes where they are. A signal takes its time; nobody runs any more afterwards."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            pass
    until = time.monotonic() + PATIENCE
    while any(map(runs, pids)):
        if time.monotonic() > until:
            raise RuntimeError("a process does not stop")
        time.sleep(0.001)


def runs(pid):
    """Is any of its threads neither stopped nor gone?"""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "TtZX":
            return True
    return False


def server_user(*names):
    """Arguments for subprocess: who runs a server that refuses to be root, the first that is."""
    if os.geteuid() != 0:
        return {}
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user who could run the server")


class Wire:
    """A connection to a server, byte by byte."""

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


class Daemon:
    """One server that is one process; a `with` statement starts and stops it.

    A subclass says NAME, of the process and of its files; URI, what stands before an address in a
    setting; and has the methods arguments(), wire() and is_ready()."""

    NAME = URI = None

    def __init__(self, folder, *options, kind="ipv4"):
        """kind: ipv4, ipv6, or unix for a socket in @p folder"""
        self.folder = pathlib.Path(folder).absolute()
        self.options = options
        self.process = None
        if kind == "unix":
            self.family = socket.AF_UNIX
            self.address = str(self.folder / f"{self.NAME}.sock")
            self.setting = f"unix:{self.address}"
            return
        self.family = socket.AF_INET6 if kind == "ipv6" else socket.AF_INET
        host, port = "::1" if kind == "ipv6" else "127.0.0.1", free_port(self.family)
        self.address = (host, port)
        self.setting = f"{self.URI}[{host}]:{port}" if kind == "ipv6" else f"{self.URI}{host}:{port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, and waits until it answers."""
        words = self.arguments()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with self.wire() as wire:
                    self.is_ready(wire)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise
                time.sleep(0.01)  # until it listens

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
        stop_short([self.process.pid])

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        """Another one in its place, which is empty."""
        self.stop()
        self.start()


# ---- as a program ----------------------------------------------------------------------------


def start(make, words):
    kind = "ipv4"
    while words and words[0] in ("--unix", "--ipv6"):
        kind = words.pop(0)[2:]
    server = make(words[0], *words[1:], kind=kind)
    server.start()
    (server.folder / f"{make.NAME}.pid").write_text(f"{server.process.pid}\n")
    print(f"{make.NAME.upper()}={shlex.quote(server.setting)}")
    print(f"{make.NAME.upper()}_PID={server.process.pid}")


def is_running(make, pid):
    """The number may be another's by now."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith(make.NAME)
    except OSError:
        return False


def stop(make, words):
    path = pathlib.Path(words[0]) / f"{make.NAME}.pid"
    pid = int(path.read_text())
    until = time.monotonic() + PATIENCE
    if is_running(make, pid):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    while is_running(make, pid) and time.monotonic() < until:
        time.sleep(0.01)
    path.unlink()


def main(usage, make, words):
    """The program `start FOLDER | stop FOLDER` for the Daemon @p make. @return its status"""
    commands = {"start": start, "stop": stop}
    if len(words) < 2 or words[0] not in commands:
        print(usage, file=sys.stderr)
        return 64
    commands[words[0]](make, words[1:])
    return 0
