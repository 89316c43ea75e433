# SPDX-License-Identifier: BSD-2-Clause
"""sqltest.py - what tests of pgsql, mysql and mongodb tables share: a folder with settings files,
and a program that asks."""

import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from asker import Asker  # noqa: E402
from mailschema import settings  # noqa: E402
from tap import Fault, check, require  # noqa: E402

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what stops the servers

SLACK = 2500  # milliseconds by which a call may miss its deadline, on a busy machine


class Bench:
    """A folder for settings files; a `with` statement removes it. A subclass says which TYPE of
    table, the program SERVER that it needs, and what finds that."""

    TYPE = SERVER = programs = None

    def __init__(self):
        if not self.programs():
            require(self.SERVER)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"dictum-{self.TYPE}-"))
        self.home.chmod(0o755)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def file(self, name, text, mode=0o644):
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def spec(self, server, query, **more):
        """A new table."""
        self.count += 1
        return f"{self.TYPE}:{self.file(f'table{self.count}.cf', settings(server, query, **more))}"

    def ask(self, server, query, key="key", env=None, ms=5000, **more):
        """One question by a new program. @return its answer"""
        with Asker(**(env or {})) as asker:
            answer = asker.open(self.spec(server, query, **more))
            if answer.status != "ok":
                return answer
            asker.timeout(ms)
            return asker.get(key)


def expect(answer, status, text="", what=""):
    if answer.status != status or text not in answer.text:
        raise Fault(f"{what}: got {answer}, expected {status} with {text!r}")


def within(answer, ms):
    check(answer.ms < ms + SLACK, f"it took {answer.ms} ms, not {ms}")


def eventually(test, what, patience=20):
    end = time.monotonic() + patience
    while not test():
        check(time.monotonic() < end, what)
        time.sleep(0.05)


def pairs_file(bench, n, domains):
    """Lines "key<TAB>value" as a database of `n` entries has them, and keys that are not there."""
    lines = [f"user{i}@d{i % domains}.example\tbox{i}@mail.example" for i in range(1, n) if i % 10]
    lines += [f"nobody{i}@d{i}.example" for i in range(n // 4)]
    return bench.file("pairs", "".join(f"{line}\n" for line in lines))
