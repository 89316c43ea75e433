# SPDX-License-Identifier: BSD-2-Clause
"""asker.py - drives asker.c, a program that keeps tables open."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tap import Fault  # noqa: E402 (found by the line above)


def to_hex(text):
    data = text if isinstance(text, bytes) else text.encode()
    return data.hex() or "-"


def from_hex(word):
    return b"" if word == "-" else bytes.fromhex(word)


class Answer:
    """What came of one call."""

    def __init__(self, status, ms, text):
        self.status = status
        self.ms = float(ms)
        self.text = from_hex(text).decode(errors="replace")

    def __repr__(self):
        return f"{self.status} in {self.ms} ms: {self.text!r}"


class Asker:
    """The program; a `with` statement ends it. What it prints to standard error fails the test."""

    def __init__(self, **env):
        program = pathlib.Path(os.environ["TOP_BUILDDIR"]) / "tests/servers/asker"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.env.update(LC_ALL="C", **{k: str(v) for k, v in env.items()})
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=self.env)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        said = self.finish()
        if kind is None and said:
            raise Fault(f"it printed {said!r:.2000}")

    def finish(self):
        """@return what it printed to standard error"""
        _, said = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise Fault(f"it ended with {self.process.returncode}: {said!r:.3000}")
        return said

    def tell(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Fault(f"it is gone: {self.process.stderr.read()!r:.3000}")
        return line.decode().split()

    def open(self, spec, slot=0):
        status, text = self.tell("open", slot, spec)
        return Answer(status, 0, text)

    def must_open(self, spec, slot=0):
        answer = self.open(spec, slot)
        if answer.status != "ok":
            raise Fault(f"open {spec}: {answer}")

    def close(self, slot=0):
        self.tell("close", slot)

    def timeout(self, ms, slot=0):
        self.tell("timeout", slot, ms)

    def get(self, key, slot=0):
        return Answer(*self.tell("get", slot, to_hex(key)))

    def many(self, keys, slot=0):
        """@return the call's answer, and a list of (status, value) pairs"""
        status, ms, text, *each = self.tell("many", slot, *map(to_hex, keys))
        pairs = [word.split(":") for word in each]
        return Answer(status, ms, text), [(one, from_hex(value)) for one, value in pairs]

    def file(self, path, slot=0):
        status, ms, found = self.tell("file", slot, path)
        return Answer(status, ms, "-"), int(found)

    def begin(self, path, threads, slot=0):
        self.tell("begin", slot, threads, path)

    def end(self):
        return {k: int(v) for k, v in (word.split("=") for word in self.tell("end"))}

    def fork(self, key, slot=0):
        return self.tell("fork", slot, to_hex(key))

    def events(self):
        """@return (level, text) pairs"""
        pairs = [word.split(":") for word in self.tell("events")]
        return [(int(level), from_hex(text).decode()) for level, text in pairs]

    def sockets(self):
        """How many sockets it has open."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/fd")
        return sum(1 for fd in folder.iterdir() if os.readlink(fd).startswith("socket:"))
