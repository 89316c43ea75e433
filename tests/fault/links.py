# SPDX-License-Identifier: BSD-2-Clause
"""links.py - a table's file that is a link, or has several names."""

from lab import POSTMAP, Generation, Table, check

ENTRIES = 2000


def link_stays(table, target, words, generation):
    table.write_source(generation)
    table.lab.succeed(*words)
    check(table.file.is_symlink(), "the symbolic link became a file")
    check(table.file.resolve() == target, f"the link leads to {table.file.resolve()}")
    table.check_whole(generation)
    table.check_folder()
    found = [path.name for path in target.parent.iterdir()]
    check(found == [target.name], f"stray files: {found}")


def symbolic_link(lab, kind):
    """A link stays a link; what it leads to is replaced, be the link absolute or not."""
    other = lab.folder("other")
    target = other / "target"
    for name, leads_to in (("absolute", target), ("relative", "../other/target")):
        table = Table(lab, kind, lab.folder(name))
        table.file.symlink_to(leads_to)
        number = 0
        for words in table.builders() * 2:
            number += 1
            link_stays(table, target, words, Generation(number, ENTRIES))
        target.unlink()


def chain_of_links(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    target = lab.folder("other") / "target"
    between = lab.folder("between") / "link"
    between.symlink_to("../other/target")
    table.file.symlink_to(between)
    for number, words in enumerate(table.builders(), 1):
        link_stays(table, target, words, Generation(number, ENTRIES))
    check(between.is_symlink(), "the link in between became a file")


def link_in_a_circle(lab, kind):
    table = Table(lab, kind, lab.folder("t"))
    table.write_source(Generation(1, ENTRIES))
    table.file.symlink_to(table.file.name)
    for words in table.builders():
        table.check_refused(lab.run(*words))
        table.check_folder()


def hard_link(lab, kind):
    """The name that is built gets the new table; under the other name is a whole one."""
    table = Table(lab, kind, lab.folder("t"))
    other = Table(lab, kind, lab.folder("other"))
    old, new = Generation(1, ENTRIES), Generation(2, ENTRIES)
    table.build(old)
    other.file.hardlink_to(table.file)
    table.write_source(new)
    lab.succeed(POSTMAP, table.spec)
    table.check_whole(new)
    table.check_folder()
    return f"the other name has the {'old' if other.check_whole(old, new) == 1 else 'new'} table"


def folder_in_the_way(lab, kind):
    """The table's name is a folder's."""
    table = Table(lab, kind, lab.folder("t"))
    table.write_source(Generation(1, ENTRIES))
    table.file.mkdir()
    for words in table.builders():
        table.check_refused(lab.run(*words))
        table.check_folder()


CASES = (symbolic_link, chain_of_links, link_in_a_circle, hard_link, folder_in_the_way)
