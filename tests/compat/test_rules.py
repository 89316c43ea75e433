#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random tables of rules, asked by the system's postmap and by ours: the same answers, and the same
warnings. $RULES_SEED and $RULES_TABLES choose others than the usual ones, or more of them.

What is known to differ between Postfix 3.7 and 3.12 for these types:
- The warning of a first line that begins with white space has no line number in 3.7.
- A NUL byte in a table is a warning in 3.12 only: not generated.
What differs from both here, and is not generated:
- a number of bits of a network beyond 32 bits, of which Postfix drops the upper ones;
- patterns for which PCRE2 would take more than 64 MiB: refused here;
- \\C in a pattern of UTF-8, which is not safe: refused here;
- `if` in a cidr table under -F, which works here only.
Generated now and then, and not compared: a regexp that is refused here as too big to be compiled.
"""

import concurrent.futures
import os
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from rule_tables import KINDS, inline, keys, table  # noqa: E402
from tap import Fault, check, require, run  # noqa: E402

SEED = int(os.environ.get("RULES_SEED", "1"))
TABLES = int(os.environ.get("RULES_TABLES", "900"))  # of each type
INLINE = max(1, TABLES // 6)
TOO_BIG = -1
NEW_LINE_NUMBER = re.compile(rb", line \d+(?=: logical line must not start)")
# Without an index, and with one at the first question.
SETTINGS = ("smtputf8_enable = no\nrule_index_after = 0\n",
            "smtputf8_enable = no\nrule_index_after = 1\n")


def ask(side, spec, asked):
    status, answers, said = side.run("-q", "-", spec, given=asked)
    # Sorted, as ours asks all keys that have arrived before it prints what was wrong with answers.
    return status, answers, sorted(NEW_LINE_NUMBER.sub(b"", message) for message in said)


def compare(pair, spec, asked, shown):
    """Both sides answer the same questions; @return how many had an answer"""
    ours, theirs = (ask(side, spec, asked) for side in pair.sides)
    if ours == theirs:
        return theirs[1].count(b"\n")
    if any(message.endswith(b": Regular expression too big") for message in ours[2]):
        return TOO_BIG
    parts = [f"{shown}"]
    for what, one, other in zip(("status", "answers", "messages"), ours, theirs):
        if one == other:
            continue
        if isinstance(one, bytes):
            one, other = one.split(b"\n"), other.split(b"\n")
        if isinstance(one, list):
            at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b),
                      min(len(one), len(other)))
            one, other = one[at:at + 2], other[at:at + 2]
        parts.append(f"{what}: ours {one!r:.1000}, theirs {other!r:.1000}")
    parts.append(f"keys {asked!r:.3000}")
    raise Fault("\n".join(parts))


def one_file(pair, name, number):
    rng = random.Random(f"{SEED} {name} {number}")
    kind = KINDS[name](rng)
    content = table(rng, kind).encode()
    path = pair.source(f"{name}{number}", content, old=True)
    found = compare(pair, f"{name}:{path}", keys(rng, kind).encode(),
                    f"seed {SEED}, table {name} {number}\n{content.decode()}")
    path.unlink()
    return found


def one_inline(pair, name, number):
    rng = random.Random(f"{SEED} {name} inline {number}")
    kind = KINDS[name](rng)
    content = inline(rng, kind)
    return compare(pair, f"{name}:{content}", keys(rng, kind).encode(),
                   f"seed {SEED}, inline {name} {number}: {content}")


def many(one, name, count):
    print(f"# {name}: seed {SEED}, {count} tables", flush=True)
    with Pair(SETTINGS[0]) as plain, Pair(SETTINGS[1]) as indexed, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = (plain, indexed)
        jobs = [pool.submit(one, pairs[number % 2], name, number) for number in range(count)]
        faults = [job.exception() for job in jobs if job.exception()]
        if faults:
            raise Fault(f"{len(faults)} of {count} differ, the first:\n{faults[0]}")
        found = [job.result() for job in jobs]
    # Neither side answering anything would be agreement, too.
    check(sum(found) > count, f"only {sum(found)} keys were found")
    check(found.count(TOO_BIG) <= count / 100, f"{found.count(TOO_BIG)} were not compared")


def cases():
    for name in KINDS:
        yield f"{name}: {TABLES} tables in files", lambda name=name: many(one_file, name, TABLES)
        yield f"{name}: {INLINE} tables in names", lambda name=name: many(one_inline, name, INLINE)


if __name__ == "__main__":
    require(THEIR_POSTMAP)
    run(cases())
