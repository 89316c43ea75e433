#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""OpenSMTPD delivers by aliases in a hash file that we built: its table type db. Needs root.

It opens such a file as a hash, never as a btree, and asks for keys with a NUL at their end: what we
build when nothing else is wished.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from opensmtpd import OpenSMTPD  # noqa: E402
from tap import check, require, require_that, run, same  # noqa: E402

COUNT = 50


def aliases(generation=0):
    """Each for one mailbox or two, of which one tells the generation."""
    return {f"alias{i}": [f"box{i}-{generation}@box.example",
                          *([f"other{i}@box.example"] if i % 2 else [])] for i in range(COUNT)}


def build(pair, server, kind, entries, *options):
    path = server.tables / "aliases"
    path.write_text("".join(f"{name.capitalize()}: {', '.join(targets)}\n"
                            for name, targets in entries.items()))
    done = subprocess.run([os.environ["DICTUM"], "build", "--aliases", *options, f"{kind}:{path}"],
                          env=pair.ours.env, capture_output=True, check=False)
    same((done.returncode, done.stderr), (0, b""), "build")


def replies(server, names):
    with server.session() as smtp:
        smtp.mail("sender@example.org")
        return [smtp.rcpt(f"{name}@mail.example")[0] for name in names]


def delivers():
    with Pair() as pair:
        server = OpenSMTPD(pair.home)
        build(pair, server, "hash", aliases())
        with server, server.session() as smtp:
            for name in aliases():
                smtp.sendmail("sender@example.org", [f"{name}@mail.example"], "Subject: x\r\n\r\nx\r\n")
            targets = sorted(target for targets in aliases().values() for target in targets)
            same(server.await_recipients(len(targets)), targets, "recipients")
            same(replies(server, ["nobody"]), [550], "an alias that is not there")


def built_anew():
    """It looks at the file's time stamp, in seconds, before it asks."""
    with Pair() as pair:
        server = OpenSMTPD(pair.home)
        build(pair, server, "hash", aliases())
        with server:
            for generation in range(1, 6):
                build(pair, server, "hash", {**aliases(generation), f"new{generation}": ["a@b.example"]})
                os.utime(server.tables / "aliases.db", (generation, generation))
                same(replies(server, [*aliases(), f"new{generation}", f"new{generation - 1}"]),
                     [250] * (COUNT + 1) + [550], f"generation {generation}")


def dumped():
    """makemap -U tells every entry; @ is there in each file of aliases."""
    with Pair() as pair:
        server = OpenSMTPD(pair.home)
        for options in [], ["--nul"]:
            build(pair, server, "hash", aliases(), *options)
            same(set(server.dump("aliases.db")),
                 {"@\t@", *(f"{name}\t{', '.join(to)}" for name, to in aliases().items())}, "entries")


def without_nul():
    """The option matters: nothing is found."""
    with Pair() as pair:
        server = OpenSMTPD(pair.home)
        build(pair, server, "hash", aliases(), "--no-nul")
        with server:
            same(replies(server, ["alias1"]), [550], "reply")


def no_btree():
    with Pair() as pair:
        server = OpenSMTPD(pair.home)
        build(pair, server, "hash", aliases())
        same(server.checked()[0], 0, "status with a hash")
        build(pair, server, "btree", aliases())
        status, said = server.checked()
        check(status != 0 and "aliases" in said, f"status {status}: {said}")


def cases():
    yield "mail goes where a hash says", delivers
    yield "a hash that is built anew is taken up", built_anew
    yield "makemap -U tells what is in a hash", dumped
    yield "a hash without NUL is not for it", without_nul
    yield "nor is a btree", no_btree


if __name__ == "__main__":
    require(THEIR_POSTMAP, "/usr/sbin/chroot", "ldd")
    require_that(os.geteuid() == 0, "OpenSMTPD can only be started by root")
    run(cases())
