# SPDX-License-Identifier: BSD-2-Clause
"""watcher.py - drives watcher.c: threads that ask a table while a test does things to its server."""

import os
import pathlib
import subprocess
import time

THREADS = 32
TIMEOUT_MS = 2000
KEYS = 2000


def key(number):
    return f"user{number:06}@example.org"


def value(number):
    return f"mailbox{number:06}"


class Watcher:
    """The program, asking all the time; a `with` statement ends it."""

    def __init__(self, spec, threads=THREADS, env=None):
        program = pathlib.Path(os.environ["TOP_BUILDDIR"]) / "tests/outage/watcher"
        self.process = subprocess.Popen([program, str(threads), str(TIMEOUT_MS), str(KEYS), spec],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.sums = {"worst_ms": 0.0, "stale": 0, "wrong": 0, "first_wrong": "-"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.finish()

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the watcher is gone, with {self.process.wait()}: "
                               f"{self.process.stderr.read()[-1000:]}")
        return line

    def phase(self, seconds=0):
        """Lets time pass. @return what was counted meanwhile, by name"""
        time.sleep(seconds)
        words = dict(word.split("=", 1) for word in self.tell("phase").split())
        counts = {name: word if name == "first_wrong" else float(word)
                  for name, word in words.items()}
        self.sums["worst_ms"] = max(self.sums["worst_ms"], counts["worst_ms"])
        self.sums["stale"] += int(counts["stale"])
        self.sums["wrong"] += int(counts["wrong"])
        if self.sums["first_wrong"] == "-":
            self.sums["first_wrong"] = counts["first_wrong"]
        return counts

    def heal(self, patience=20):
        """Waits until every question is answered, with answers that are not from a cache.
        @return how many milliseconds that took"""
        began = time.monotonic()
        while time.monotonic() < began + patience:
            start = time.monotonic()
            counts = self.phase(0.2)
            if counts["retry"] + counts["config"] == 0 and counts["found"] > counts["stale"]:
                return (start - began) * 1000
        return None

    def finish(self):
        _, said = self.process.communicate(timeout=60)
        if self.process.returncode != 0 or said:
            raise RuntimeError(f"the watcher ended with {self.process.returncode}: {said[-1000:]}")
