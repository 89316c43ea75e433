# SPDX-License-Identifier: BSD-2-Clause
"""tap.py - for tests in Python that print the Test Anything Protocol."""

import os
import shutil
import subprocess
import sys
import traceback


class Fault(Exception):
    """What must hold does not."""


class Skip(Exception):
    """What this needs is not here, and need not be."""


def check(holds, what):
    if not holds:
        raise Fault(what)


def same(got, expected, what):
    """Compares texts, lists or sets, and shows where they begin to differ."""
    if got == expected:
        return
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        for place, (one, other) in enumerate(zip(got, expected)):
            if one != other:
                raise Fault(f"{what}: at {place}, got {one!r:.300}, expected {other!r:.300}")
        raise Fault(f"{what}: got {len(got)} items, expected {len(expected)}")
    if isinstance(got, set) and isinstance(expected, set):
        raise Fault(f"{what}: too much {sorted(got - expected)[:5]!r:.300}, "
                    f"missing {sorted(expected - got)[:5]!r:.300}")
    raise Fault(f"{what}: got {got!r:.300}, expected {expected!r:.300}")


def require(*programs):
    """Ends the test when a program is missing: as skipped, or as failed when $TESTS_COMPLETE says
    that everything has been installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for program in programs:
        require_that(shutil.which(program, path=path), f"there is no {program}")


def require_that(holds, else_why):
    """Ends the test in the same way when something else is missing."""
    if holds:
        return
    if os.environ.get("TESTS_COMPLETE"):
        print(f"1..1\nnot ok 1 - {else_why}")
        sys.exit(1)
    print(f"1..0 # SKIP {else_why}")
    sys.exit(0)


def missing(what):
    """@return what a case raises that cannot be tried for lack of something"""
    return (Fault if os.environ.get("TESTS_COMPLETE") else Skip)(what)


def ask_in_threads(spec, rounds, *keys):
    """Many threads of one program ask one table; see servers/many_threads.c."""
    program = os.path.join(os.environ["TOP_BUILDDIR"], "tests/servers/many_threads")
    done = subprocess.run([program, spec, str(rounds), *keys], capture_output=True, check=False,
                          timeout=600)
    same((done.returncode, done.stderr[:2000]), (0, b""), "status and messages")


def run(cases):
    """Runs (name, function) pairs, and ends the program."""
    failed = count = 0
    for name, function in cases:
        count += 1
        try:
            function()
        except Fault as fault:
            failed += 1
            print(f"not ok {count} - {name}")
            print("".join(f"#   {line}\n" for line in str(fault).splitlines()), end="", flush=True)
        except Skip as reason:
            print(f"ok {count} - {name} # SKIP {reason}", flush=True)
        except Exception:  # a mistake of the test is a failure, too, and the others go on
            failed += 1
            print(f"not ok {count} - {name}")
            print("".join(f"#   {line}\n" for line in traceback.format_exc().splitlines()), end="",
                  flush=True)
        else:
            print(f"ok {count} - {name}", flush=True)
    print(f"1..{count}")
    sys.exit(1 if failed else 0)
