#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ways to build: with hardly any memory, and with pages written by us or by the library.

The first is the tests of test_interchange.py and test_switches.py again, with each entry in a
temporary file. Of the second, tables of random shapes must be sound to Berkeley DB's own check and
be read by Postfix, before and after Postfix has changed them.
"""

import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_interchange  # noqa: E402
import test_switches  # noqa: E402
from pair import THEIR_POSTALIAS, THEIR_POSTMAP, Pair  # noqa: E402
from tap import check, require, run, same  # noqa: E402

SEED = os.environ.get("BUILDS_SEED", "1")
SHAPES = int(os.environ.get("BUILDS_SHAPES", "40"))
WAYS = {"us": "no", "the library": "yes"}
MOST_BYTES = 4_000_000
OPTIONS = ("-f", "-u")


# ---- with hardly any memory ------------------------------------------------------------------


def with_little_memory(case):
    os.environ["DICTUM_BUILD_MEMORY"] = "1"
    try:
        case()
    finally:
        del os.environ["DICTUM_BUILD_MEMORY"]


# ---- shapes ----------------------------------------------------------------------------------


def shape(rng):
    """Entries whose number and sizes are around the limits of a page, or far from them."""
    count = rng.choice((rng.randrange(4), rng.randrange(3000), rng.randrange(3000), 15000))
    keys = rng.choice(((1, 8), (5, 30), (5, 30), (1, 300), (900, 1100), (1, 1100), (1000, 6000)))
    values = rng.choice(((1, 1), (1, 40), (1, 40), (1, 400), (900, 1100), (1, 9000)))
    letters = rng.choice(("ab", "abcdefghijklmnop0123456789@.-", "\u00e9\u4e2dxyz"))
    prefix = "p" * rng.choice((0, 0, 0, 7, rng.randrange(1500)))
    count = min(count, MOST_BYTES // (keys[1] + values[1] + len(prefix)))
    return {(prefix + "".join(rng.choices(letters, k=rng.randint(*keys)))).encode():
            rng.choice((b"v", b"w")) * rng.randint(*values) for _ in range(count)}


def text_of(entries):
    return b"".join(b"%s %s\n" % entry for entry in entries)


def check_sound(path, entries, pair, kind, nul):
    verified = subprocess.run(["db5.3_verify", "-q", path], capture_output=True, check=False)
    same((verified.returncode, verified.stderr), (0, b""), "db5.3_verify")
    expected = {b"%s\t%s" % entry for entry in entries.items()}
    for side in pair.sides:
        lines = side.dump(f"{kind}:{path.with_suffix('')}", nul, *OPTIONS)
        same(len(lines), len(expected), f"number of entries that {side.name} sees")
        same(set(lines), expected, f"entries that {side.name} sees")


def change(side, rng, spec, entries, nul):
    """Entries come and go; @return what there is then."""
    keys = list(entries)
    rng.shuffle(keys)
    removed = keys[:300]
    added = {key + b"z": b"added" for key in keys[300:600]}
    added = {key: value for key, value in added.items() if key not in entries}
    side.must("-i", nul, *OPTIONS, spec, given=text_of(added.items()))
    status, _, said = side.run("-d", "-", nul, *OPTIONS, spec,
                               given=b"".join(key + b"\n" for key in removed))
    same((status, said), (0 if removed else 1, []), "removal")
    return {key: entries[key] for key in keys[300:]} | added


def shapes(kind, way):
    rng = random.Random(f"{SEED} {kind}")
    with Pair(f"berkeley_db_build_by_library = {WAYS[way]}\n") as pair:
        for number in range(SHAPES):
            entries = shape(rng)
            lines = list(entries.items())
            rng.shuffle(lines)
            source = pair.source("table", text_of(lines))
            nul = rng.choice(("-N", "-N", "-n"))
            spec = f"{kind}:{source}"
            pair.ours.must(nul, *OPTIONS, spec)
            try:
                check_sound(source.with_suffix(".db"), entries, pair, kind, nul)
                entries = change(pair.sides[number % 2], rng, spec, entries, nul)
                check_sound(source.with_suffix(".db"), entries, pair, kind, nul)
            except Exception:
                print(f"# BUILDS_SEED={SEED}, shape {number}: {len(lines)} entries, {nul}")
                raise


def whose_pages(kind):
    """The setting does make a difference: the library expects more records than there are."""
    counts = []
    for value in WAYS.values():
        with Pair(f"berkeley_db_build_by_library = {value}\n") as pair:
            source = pair.source("table", b"".join(b"key%d value\n" % i for i in range(2000)))
            pair.ours.must(f"{kind}:{source}")
            counts.append(source.with_suffix(".db").read_bytes()[88:92])
    check(counts[0] != counts[1], f"both ways write the same: {counts}")


def cases():
    for name, case in test_interchange.cases():
        if "changed while" not in name:
            yield f"little memory: {name}", lambda case=case: with_little_memory(case)
    yield f"little memory: random command lines, seed {SEED}", \
        lambda: with_little_memory(lambda: test_switches.random_cases(SEED, range(300), 60))
    for kind in ("hash", "btree"):
        for way in WAYS:
            yield f"{kind}: {SHAPES} shapes by {way}, seed {SEED}", \
                lambda kind=kind, way=way: shapes(kind, way)
    yield "hash: by us and by the library", lambda: whose_pages("hash")


if __name__ == "__main__":
    require(THEIR_POSTMAP, THEIR_POSTALIAS, "db5.3_dump", "db5.3_verify", "mdb_dump")
    run(cases())
