#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random tables of rules, asked by the system's postmap and by ours: the same answers, and the same
warnings.

usage: test_rules.py [--seed N] [--tables N] [--only WHICH]

$RULES_SEED and $RULES_TABLES are the same as these options. A failure shows the command that asks one
table again (WHICH is "cidr file 12", or "cidr inline 3"), and what is left of it once it is shrunk.

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

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shlex
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from rule_tables import KINDS, inline, keys, table  # noqa: E402
from shrink import SHOWN, again, shrunk  # noqa: E402
from tap import Fault, check, require, run  # noqa: E402

TABLES = 900  # of each type
TOO_BIG = -1
NEW_LINE_NUMBER = re.compile(rb", line \d+(?=: logical line must not start)")
# The plain way, and with an index at the first question.
SETTINGS = ("smtputf8_enable = no\nrule_index_after = 0\nrule_patterns_wait = no\n",
            "smtputf8_enable = no\nrule_index_after = 1\n")


def ask(side, spec, asked):
    status, answers, said = side.run("-q", "-", spec, given=asked)
    # Sorted, as ours asks all keys that have arrived before it prints what was wrong with answers.
    return status, answers, sorted(NEW_LINE_NUMBER.sub(b"", message) for message in said)


def differences(ours, theirs):
    parts = []
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
    return "\n".join(parts)


def compare(pair, spec, asked):
    """Both sides answer the same questions; @return how many had an answer"""
    ours, theirs = (ask(side, spec, asked) for side in pair.sides)
    if ours == theirs:
        return theirs[1].count(b"\n")
    if any(message.endswith(b": Regular expression too big") for message in ours[2]):
        return TOO_BIG
    raise Fault(differences(ours, theirs))


class Table:
    """One table of a seed, in a file or in its own name, and the keys to ask it."""

    def __init__(self, pair, seed, name, form, number):
        self.pair = pair
        self.name = name
        self.form = form
        self.which = f"{name} {form} {number}"
        rng = random.Random(f"{seed} {name} {'' if form == 'file' else 'inline '}{number}")
        kind = KINDS[name](rng)
        content = (table if form == "file" else inline)(rng, kind)
        self.case = (content.encode(), keys(rng, kind).encode())
        self.again = again("--seed", seed, "--only", shlex.quote(self.which))

    def compare(self, case):
        content, asked = case
        if self.form == "inline":
            return compare(self.pair, f"{self.name}:{content.decode()}", asked)
        with tempfile.NamedTemporaryFile(dir=self.pair.home) as file:
            file.write(content)
            file.flush()
            os.utime(file.name, (0, 0))
            return compare(self.pair, f"{self.name}:{file.name}", asked)

    def do(self):
        """@return what compare() says, or the fault"""
        try:
            return self.compare(self.case)
        except Fault as fault:
            return fault

    def explain(self, fault):
        return f"{self.which}, " + shrunk(self.compare, self.case, fault, self.again)


def many(seed, name, form, numbers):
    print(f"# {name}: seed {seed}, {len(numbers)} tables", flush=True)
    with Pair(SETTINGS[0]) as plain, Pair(SETTINGS[1]) as indexed, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = (plain, indexed)
        tables = [Table(pairs[number % 2], seed, name, form, number) for number in numbers]
        found = list(pool.map(Table.do, tables))
        faults = [(one, fault) for one, fault in zip(tables, found) if isinstance(fault, Fault)]
        check(not faults, f"{len(faults)} of {len(numbers)} differ: "
              f"{[one.which for one, _ in faults]!r:.300}\n"
              + "\n".join(one.explain(fault) for one, fault in faults[:SHOWN]))
    if len(numbers) > 1:  # neither side answering anything would be agreement, too
        check(sum(found) > len(numbers), f"only {sum(found)} keys were found")
        check(found.count(TOO_BIG) <= len(numbers) / 100,
              f"{found.count(TOO_BIG)} were not compared")


def cases(wanted):
    if wanted.only:
        name, form, number = wanted.only.split()
        yield wanted.only, lambda: many(wanted.seed, name, form, [int(number)])
        return
    inline_tables = max(1, wanted.tables // 6)
    for name in KINDS:
        yield f"{name}: {wanted.tables} tables in files", \
            lambda name=name: many(wanted.seed, name, "file", range(wanted.tables))
        yield f"{name}: {inline_tables} tables in names", \
            lambda name=name: many(wanted.seed, name, "inline", range(inline_tables))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", default=os.environ.get("RULES_SEED", "1"))
    parser.add_argument("--tables", type=int, default=int(os.environ.get("RULES_TABLES", TABLES)))
    parser.add_argument("--only", metavar="WHICH")
    wanted = parser.parse_args()
    require(THEIR_POSTMAP)
    run(cases(wanted))


if __name__ == "__main__":
    main()
