# SPDX-License-Identifier: BSD-2-Clause
"""kills.py - a build is ended by a signal, at any moment."""

import fcntl
import os
import pathlib
import shlex
import signal
import struct
import subprocess
import termios
import time

from lab import DICTUM, POSTMAP, Generation, Table, check, tell

MANY = 200_000  # entries of a build that takes its time
SOME = 3_000  # of one that is repeated for each of its system calls
MOMENTS = int(os.environ.get("FAULT_MOMENTS", "24"))  # a night may have thousands
TIDY_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def build_over_time(lab, table):
    """How long an undisturbed build takes."""
    begin = time.monotonic()
    lab.succeed(POSTMAP, table.spec)
    return time.monotonic() - begin


def signal_after(process, delay, number):
    """@return whether the signal came before the end"""
    try:
        process.wait(delay)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        process.communicate()
        return process.returncode == -number


def next_build_cleans_up(table, generation):
    table.build(generation)
    table.check_whole(generation)
    table.check_folder()


def kill_at_any_time(lab, kind):
    """The moments are spread over the time of a build, until enough came before its end."""
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, MANY), Generation(2, MANY)
    table.build(old)
    took = build_over_time(lab, table)
    table.write_source(new)
    hits, tries, survived = 0, 0, {1: 0, 2: 0}
    while hits < MOMENTS:
        check(tries < 4 * MOMENTS, f"only {hits} of {tries} kills came before the end of the build")
        delay = took * (tries * 0.618 % 1)
        tries += 1
        words = table.builders()[tries % 2]
        hit = signal_after(lab.start(*words), delay, signal.SIGKILL)
        took *= 1.03 if hit else 0.9  # other work on the machine comes and goes
        if not hit:
            next_build_cleans_up(table, old)
            table.write_source(new)
            continue
        hits += 1
        number = table.check_whole(old, new)
        survived[number] += 1
        if number == new.number or hits % 6 == 0:
            next_build_cleans_up(table, old)
            table.write_source(new)
    next_build_cleans_up(table, new)
    return f"{hits} kills of {tries} builds, {survived[2]} of them after the last step"


