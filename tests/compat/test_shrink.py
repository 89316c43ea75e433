#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random tests find a difference that is planted, and what they say of it is short and can be done
again.

Our own programs stand on both sides, one of them behind a script that changes what it prints.
"""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from shrink import compare_or_shrink  # noqa: E402
from tap import Fault, check, run, same  # noqa: E402

WRAPPER = """#!/bin/sh
# Says something else wherever the output has a certain text.
out=$({program} "$@"; echo ".$?")
status=${{out##*.}}
printf %s "${{out%.*}}" | sed 's/{planted}/something else/'
exit "$status"
"""


def test_program(home, planted, name, *words):
    """Runs a test of this folder with the difference planted. @return what it prints"""
    env = dict(os.environ, REFERENCE_POSTMAP=os.environ["POSTMAP"], SHRINK_SECONDS="200",
               SHRINK_SHOWN="1")
    for program in ("POSTMAP", "POSTALIAS"):
        wrapper = pathlib.Path(home) / program.lower()
        wrapper.write_text(WRAPPER.format(program=os.environ[program], planted=planted))
        wrapper.chmod(0o755)
        env[program] = str(wrapper)
    done = subprocess.run([sys.executable, "-B", str(HERE / name), *words], env=env, check=False,
                          capture_output=True, text=True, timeout=300)
    check("not ok 1" in done.stdout, f"{name} finds nothing: {done.stdout:.2000}{done.stderr:.2000}")
    return done.stdout


def shown_case(output):
    """@return the first case that the output shows, as Python has it"""
    lines = [line[4:] for line in output.splitlines() if line.startswith("#   ")]
    at = next((i for i, line in enumerate(lines) if re.match(r"shrunk in \d+ tries to:", line)), None)
    check(at is not None, f"no shrunk case in {output:.3000}")
    for end in range(at + 2, len(lines) + 1):
        try:
            return ast.literal_eval("\n".join(lines[at + 1:end]))
        except SyntaxError:
            pass
    raise Fault(f"not a case: {lines[at + 1:]!r:.2000}")


def is_shrunk(planted, name, options, is_small, *first):
    """The case is small, and the command that the output names does it once more."""
    with tempfile.TemporaryDirectory() as home:
        output = test_program(home, planted, name, *options, *first)
        case = shown_case(output)
        check(is_small(case), f"{case!r:.2000} is not small")
        command = re.search(r"^#   again: .*python3 -B (\S+) (.*)$", output, re.MULTILINE)
        check(command and command.group(1).endswith(name), f"no command in {output:.2000}")
        words = [one or other for one, other in re.findall(r"'([^']*)'|(\S+)", command.group(2))]
        same(shown_case(test_program(home, planted, name, *words)), case, "the case, once more")


def one_line(text, *has):
    return len(text.splitlines()) <= 1 and all(part in text for part in has)


def is_small_run(case):
    commands, files = case
    return (len(commands) <= 2 and len(b"".join(files.values())) < 20
            and sum(len(text.splitlines()) for text in files.values()) <= 1)


def is_small_table(case):
    content, asked = case
    return one_line(content) and one_line(asked) and len(content + asked) < 20


def is_small_message(message):
    return len(message) < 20 and b"boundary=xx" in message


def bytes_of(case):
    """Only what matters is left of data of every shape."""
    def compare(data):
        if b"needle" in data["text"] and (b"k", 3) in data["pairs"]:
            raise Fault("the needle: is there")
        if not data["pairs"]:
            raise Fault("another fault: which is none of ours")
    try:
        compare_or_shrink(compare, case, "a command")
    except Fault as fault:
        return str(fault)
    raise Fault("nothing was found")


def by_structure():
    said = bytes_of({"text": b"hay\n" * 500 + b"hay, needle and hay\n" + b"hay\n" * 500,
                     "pairs": [(b"other", 1), (b"k", 3), (b"another", 2)]})
    check(said.startswith("the needle: is there\nagain: a command\nshrunk in "), said)
    same(said.split("to:\n")[1], "{'text': b'needle', 'pairs': [(b'k', 3)]}", "the case")


def within_bounds():
    calls = []

    def compare(data):
        calls.append(data)
        raise Fault("always")
    try:
        compare_or_shrink(compare, list(range(10000)) + [b"x"], "x", tries=0)
    except Fault as fault:
        check("shrunk in 0 tries" in str(fault), str(fault))
    same(len(calls), 1, "calls without a try")

    def slow(data):
        time.sleep(0.1)
        if len(data) > 3:
            raise Fault("slow")
    began = time.monotonic()
    try:
        compare_or_shrink(slow, list(range(10000)), "x", seconds=1)
    except Fault:
        pass
    check(time.monotonic() - began < 5, "it went on")


def sources_are_shrunk():
    """Those of test_interchange.py, of which there is one only."""
    with tempfile.TemporaryDirectory() as home:
        part = pathlib.Path(home) / "test_part.py"
        part.write_text(f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
                        "import test_interchange as t\n"
                        "t.COUNT = 300\n"
                        "t.run([('planted', lambda: t.many_entries('btree'))])\n")
        source = shown_case(test_program(home, "last@", str(part)))
        check(one_line(source, b"last@") and len(source) < 20, f"{source!r}")


def cases():
    yield "data of every shape", by_structure
    yield "a bound to tries and to time", within_bounds
    yield "command lines", lambda: is_shrunk("dmFsdWU=", "test_switches.py",
                                             ("--cases", "60"), is_small_run, "--seed", "7")
    yield "tables of rules", lambda: is_shrunk("example", "test_rules.py", ("--tables", "3"),
                                               is_small_table, "--seed", "3")
    yield "sources of entries", sources_are_shrunk
    yield "messages", lambda: is_shrunk("boundary=xx", "test_messages.py", ("--messages", "8"),
                                        is_small_message, "--seed", "1")


if __name__ == "__main__":
    run(cases())
