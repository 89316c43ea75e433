# SPDX-License-Identifier: BSD-2-Clause
"""readers.py - a table is asked, by us and by Postfix, while it is rebuilt again and again."""

import subprocess
import threading
import time

from lab import DICTUM, POSTMAP, THEIRS, Fault, Generation, Table, check, number_of, tell

ENTRIES = 20_000
REBUILDS = 50
BATCH = 100


class Clock:
    """Which generations a reader may see: from the last that was complete when it asked, to the
    last that was begun when it had its answer."""

    def __init__(self):
        self.complete = self.begun = 1
        self.over = False

    def check(self, oldest, number, who):
        check(oldest <= number <= self.begun,
              f"{who} answers from generation {number}, not from {oldest} to {self.begun}")


class Reader(threading.Thread):
    """Asks until the clock stops, and remembers the first thing that went wrong."""

    def __init__(self, lab, table, clock, name):
        super().__init__(name=name)
        self.lab, self.table, self.clock = lab, table, clock
        self.asked = 0
        self.longest = 0.0
        self.fault = None

    def run(self):
        try:
            while not self.clock.over:
                begin = time.monotonic()
                self.ask(self.clock.complete)
                self.longest = max(self.longest, time.monotonic() - begin)
                self.asked += 1
            self.end()
        except Fault as fault:
            self.fault = fault
        except Exception as mistake:  # of the test
            self.fault = repr(mistake)

    def keys(self):
        source = Generation(0, ENTRIES)
        return [source.key(self.asked * BATCH + i) for i in range(BATCH)]

    def ask(self, oldest):
        raise NotImplementedError

    def end(self):
        """When the clock has stopped."""

    def run_program(self, *words):
        result = self.lab.run(*words)
        check(result.returncode == 0, f"{self.name}: status {result.returncode}: {tell(result)}")
        check(not result.stderr, f"{self.name}: {tell(result)}")
        return result.stdout.decode().splitlines()


class OneKey(Reader):
    """A program for each key."""

    def __init__(self, lab, table, clock, name, *words):
        super().__init__(lab, table, clock, name)
        self.words = words

    def ask(self, oldest):
        answer = self.run_program(*self.words, self.keys()[0], self.table.spec)
        check(len(answer) == 1, f"{self.name}: {len(answer)} answers")
        self.clock.check(oldest, number_of(answer[0]), self.name)


class OneBatch(Reader):
    """A program for several keys: they are all there, and from one generation."""

    def ask(self, oldest):
        answers = self.run_program(DICTUM, "get", self.table.spec, *self.keys())
        numbers = {number_of(line.split("\t", 1)[1]) for line in answers}
        check(len(answers) == BATCH, f"{self.name}: {len(answers)} of {BATCH} keys found")
        check(len(numbers) == 1, f"{self.name}: one batch mixes generations {sorted(numbers)}")
        self.clock.check(oldest, numbers.pop(), self.name)


class Dump(Reader):
    """A program that reads everything: of one generation, and all of it."""

    def __init__(self, lab, table, clock, name, *words):
        super().__init__(lab, table, clock, name)
        self.words = words

    def ask(self, oldest):
        lines = self.run_program(*self.words, self.table.spec)
        numbers = {number_of(line.split("\t", 1)[1]) for line in lines}
        check(len(numbers) == 1, f"{self.name}: one dump mixes generations {sorted(numbers)}")
        check(len(lines) == ENTRIES, f"{self.name}: {len(lines)} of {ENTRIES} entries")
        self.clock.check(oldest, numbers.pop(), self.name)


class Resident(Reader):
    """One process that stays and is asked batch after batch: each is of one generation, and it
    takes notice of new ones."""

    def __init__(self, lab, table, clock, name):
        super().__init__(lab, table, clock, name)
        self.process = lab.start(DICTUM, "get", table.spec, "-", stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)

    def ask(self, oldest):
        keys = self.keys()
        self.process.stdin.write("".join(key + "\n" for key in keys).encode())
        self.process.stdin.flush()
        numbers = set()
        for key in keys:
            line = self.process.stdout.readline().decode()
            check(line.startswith(key + "\t"), f"{self.name}: {line!r} for {key}")
            numbers.add(number_of(line.split("\t", 1)[1]))
        check(len(numbers) == 1, f"{self.name}: one batch mixes generations {sorted(numbers)}")
        self.clock.check(oldest, numbers.pop(), self.name)

    def end(self):
        _, said = self.process.communicate()
        check(self.process.returncode == 0 and not said, f"{self.name}: {said.decode()}")


class TheirResident(Reader):
    """Postfix's program stays with the file that it opened, and prints at its end: nothing is
    missing, and time does not run backwards."""

    def __init__(self, lab, table, clock, name):
        super().__init__(lab, table, clock, name)
        self.output = open(lab.home / name, "w+b")
        self.process = lab.start(THEIRS, "-q", "-", table.spec, stdin=subprocess.PIPE,
                                 stdout=self.output)

    def ask(self, oldest):
        self.process.stdin.write("".join(key + "\n" for key in self.keys()).encode())
        self.process.stdin.flush()
        time.sleep(0.01)

    def end(self):
        _, said = self.process.communicate()
        check(self.process.returncode == 0 and not said, f"{self.name}: {said.decode()}")
        self.output.seek(0)
        numbers = [number_of(line.decode().split("\t", 1)[1]) for line in self.output]
        check(len(numbers) == self.asked * BATCH,
              f"{self.name}: {len(numbers)} of {self.asked * BATCH} keys found")
        check(numbers == sorted(numbers), f"{self.name}: an older generation after a newer one")


def rebuild(lab, table, clock):
    for number in range(2, REBUILDS + 2):
        table.write_source(Generation(number, ENTRIES))
        clock.begun = number
        lab.succeed(*table.builders()[number % 2])
        clock.complete = number


def readers_during_rebuilds(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    table.build(Generation(1, ENTRIES))
    clock = Clock()
    readers = [
        OneKey(lab, table, clock, "Postfix's postmap -q", THEIRS, "-q"),
        OneKey(lab, table, clock, "our postmap -q", POSTMAP, "-q"),
        OneBatch(lab, table, clock, "dictum get of many keys"),
        Dump(lab, table, clock, "Postfix's postmap -s", THEIRS, "-s"),
        Dump(lab, table, clock, "dictum list", DICTUM, "list"),
        Resident(lab, table, clock, "a resident dictum get"),
        TheirResident(lab, table, clock, "a resident postmap of Postfix"),
    ]
    for reader in readers:
        reader.start()
    try:
        rebuild(lab, table, clock)
    finally:
        clock.over = True
        for reader in readers:
            reader.join()
    for reader in readers:
        check(not reader.fault, str(reader.fault))
        check(reader.asked > 0, f"{reader.name}: never had an answer")
    table.check_folder()
    waits = ", ".join(f"{reader.name} {reader.longest * 1000:.0f} ms" for reader in readers)
    asked = sum(reader.asked for reader in readers)
    return f"{REBUILDS} rebuilds, asked {asked} times; longest waits: {waits}"


readers_during_rebuilds.kinds = ("hash", "btree", "lmdb")  # Postfix can only list cdb from 3.10 on


CASES = (readers_during_rebuilds,)
