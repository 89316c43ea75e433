# SPDX-License-Identifier: BSD-2-Clause
"""ownership.py - whose a table is and what its mode is: as Postfix has it, on the same ground."""

import os
import stat

from lab import DICTUM, POSTMAP, THEIRS, Generation, Table, check, need_root, tell

ALICE = 12345
STAFF = 12399
SOURCE = Generation(1, 300)
NEW_MODES = {0o640: 0o640, 0o600: 0o600, 0o604: 0o604, 0o444: 0o644, 0o400: 0o600,
             0o000: 0o600, 0o666: 0o644, 0o755: 0o644}


def particulars(path):
    st = os.stat(path)
    return f"{stat.S_IMODE(st.st_mode):04o} {st.st_uid}:{st.st_gid}"


class Ground:
    """The same folder, source and perhaps old table, once for each builder."""

    def __init__(self, lab, kind, name, owner=ALICE, folder_owner=ALICE, source_mode=0o644):
        need_root()
        self.lab = lab
        self.tables = []
        for who in ("ours", "theirs"):
            table = Table(lab, kind, lab.folder(f"{name}-{who}", 0o755, folder_owner))
            table.write_source(SOURCE)
            os.chown(table.source, owner, owner)
            table.source.chmod(source_mode)
            self.tables.append(table)

    def old_tables(self, mode, owner, group):
        """A table that is there already."""
        for table in self.tables:
            self.lab.succeed(THEIRS, "-o", table.spec)
            os.chown(table.file, owner, group)
            table.file.chmod(mode)

    def build(self, *options, umask=0o022):
        """Both must come to the same. @return particulars of the result, or None"""
        results = [self.lab.run(program, *options, table.spec, umask=umask)
                   for program, table in zip((POSTMAP, THEIRS), self.tables)]
        ours, theirs = [(result.returncode,
                         particulars(table.file) if table.file.exists() else None)
                        for result, table in zip(results, self.tables)]
        check(ours == theirs, f"we: {ours} {tell(results[0])}; Postfix: {theirs} {tell(results[1])}")
        if ours[0] == 0:
            self.tables[0].check_whole(SOURCE)
            self.tables[0].check_folder()
        return ours[1]


def mode_of_new_file(lab, kind):
    """Less what others may not do with the source, whatever the umask."""
    for source_mode, mode in NEW_MODES.items():
        ground = Ground(lab, kind, f"{source_mode:o}", source_mode=source_mode)
        found = ground.build(umask=0o077)
        check(found == f"{mode:04o} {ALICE}:{ALICE}", f"source {source_mode:04o}: {found}")
    ground = Ground(lab, kind, "p", source_mode=0o600)
    found = ground.build("-p", umask=0o077)
    check(found == f"0644 {ALICE}:{ALICE}", f"-p: {found}")


def mode_by_name(lab, kind):
    """What `dictum build` has of its own."""
    table = Table(lab, kind, lab.folder("t"))
    table.write_source(SOURCE)
    for mode in ("600", "640", "0664", "444"):
        lab.succeed(DICTUM, "build", "--mode", mode, table.spec, umask=0o077)
        found = stat.S_IMODE(table.file.stat().st_mode)
        check(found == int(mode, 8), f"--mode {mode}: {found:o}")
        table.check_whole(SOURCE)
        table.file.unlink()


def old_file_keeps_all(lab, kind):
    """Owner, group and mode of a file that is there outlive a build."""
    kept = [(0o600, ALICE, ALICE), (0o664, ALICE, ALICE), (0o444, ALICE, ALICE), (0o644, 0, STAFF)]
    kept_by_root = [(0o640, ALICE, STAFF), (0o666, 0, 0), (0o640, STAFF, STAFF)]
    for i, (mode, owner, group) in enumerate(kept + kept_by_root):
        for options in ([], ["-o"]) if i < len(kept) else (["-o"],):
            ground = Ground(lab, kind, f"old{i}{''.join(options)}")
            ground.old_tables(mode, owner, group)
            before = particulars(ground.tables[0].file)
            after = ground.build(*options)
            check(after == before, f"{before} became {after}")


old_file_keeps_all.kinds = ("hash", "btree", "lmdb")  # Postfix's cdb takes after the source again


def others_file(lab, kind):
    """A file that its builder may write to, but could not make: of another owner, or of a group
    that the builder is not in. Built or refused, it stays whose it is."""
    notes = []
    for i, (mode, owner, group) in enumerate(((0o640, ALICE, STAFF), (0o666, 0, 0))):
        ground = Ground(lab, kind, f"others{i}")
        ground.old_tables(mode, owner, group)
        table = ground.tables[0]
        before = particulars(table.file)
        result = lab.run(POSTMAP, table.spec)
        if result.returncode != 0:
            table.check_refused(result)
        table.check_whole(SOURCE)
        table.check_folder()
        after = particulars(table.file)
        check(after == before, f"{before} became {after}")
        notes.append(f"{before} {'refused' if result.returncode else 'built'}")
    return ", ".join(notes)


def root_works_as_owner(lab, kind):
    """The result is the source's owner's; -o keeps it root's."""
    found = Ground(lab, kind, "user").build()
    check(found == f"0644 {ALICE}:{ALICE}", f"of a user's source: {found}")
    found = Ground(lab, kind, "root", owner=0, folder_owner=0).build()
    check(found == "0644 0:0", f"of root's source: {found}")
    found = Ground(lab, kind, "stay").build("-o")
    check(found == "0644 0:0", f"with -o: {found}")


def roots_folder_refuses_user(lab, kind):
    ground = Ground(lab, kind, "refused", folder_owner=0)
    check(ground.build() is None, "a table was made in a folder that its owner may not write to")
    table = ground.tables[0]
    result = lab.run(POSTMAP, table.spec)
    table.check_refused(result)
    check("Permission denied" in tell(result), tell(result))
    check(os.listdir(table.folder) == [table.source.name], "stray files")


def users_table_in_roots_folder(lab, kind):
    """Its owner may change the file, but not put another in its place. Postfix writes in place,
    where a kill would harm; we may do so only where it would not, and else refuse."""
    ground = Ground(lab, kind, "mixed", folder_owner=0)
    ground.old_tables(0o644, ALICE, ALICE)
    table = ground.tables[0]
    result = lab.run(POSTMAP, table.spec)
    if result.returncode != 0:
        table.check_refused(result)
    table.check_whole(SOURCE)
    table.check_folder()
    check(particulars(table.file) == f"0644 {ALICE}:{ALICE}", particulars(table.file))
    return "refused" if result.returncode != 0 else "built"


CASES = (
    mode_of_new_file,
    mode_by_name,
    old_file_keeps_all,
    others_file,
    root_works_as_owner,
    roots_folder_refuses_user,
    users_table_in_roots_folder,
)