class SlowSource:
    """A FIFO as the source of a build, which gets only as much of it as it is given."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "slow"
        os.mkfifo(self.path)
        self.pipe = None

    def open(self):
        self.pipe = open(self.path, "wb", buffering=0)

    def give(self, data):
        """Returns once the builder has taken it all."""
        view = memoryview(data)
        while view:
            view = view[self.pipe.write(view):]
        while struct.unpack("i", fcntl.ioctl(self.pipe, termios.FIONREAD, b"\0\0\0\0"))[0]:
            time.sleep(0.0005)

    def close(self):
        if self.pipe:
            self.pipe.close()
        self.path.unlink()


def kill_while_reading(lab, kind):
    """After so many entries were taken, and no more are to be had."""
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, MANY // 10), Generation(2, MANY // 10)
    table.build(old)
    lines = new.lines()
    for number in (signal.SIGKILL, *TIDY_SIGNALS):
        for step in range(10):
            source = SlowSource(lab.home)
            process = lab.start(DICTUM, "build", table.spec, source.path)
            source.open()
            source.give("".join(lines[:len(lines) * step // 10 + 1]).encode())
            process.send_signal(number)
            process.communicate()
            source.close()
            check(process.returncode == -number, f"status {process.returncode} after {number.name}")
            check(table.check_whole(old, new) == 1, "half a source became a table")
            if number != signal.SIGKILL:
                table.check_folder()
        next_build_cleans_up(table, old)


def compile_killat(lab):
    source = pathlib.Path(__file__).with_name("killat.c")
    binary = lab.home / "killat"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    lab.succeed(*compiler, "-std=c17", "-D_GNU_SOURCE", "-O1", source, "-o", binary)
    return binary


def changes_of(result):
    text = result.stdout.decode().split()
    check(text and text[-1].isdigit(), f"killat failed: {tell(result)}")
    return int(text[-1])


def sweep(lab, table, old, new, number, after_each):
    """Sends the signal before each change to the file system that a build of `new` over `old`
    makes, one build a change. @return how many there are"""
    killat = compile_killat(lab)
    table.build(old)
    pristine = table.file.read_bytes()
    table.write_source(new)
    step = 0
    while True:
        step += 1
        words = table.builders()[step % 2]
        result = lab.run(killat, step, int(number), *words)
        if changes_of(result) < step:
            break
        check(result.returncode in (0, 128 + number), f"change {step}: status "
              f"{result.returncode}: {tell(result)}")
        check(result.returncode == 128 + number or number != signal.SIGKILL, "it survived SIGKILL")
        table.check_whole(old, new)
        after_each(step)
        table.file.write_bytes(pristine)
    check(result.returncode == 0, f"the undisturbed build failed: {tell(result)}")
    table.check_whole(new)
    table.check_folder()
    check(step > 4, f"only {step - 1} changes were seen")
    return step - 1


def kill_at_every_change(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, SOME), Generation(2, SOME + 500)

    def clean_up_now_and_then(step):
        if step % 5 == 0:
            next_build_cleans_up(table, old)
            table.write_source(new)

    steps = sweep(lab, table, old, new, signal.SIGKILL, clean_up_now_and_then)
    return f"{steps} changes to the file system, a kill before each"


def kill_at_every_change_with_little_memory(lab, kind):
    """Also of those to the temporary files, of which nothing may be left at once."""
    lab.env["DICTUM_BUILD_MEMORY"] = "60000"
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, SOME), Generation(2, SOME + 500)

    def only_the_file_aside_is_left(_):
        beside = set(os.listdir(table.folder)) - {table.source.name, table.file.name}
        check(beside <= {table.file.name + ".tmp"}, f"stray: {beside}")
        check(not os.listdir(lab.tmp), f"stray: {os.listdir(lab.tmp)}")

    steps = sweep(lab, table, old, new, signal.SIGKILL, only_the_file_aside_is_left)
    return f"{steps} changes to the file system, a kill before each"


def kill_at_every_change_of_a_first_build(lab, kind):
    """There is no table yet: after a kill there is none, or a whole one."""
    killat = compile_killat(lab)
    table = Table(lab, kind, lab.folder("t"))
    new = Generation(1, SOME)
    table.write_source(new)
    step = 0
    while True:
        step += 1
        result = lab.run(killat, step, int(signal.SIGKILL), *table.builders()[step % 2])
        if changes_of(result) < step:
            break
        if table.file.exists():
            table.check_whole(new)
            table.file.unlink()
    check(result.returncode == 0, f"the undisturbed build failed: {tell(result)}")
    table.check_whole(new)
    table.check_folder()
    return f"{step - 1} changes to the file system, a kill before each"


def signal_at_every_change(lab, kind):
    """SIGTERM, SIGINT and SIGHUP leave nothing behind, at once."""
    notes = []
    for number in TIDY_SIGNALS:
        table = Table(lab, kind, lab.folder(number.name))
        old, new = Generation(1, SOME), Generation(2, SOME + 500)
        steps = sweep(lab, table, old, new, number, lambda _, t=table: t.check_folder())
        notes.append(f"{number.name} at {steps}")
    return ", ".join(notes)


def signal_at_any_time(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    old, new = Generation(1, MANY), Generation(2, MANY)
    table.build(old)
    took = build_over_time(lab, table)
    table.write_source(new)
    hits = 0
    for i in range(MOMENTS // 2):
        process = lab.start(*table.builders()[i % 2])
        hits += signal_after(process, took * (i * 0.618 % 1), TIDY_SIGNALS[i % 3])
        table.check_whole(old, new)
        table.check_folder()
    check(hits > 0, "no signal came before the end of the build")
    return f"{hits} signals in builds of {took:.2f} s"


CASES = (
    kill_at_any_time,
    kill_while_reading,
    kill_at_every_change,
    kill_at_every_change_with_little_memory,
    kill_at_every_change_of_a_first_build,
    signal_at_every_change,
    signal_at_any_time,
)
