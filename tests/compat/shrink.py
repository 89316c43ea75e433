# SPDX-License-Identifier: BSD-2-Clause
"""shrink.py - makes a case that two programs answer differently as small as it gets.

A case is plain data: lists lose items, bytes lose lines, words and in the end single bytes; tuples
and dicts keep their shape, while what is in them shrinks. Anything else, texts too, stays as it is.
"""

import os
import pathlib
import pprint
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tap import Fault  # noqa: E402 (found by the line above)

SHOWN = int(os.environ.get("SHRINK_SHOWN", "2"))  # of many that fail, as each takes time
TRIES = 400
SECONDS = int(os.environ.get("SHRINK_SECONDS", "30"))
SHORT = 200  # bytes of a line whose single bytes are tried, too


class Search:
    """Looks for smaller cases with the same fault, until there is none, or no try or time left."""

    def __init__(self, compare, fault, tries, seconds):
        self.compare = compare
        self.kind = kind_of(fault)
        self.fault = fault
        self.tries = 0
        self.most = tries
        self.until = time.monotonic() + seconds

    def fails(self, case):
        if self.tries >= self.most or time.monotonic() > self.until:
            return False
        self.tries += 1
        try:
            self.compare(case)
        except Fault as fault:
            if kind_of(fault) == self.kind:
                self.fault = fault
                return True
        return False


def kind_of(fault):
    """What stands before the first colon, where a fault says what it is about."""
    return re.sub(r"\d+", "", str(fault).split(":", 1)[0])


def fewer(parts, fails):
    """@return as few of the parts as still fail: all but some are tried, fewer and fewer of them"""
    size = len(parts)
    while size > 0:
        at = 0
        while at < len(parts):
            rest = parts[:at] + parts[at + size:]
            if fails(rest):
                parts = rest
            else:
                at += size
        size = min(size, len(parts) + 1) // 2
    return parts


def smaller_text(text, fails):
    lines = fewer(text.splitlines(keepends=True), lambda rest: fails(b"".join(rest)))

    def within(at, split):
        nonlocal lines
        before, after = b"".join(lines[:at]), b"".join(lines[at + 1:])
        lines[at] = b"".join(fewer(split(lines[at]), lambda rest: fails(before + b"".join(rest) + after)))
    for at in range(len(lines)):
        within(at, lambda line: re.findall(rb"\s+|[^\s]+", line))
        if len(lines[at]) <= SHORT:
            within(at, lambda line: [bytes([c]) for c in line])
    return b"".join(lines)


def smaller(case, fails):
    """@return what is left of a case that fails"""
    if isinstance(case, bytes):
        return smaller_text(case, fails)
    if isinstance(case, list):
        case = fewer(case, fails)
    if isinstance(case, dict):
        for name in case:
            case = {**case, name: smaller(case[name], lambda part: fails({**case, name: part}))}
        return case
    if not isinstance(case, (list, tuple)):
        return case
    as_before = type(case)
    parts = list(case)
    for at in range(len(parts)):
        parts[at] = smaller(parts[at],
                            lambda part: fails(as_before([*parts[:at], part, *parts[at + 1:]])))
    return as_before(parts)


def smallest(case, search):
    """Once more while that helps: what was needed by something may not be, once that has gone."""
    while True:
        less = smaller(case, search.fails)
        if less == case:
            return case
        case = less


def shrunk(compare, case, fault, again, tries=TRIES, seconds=SECONDS):
    """Shrinks a case for which compare() raised a fault.
    @param again  the command that does the same once more
    @return what there is to say of it"""
    search = Search(compare, fault, tries, seconds)
    small = smallest(case, search)
    return (f"{search.fault}\nagain: {again}\nshrunk in {search.tries} tries to:\n"
            f"{pprint.pformat(small, width=98, sort_dicts=False)}")


def compare_or_shrink(compare, case, again, **limits):
    """@return what compare(case) does. A fault that it raises is raised for the smallest case that
    has it."""
    try:
        return compare(case)
    except Fault as fault:
        raise Fault(shrunk(compare, case, fault, again, **limits)) from None


def again(*words):
    """@return the command that runs this test once more with such words; see tests/compat/README.md"""
    place = sys.argv[0].rfind("tests/")
    return " ".join(["TOP_BUILDDIR=build/obj tests/stage python3 -B",
                     sys.argv[0][max(place, 0):], *map(str, words)])
