#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Exim looks up what we built, in its own expansions: cdb, dbm (whose keys end in NUL) and dbmnz
(whose keys do not)."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import SUFFIX, THEIR_POSTMAP, Pair, lines_of  # noqa: E402
from foreign import folder_of  # noqa: E402
from tap import check, require, run, same  # noqa: E402

COUNT = 200
CONF = "spool_directory = {0}\nlog_file_path = {0}/%slog\nkeep_environment =\n"
SOURCE = b"".join(b"User%d@Example-%d.org\tmailbox/%d, other %d\n" % (i * 7919 % COUNT, i, i, i)
                  for i in range(COUNT))
ABSENT = b"nobody@example.org"


class Exim:
    """The program, with a settings file in a folder of its own."""

    def __init__(self, pair):
        self.program = folder_of("exim") / "usr/sbin/exim4"
        self.conf = pair.home / "exim.conf"
        self.conf.write_text(CONF.format(pair.home))
        # It asks for its user, whom a test need not have.
        self.env = {**pair.ours.env, "LD_PRELOAD": "libnss_wrapper.so"}
        for name, form in (("passwd", "Debian-exim:x:{0}:{0}::/:/bin/false\n"),
                           ("group", "Debian-exim:x:{0}:\n")):
            file = pair.home / name
            text = pathlib.Path("/etc", name).read_text(encoding="utf-8")
            file.write_text(text + form.format(65533))
            self.env[f"NSS_WRAPPER_{name.upper()}"] = str(file)

    def run(self, *words):
        done = subprocess.run([self.program, "-C", self.conf, *words], capture_output=True,
                              env=self.env, check=False, timeout=300)
        check(b"error while loading" not in done.stderr, done.stderr.decode())
        return done

    def lookups(self):
        said = self.run("-bV").stdout.decode()
        return said.partition("Lookups (built-in):")[2].partition("\n")[0].split()

    def ask(self, kind, path, keys):
        """@return its answers, a line each"""
        said = self.run("-be", *("${lookup{%s}%s{%s}{$value}{ABSENT}}" % (key.decode(), kind, path)
                                 for key in keys))
        return lines_of(said.stdout) or said.stderr


def built(pair, kind, *options):
    """@return the file of a table"""
    path = pair.source("t", SOURCE)
    done = subprocess.run([os.environ["DICTUM"], "build", *options, f"{kind}:{path}"],
                          env=pair.ours.env, capture_output=True, check=False)
    same((done.returncode, done.stderr), (0, b""), f"build {options}")
    return f"{path}{SUFFIX.get(kind, '.' + kind)}"


def finds(asked, kind, *options):
    """Every entry, and no other."""
    with Pair() as pair:
        path = built(pair, kind, *options)
        lines = [line.split(b"\t") for line in lines_of(SOURCE)]
        same(Exim(pair).ask(asked, path, [key.lower() for key, _ in lines] + [ABSENT]),
             [value for _, value in lines] + [b"ABSENT"], f"{asked} in {kind}")


def misses(asked, kind, *options):
    """The option matters: with the other kind of records, Exim finds nothing."""
    with Pair() as pair:
        path = built(pair, kind, *options)
        key = SOURCE.split(b"\t")[0].lower()
        same(Exim(pair).ask(asked, path, [key]), [b"ABSENT"], f"{asked} in {kind}")


def knows_no_lmdb():
    """Debian builds Exim without it. Should that change, it is to be asked here, too."""
    with Pair() as pair:
        lookups = Exim(pair).lookups()
        check("cdb" in lookups and "dbmnz" in lookups, lookups)
        check("lmdb" not in lookups, lookups)


def cases():
    for asked, right, wrong in ("dbm", "--nul", "--no-nul"), ("dbmnz", "--no-nul", "--nul"):
        for kind in "hash", "btree":
            yield f"{kind} {right} is {asked} of Exim", \
                lambda a=asked, k=kind, r=right: finds(a, k, r)
            yield f"{kind} {wrong} is not", lambda a=asked, k=kind, w=wrong: misses(a, k, w)
    for kind in "hash", "btree":
        yield f"{kind} as it is built without either is dbm", lambda k=kind: finds("dbm", k)
    for options in [], ["--no-nul"]:
        yield f"cdb {' '.join(options)}", lambda options=options: finds("cdb", "cdb", *options)
    yield "cdb --nul is not for Exim", lambda: misses("cdb", "cdb", "--nul")
    yield "Debian's Exim has no lmdb", knows_no_lmdb


if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(cases())
