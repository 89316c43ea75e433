# SPDX-License-Identifier: BSD-2-Clause
"""builders.py - several build the same table at once: one comes after the other."""

from lab import DICTUM, POSTMAP, THEIRS, Generation, Table, check

ENTRIES = 20_000
ROUNDS = 15


def finish(process):
    _, said = process.communicate()
    check(process.returncode == 0, f"a builder failed: {said.decode()}")


def two_builders(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    generations = [Generation(number, ENTRIES + number) for number in range(1, 4)]
    sources = []
    for generation in generations:
        sources.append(lab.home / f"source{generation.number}")
        sources[-1].write_bytes(generation.text())
    table.source.write_bytes(b"")
    last = set()
    for _ in range(ROUNDS):
        processes = [lab.start(DICTUM, "build", table.spec, source) for source in sources]
        for process in processes:
            finish(process)
        last.add(table.check_whole(*generations))
        table.check_folder()
    return f"the last word had builder {' or '.join(map(str, sorted(last)))}"


def beside_postfix(lab, kind):
    """Postfix's builder works in place. When all have ended, the table is whole."""
    table = Table(lab, kind, lab.folder("t"))
    ours, theirs = Generation(1, ENTRIES), Generation(2, ENTRIES)
    source = lab.home / "ours"
    source.write_bytes(ours.text())
    table.write_source(theirs)
    last = set()
    for i in range(ROUNDS):
        words = [THEIRS, table.spec], [DICTUM, "build", table.spec, source]
        processes = [lab.start(*command) for command in (words if i % 2 else words[::-1])]
        for process in processes:
            finish(process)
        last.add(table.check_whole(ours, theirs))
        table.check_folder()
    return f"the last word had builder {' or '.join(map(str, sorted(last)))}"


# With cdb Postfix gives up when the file aside, which it waited for, is in place meanwhile.
beside_postfix.kinds = ("hash", "btree", "lmdb")


def change_beside_a_build(lab, kind):
    """A change in place and a build at once: the change is lost at most, and never half made."""
    table = Table(lab, kind, lab.folder("t"))
    base = Generation(1, ENTRIES)
    table.build(base)
    for _ in range(ROUNDS):
        processes = [lab.start(POSTMAP, table.spec),
                     lab.start(DICTUM, "put", table.spec, "new@example.org", "g1 new")]
        for process in processes:
            finish(process)
        entries = sorted(table.dump(THEIRS).splitlines())
        check(entries == sorted(table.dump(POSTMAP).splitlines()), "we and Postfix disagree")
        if b"new@example.org\tg1 new" in entries:
            entries.remove(b"new@example.org\tg1 new")
        check(entries == sorted(base.entries), f"{len(entries)} of {ENTRIES} entries are left")
        table.check_folder()


change_beside_a_build.kinds = ("hash", "btree", "lmdb")  # those that can be changed

CASES = (two_builders, beside_postfix, change_beside_a_build)
