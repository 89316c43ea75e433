# SPDX-License-Identifier: BSD-2-Clause
"""changes.py - the change of a single entry is ended by a signal, at any moment."""

import hashlib
import signal

from kills import TIDY_SIGNALS, changes_of, compile_killat
from lab import DICTUM, POSTMAP, THEIRS, Generation, Table, check, tell

ENTRIES = 300
NEW = "new@example.org", "g1 new"


class Change:
    """One command, and the entries that it leads to."""

    def __init__(self, words, entries, stdin=b""):
        self.words = words
        self.entries = frozenset(entries)
        self.stdin = stdin


def changes_to(table, base):
    """The ways to change one entry, ours and by name."""
    line = "\t".join(NEW).encode()
    gone = base.key(7)
    left = [entry for entry in base.entries if not entry.startswith(gone.encode() + b"\t")]
    return (
        Change([DICTUM, "put", table.spec, *NEW], base.entries | {line}),
        Change([POSTMAP, "-i", table.spec], base.entries | {line}, line + b"\n"),
        Change([DICTUM, "del", table.spec, gone], left),
        Change([POSTMAP, "-d", gone, table.spec], left),
    )


class States:
    """Which of the wanted states a table is in, to Postfix and to us."""

    def __init__(self, table):
        self.table = table
        self.seen = {}

    def check(self, *wanted):
        digest = hashlib.sha256(self.table.file.read_bytes()).digest()
        if digest not in self.seen:
            ours = self.table.dump(POSTMAP).splitlines()
            theirs = self.table.dump(THEIRS).splitlines()
            check(sorted(ours) == sorted(theirs), "we and Postfix disagree")
            check(len(ours) == len(set(ours)), "there are keys twice")
            self.seen[digest] = frozenset(ours)
        check(self.seen[digest] in wanted,
              f"it is in neither state: {len(self.seen[digest])} entries")


def disturb(lab, table, base, change, number):
    """Sends the signal before each change to the file system that `change` makes.
    @return how many there are"""
    killat = compile_killat(lab)
    table.build(base)
    pristine = table.file.read_bytes()
    states = States(table)
    step = 0
    while True:
        step += 1
        table.file.write_bytes(pristine)
        result = lab.run(killat, step, int(number), *change.words, stdin=change.stdin)
        if changes_of(result) < step:
            break
        check(result.returncode == 128 + number,
              f"{change.words[1]}, change {step}: status {result.returncode}: {tell(result)}")
        states.check(base.entries, change.entries)
        if number != signal.SIGKILL:
            table.check_folder()
        elif step % 3 == 0:
            table.file.write_bytes(pristine)
            lab.succeed(*change.words, stdin=change.stdin)
            states.check(change.entries)
            table.check_folder()
    check(result.returncode == 0, f"the undisturbed change failed: {tell(result)}")
    states.check(change.entries)
    table.check_folder()
    return step - 1


def signal_at_every_step_of_a_change(lab, kind):
    """SIGTERM, SIGINT and SIGHUP leave nothing behind, at once; after SIGKILL the next change, or
    build, cleans up."""
    table = Table(lab, kind, lab.folder("t"))
    base = Generation(1, ENTRIES)
    steps = []
    for change in changes_to(table, base):
        steps.append(min(disturb(lab, table, base, change, number)
                         for number in (*TIDY_SIGNALS, signal.SIGKILL)))
    check(min(steps) > 1, f"only {steps} changes were seen")
    return f"put, -i, del, -d: {steps} changes to the file system, four signals before each"


def signal_at_every_step_of_a_first_put(lab, kind):
    """There is no table yet: afterwards there is none, an empty one, or one with the entry."""
    killat = compile_killat(lab)
    table = Table(lab, kind, lab.folder("t"))
    table.source.write_bytes(b"")
    line = "\t".join(NEW).encode()
    for number in (*TIDY_SIGNALS, signal.SIGKILL):
        step = 0
        while True:
            step += 1
            table.file.unlink(missing_ok=True)
            result = lab.run(killat, step, int(number), DICTUM, "put", table.spec, *NEW)
            if changes_of(result) < step:
                break
            if table.file.exists():
                States(table).check(frozenset(), frozenset((line,)))
            if number != signal.SIGKILL:
                table.file.touch()
                table.check_folder()
        check(result.returncode == 0, f"the undisturbed put failed: {tell(result)}")
        States(table).check(frozenset((line,)))
        table.check_folder()
    return f"{step - 1} changes to the file system, four signals before each"


# cdb cannot be changed, only built
signal_at_every_step_of_a_change.kinds = ("hash", "btree", "lmdb")
signal_at_every_step_of_a_first_put.kinds = ("hash", "btree", "lmdb")

CASES = (signal_at_every_step_of_a_change, signal_at_every_step_of_a_first_put)
