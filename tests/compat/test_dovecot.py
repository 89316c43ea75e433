#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Dovecot 2.3 of Debian reads none of the files that we build: its dictionaries know no such driver.

Should that change, `unknown` fails, and the driver is to be asked for our entries here.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from foreign import folder_of  # noqa: E402
from tap import check, require, run, same  # noqa: E402


def dict_get(uri):
    """@return status and messages of doveadm, without any settings"""
    folder = folder_of("dovecot")
    libraries = [folder / "usr/lib/dovecot", *folder.glob("usr/lib/*-linux-gnu*"),
                 *folder.glob("lib/*-linux-gnu*")]
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    done = subprocess.run([folder / "usr/bin/doveadm", "-O", "dict", "get", uri, "shared/key"],
                          env=env, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode()


def known():
    """The question itself is put rightly: a driver that is there looks the key up."""
    with Pair() as pair:
        status, said = dict_get(f"file:{pair.source('t', b'')}")
        same(status, 68, said)
        check("doesn't exist" in said, said)


def unknown(kind):
    with Pair() as pair:
        path = pair.source("t", b"key value\n")
        pair.ours.must(f"{kind}:{path}")
        status, said = dict_get(f"{kind}:{path}.{kind}")
        same(status, 75, said)
        check(f"Unknown dict module: {kind}" in said, said)


def cases():
    yield "doveadm looks keys up", known
    for kind in "cdb", "lmdb":
        yield f"it has no driver for {kind}", lambda kind=kind: unknown(kind)


if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(cases())
