# SPDX-License-Identifier: BSD-2-Clause
"""disk.py - the disk is full or read-only, or a file must not become that large."""

import os
import resource
import signal
import subprocess

from lab import NOBODY, POSTMAP, Generation, Table, check, need_root, tell

ENTRIES = 20_000
STEPS = 16


def refuse_and_keep(table, result, generation, *named):
    """The build said no, and all is as it was."""
    table.check_refused(result, *named)
    table.check_whole(generation)
    table.check_folder()


def full_disk(lab, kind):
    """Disks of many sizes, so that space runs out early, late and in the very last step."""
    old, new = Generation(1, 500), Generation(2, ENTRIES)
    table = Table(lab, kind, lab.folder("roomy"))
    table.build(new)
    needed = table.file.stat().st_size // 1024
    refused = 0
    for step in range(STEPS + 4):
        size = 200 + needed * step // STEPS + len(new.text()) // 1024
        disk = lab.mount(f"disk{step}", "-t", "tmpfs", "-o", f"size={size}k", "none")
        table = Table(lab, kind, disk)
        table.build(old)
        table.write_source(new)
        result = lab.run(*table.builders()[step % 2])
        if result.returncode == 0:
            table.check_whole(new)
            table.check_folder()
            continue
        refused += 1
        refuse_and_keep(table, result, old)
    check(2 <= refused < STEPS + 4, f"{refused} of {STEPS + 4} sizes were too small")
    return f"{refused} of {STEPS + 4} sizes were too small"


def full_disk_with_little_memory(lab, kind):
    """Most of the content goes to a temporary file first, for which there is space or not."""
    lab.env["DICTUM_BUILD_MEMORY"] = "50000"
    old, new = Generation(1, 500), Generation(2, ENTRIES)
    table = Table(lab, kind, lab.folder("roomy"))
    table.build(new)
    needed = table.file.stat().st_size // 1024 + 2 * len(new.text()) // 1024
    refused = of_runs = 0
    for step in range(STEPS + 1):
        size = 200 + (needed + needed // 4) * step // STEPS + len(new.text()) // 1024
        disk = lab.mount(f"disk{step}", "-t", "tmpfs", "-o", f"size={size}k", "none")
        table = Table(lab, kind, disk)
        table.build(old)
        table.write_source(new)
        result = lab.run(*table.builders()[step % 2])
        if result.returncode == 0:
            table.check_whole(new)
            table.check_folder()
            continue
        refused += 1
        refuse_and_keep(table, result, old, table.file, table.spec, disk)
        of_runs += f"write temporary file in {disk}: No space left" in tell(result)
    check(2 <= refused <= STEPS, f"{refused} of {STEPS + 1} sizes were too small")
    check(0 < of_runs, "the temporary file always found space")
    return f"{refused} of {STEPS + 1} sizes were too small, {of_runs} for the temporary file"


def no_file_may_be_made(lab, kind):
    """A disk that has space, but no room for another file's name."""
    old, new = Generation(1, 500), Generation(2, ENTRIES)
    disk = lab.mount("disk", "-t", "tmpfs", "-o", "size=64m,nr_inodes=3", "none")
    table = Table(lab, kind, disk)
    source = lab.home / "source"
    source.write_bytes(old.text())
    table.source.symlink_to(source)  # root of the disk, link, and what the build makes
    lab.succeed(POSTMAP, table.spec)
    source.write_bytes(new.text())
    for words in table.builders():
        result = lab.run(*words)
        if result.returncode == 0:  # a builder that needs no second file
            table.check_whole(new)
        else:
            refuse_and_keep(table, result, old)


def full_disk_keeps_what_was_put(lab, kind):
    """Changes in place: those that were not told to have failed are there, and the rest is."""
    old = Generation(1, 2000)
    disk = lab.mount("disk", "-t", "tmpfs", "-o", "size=1m", "none")
    table = Table(lab, kind, disk)
    lab.succeed(POSTMAP, "-i", table.spec, stdin=old.text())
    more = b"".join(b"more%d %s\n" % (i, b"x" * 200) for i in range(20_000))
    result = lab.run(POSTMAP, "-i", table.spec, stdin=more)
    table.check_refused(result)
    dump = table.dump(POSTMAP).splitlines()
    kept = {line for line in dump if line.startswith(b"user")}
    check(kept == old.entries, f"{len(kept)} of {old.count} entries are left")
    table.check_answers(old)


full_disk_keeps_what_was_put.kinds = ("lmdb",)  # the one that has transactions


def read_only_disk(lab, kind):
    old, new = Generation(1, ENTRIES), Generation(2, ENTRIES)
    disk = lab.mount("disk", "-t", "tmpfs", "-o", "size=64m", "none")
    table = Table(lab, kind, disk)
    table.build(old)
    table.write_source(new)
    remounted = subprocess.run(["mount", "-o", "remount,ro", disk], check=False)
    check(remounted.returncode == 0, "cannot mount read-only")
    for words in table.builders():
        refuse_and_keep(table, lab.run(*words), old)


def read_only_folder(lab, kind):
    """Its user may not make files in it, though the table's file is the user's own."""
    need_root()
    old, new = Generation(1, ENTRIES), Generation(2, ENTRIES)
    table = Table(lab, kind, lab.folder("t", 0o755, NOBODY))
    table.build(old, user=NOBODY)
    table.write_source(new)
    table.folder.chmod(0o555)
    for words in table.builders():
        result = lab.run(*words, user=NOBODY)
        if result.returncode == 0:  # Postfix's way: whole all the same
            table.check_whole(new)
        else:
            refuse_and_keep(table, result, old, table.file, table.folder)


def read_only_folder_first_build(lab, kind):
    need_root()
    table = Table(lab, kind, lab.folder("t", 0o755, NOBODY))
    table.write_source(Generation(1, ENTRIES))
    table.folder.chmod(0o555)
    for words in table.builders():
        table.check_refused(lab.run(*words, user=NOBODY))
        found = os.listdir(table.folder)
        check(found == [table.source.name], f"stray files: {found}")


def limit_file_size(ignore):
    """For preexec_fn. The signal is what a shell's `ulimit -f` comes with."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if ignore else signal.SIG_DFL)
    return limit


def file_size_limit(lab, kind):
    old, new = Generation(1, 500), Generation(2, ENTRIES)
    table = Table(lab, kind, lab.folder("t"))
    table.build(old)
    table.write_source(new)
    for words in table.builders():
        refuse_and_keep(table, lab.run(*words, preexec_fn=limit_file_size(ignore=True)), old)
        result = lab.run(*words, preexec_fn=limit_file_size(ignore=False))
        check(result.returncode != 0, "a build beyond the limit succeeded")
        table.check_whole(old)
        killed = result.returncode == -signal.SIGXFSZ
        check(killed or result.returncode > 0, f"status {result.returncode}: {tell(result)}")
        if not killed:
            table.check_folder()
    table.build(new)
    table.check_whole(new)
    table.check_folder()


CASES = (
    full_disk,
    full_disk_with_little_memory,
    no_file_may_be_made,
    full_disk_keeps_what_was_put,
    read_only_disk,
    read_only_folder,
    read_only_folder_first_build,
    file_size_limit,
)
