# SPDX-License-Identifier: BSD-2-Clause
"""sources.py - the source text cannot be had, or not all of it."""

import os
import signal
import subprocess
import time

from kills import SlowSource, signal_after
from lab import DICTUM, NOBODY, POSTMAP, Generation, Table, check, need_root

ENTRIES = 5000


def refuse(table, result, generation, *named, others=()):
    table.check_refused(result, *named)
    table.check_whole(generation)
    table.check_folder(*others)


def missing_source(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    old = Generation(1, ENTRIES)
    table.build(old)
    table.source.rename(lab.home / "elsewhere")
    for words in table.builders():
        result = lab.run(*words)
        (lab.home / "elsewhere").rename(table.source)
        refuse(table, result, old, table.source)
        table.source.rename(lab.home / "elsewhere")


def unreadable_source(lab, kind):
    need_root()
    table = Table(lab, kind, lab.folder("t", 0o755, NOBODY))
    old = Generation(1, ENTRIES)
    table.build(old, user=NOBODY)
    table.source.chmod(0)
    for words in table.builders():
        refuse(table, lab.run(*words, user=NOBODY), old, table.source)


def folder_as_source(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    old = Generation(1, ENTRIES)
    table.build(old)
    folder = lab.folder("folder")
    refuse(table, lab.run(DICTUM, "build", table.spec, folder), old, folder)


def reading_fails(lab, kind):
    """The first page of a process's memory can be opened, but not read."""
    table = Table(lab, kind, lab.folder("t"))
    old = Generation(1, ENTRIES)
    table.build(old)
    refuse(table, lab.run(DICTUM, "build", table.spec, "/proc/self/mem"), old, "/proc/self/mem")
    folder = os.open("/", os.O_RDONLY)
    result = lab.run(DICTUM, "build", table.spec, "-", stdin_file=folder)
    os.close(folder)
    refuse(table, result, old, "stdin", "standard input")
    table.source.unlink()
    table.source.symlink_to("/proc/self/mem")
    for words in table.builders():
        refuse(table, lab.run(*words), old, table.source)


def no_standard_input(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    old = Generation(1, ENTRIES)
    table.build(old)
    words = [DICTUM, "build", table.spec, "-"]
    result = lab.run("sh", "-c", 'exec "$@" <&-', "sh", *words)
    refuse(table, result, old, "stdin", "standard input")


def closed_descriptors(lab, kind):
    """Warnings must not go into the table because it was given the number of standard error."""
    table = Table(lab, kind, lab.folder("t"))
    new = Generation(2, ENTRIES)
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        for words in table.builders():
            table.build(Generation(1, 100))
            table.source.write_bytes(new.text() + new.lines()[7].encode() * 20 + b"noise\n")
            lab.succeed("sh", "-c", f'exec "$@" {closed}', "sh", *words)
            table.check_whole(new)
            table.check_folder()


def vanishes_while_read(lab, kind):
    """What is open can be read to its end, whatever happens to its name."""
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, ENTRIES), Generation(2, ENTRIES)
    for half in (1, ENTRIES // 2, ENTRIES):
        table.build(old)
        source = SlowSource(lab.home)
        process = lab.start(DICTUM, "build", table.spec, source.path)
        source.open()
        source.give("".join(new.lines()[:half]).encode())
        source.path.rename(lab.home / "gone")
        (lab.home / "gone").unlink()
        source.give("".join(new.lines()[half:]).encode())
        source.pipe.close()
        _, said = process.communicate()
        check(process.returncode == 0, f"status {process.returncode}: {said.decode()}")
        table.check_whole(new)
        table.check_folder()


def truncated_while_read(lab, kind):
    """The builder is stopped at some moment, half of its source taken away, and let go on. It may
    say that it will not have this, or take what is left; never break, and never invent entries."""
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, ENTRIES), Generation(2, 20 * ENTRIES)
    table.build(new)
    begin = time.monotonic()
    lab.succeed(POSTMAP, table.spec)
    took = time.monotonic() - begin
    text = new.text()
    cut = text.index(b"\n", len(text) // 2) - 3
    cut_short = text[text.rindex(b"\n", 0, cut) + 1:cut]
    possible = set(text.splitlines()) | {cut_short}
    kept = 0
    for i in range(20):
        table.build(old)
        table.write_source(new)
        process = lab.start(*table.builders()[i % 2])
        if not stop_after(process, took * i / 20):
            continue
        os.truncate(table.source, cut)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate()
        check(process.returncode >= 0, f"the builder died of signal {-process.returncode}")
        table.check_folder()
        if process.returncode != 0:
            check(str(table.source) in said.decode(), f"a message without the file: {said.decode()}")
            table.check_whole(old)
            kept += 1
            continue
        entries = table.dump(POSTMAP).splitlines()
        check(len(entries) >= new.count // 2 - 1, f"only {len(entries)} entries")
        check(possible.issuperset(entries), "entries that no line of the source has")
    return f"refused {kept} times of 20"


def stop_after(process, delay):
    """@return whether it still runs, and is stopped now"""
    try:
        process.wait(delay)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True
        process.returncode = os.waitstatus_to_exitcode(status)
        return False


def silent_source(lab, kind):
    """A builder that waits for a source which says nothing can be told to give up."""
    table = Table(lab, kind, lab.folder("t"))
    old = Generation(1, ENTRIES)
    table.build(old)
    for number in (signal.SIGTERM, signal.SIGINT):
        source = SlowSource(lab.home)
        process = lab.start(DICTUM, "build", table.spec, source.path)
        source.open()
        check(signal_after(process, 0.05, number), f"it did not end by {number.name}")
        source.close()
        table.check_whole(old)
        table.check_folder()


CASES = (
    missing_source,
    unreadable_source,
    folder_as_source,
    reading_fails,
    no_standard_input,
    closed_descriptors,
    vanishes_while_read,
    truncated_while_read,
    silent_source,
)
