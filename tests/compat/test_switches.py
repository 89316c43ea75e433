#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random command lines of postmap and postalias do what the system's do.

usage: test_switches.py [--seed N] [--cases N] [--seconds N] [--case N]

Each case is a table and a few commands for it, with random switches, operands and input. Output,
messages, exit status and what is in the table in the end are compared. `differences` beside this
file names where Postfix 3.7 is known to differ, and is applied to both sides.
The same seed makes the same cases. A failure shows the command that does one of them again, and what
is left of it once it is shrunk. No case begins when the time is up.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from pair import SUFFIX, THEIR_POSTALIAS, THEIR_POSTMAP, Pair  # noqa: E402
from shrink import SHOWN, again, shrunk  # noqa: E402
from tap import Fault, check, require, run  # noqa: E402

CASES = 1500  # of one to four commands
SECONDS = 40
AT_ONCE = 24  # Postfix sleeps for a second after each fatal error
COMMANDS = {"postmap": "bfFhmnNopruUvw", "postalias": "fnNopruvw"}

KEYS = ["k", "K", "Key", "other", "É", "é", "\xff", "a b", "\"a b\"", "", "dup", "Dup", "-", "#x", "@",
        "long" * 40, "k\0z"]
VALUES = ["v", "V  w", "\"q\"", "É", "#", "x:", "a, b", "FILE", "FILE, FILE", "/nonexistent", "\xff",
          "dmFsdWU=", "(c)", "ü" * 30]
ODD_LINES = ["# comment", "", "   ", " continued", "keyonly", ": x", "\"open x", "no\\", "\xff \xff",
             "k: v", "a@b: c", "x , y: z", "nul\0 x", "name: \"q\\\"r\" , |/cmd", "\ufeffk v"]
RULES = [b"/^k/ <$0>", b"/(k)(.*)/ [$1][$2]", b"/^$/ empty", b"!/x/ $1", b"if /K/\n/e/ E\nendif",
         b"/a b/ two", b"/(/ bad", b"/./", b"endif", b"/k/i case", b"oops", b"/(.)/FILE", b"/(.)/ FILE"]


def latin(text):
    """Characters up to U+00FF that stand for themselves are single bytes; the rest is UTF-8."""
    return b"".join(b"\xff" if c == "\xff" else c.encode() for c in text)


class Maker:
    """Makes one case: the same for both sides, up to the name of their folder."""

    def __init__(self, rng):
        self.rng = rng
        self.program = "postalias" if rng.random() < 0.15 else "postmap"

    def chance(self, probability):
        return self.rng.random() < probability

    # By what is done: Postfix refuses these when there is a key or entry for them, and here it is
    # when they are opened; and 3.11 can add to environ.
    AVOIDED = {"d": ("fail:x", "environ:x", "static:some value", "lmdb:/nonexistent/x"),
               "i": ("fail:x", "environ:x", "inline:")}

    def text(self, choices):
        """Postfix 3.12 keeps the quotes of names of aliases, which 3.7 takes off."""
        text = latin(self.rng.choice(choices))
        return text.replace(b"\"", b"'") if self.program == "postalias" else text

    def source(self):
        separator = b": " if self.program == "postalias" else self.rng.choice([b" ", b"\t", b" \t"])
        lines = []
        for _ in range(self.rng.randint(0, 8)):
            if self.chance(0.2):
                lines.append(self.text(ODD_LINES))
            else:
                lines.append(self.text(KEYS) + separator + latin(self.rng.choice(VALUES)))
        return self.joined(lines, b"\r\n" if self.chance(0.1) else b"\n")

    def joined(self, lines, newline):
        """Postfix loses a last line without a newline when its last byte is 0xff."""
        text = newline.join(lines)
        return text + (newline if self.chance(0.8) or text.endswith(b"\xff") else b"")

    def rules(self):
        return b"\n".join(self.rng.choice(RULES) for _ in range(self.rng.randint(0, 5))) + b"\n"

    def keys(self):
        return self.joined([latin(self.rng.choice(KEYS)) for _ in range(self.rng.randint(0, 6))], b"\n")

    def message(self):
        headers = [b"Subject: k\n a b", b"Key: other", b"K:v", b"Content-Type: multipart/x; boundary=k"]
        lines = self.rng.sample(headers, self.rng.randint(0, 4)) + [b""] + [b"--k", b"K: a b", b"", b"k"]
        return b"\n".join(lines) + b"\n"

    def operand(self, kind):
        """The table's own, mostly."""
        if self.chance(0.85):
            return f"{kind}:TABLE"
        return self.rng.choice(["static:some value", "inline:{k=v, Other = {x}}", "inline:{ {a b = c} }",
                                "inline:{k}", "inline:", "regexp:RULES", "texthash:TABLE",
                                "hash:/nonexistent/x", "lmdb:/nonexistent/x", "fail:x", "nonsense:x",
                                "TABLE", "regexp:{ {/k/ v} }", "environ:x", "lmdb:OTHER"])

    def switches(self):
        letters = COMMANDS[self.program]
        common = self.rng.sample(letters, self.rng.choice([0, 0, 0, 1, 1, 2, 3]))
        rare = [c for c in common if c in "bhmv"]
        return [c for c in common if c not in rare or self.chance(0.3)]

    def command(self, kind):
        words, given = [], b""
        action = self.rng.choice(["q", "q", "q-", "q-", "s", "s", "d", "d-", "i", "", "", "m"])
        if action in ("q", "d"):
            key = self.rng.choice([k for k in KEYS if "\0" not in k])
            words += ["-" + action, latin(key)]
        elif action in ("q-", "d-"):
            words += ["-" + action[0], "-"]
            given = self.keys()
        elif action == "m":
            words += ["-q", "-", self.rng.choice(["-h", "-b", "-hb", "-hm", "-bm", "-hbm"])]
            given = self.message()
        elif action == "s":
            words += ["-s"]
        elif action == "i":
            words += ["-i"]
            given = self.source()
        if self.chance(0.03):
            words += self.rng.choice(self.conflicts(action))
        if action == "m" and self.program == "postalias":
            words = words[:2]
        words += [f"-{c}" for c in self.switches()]
        operands = [self.operand(kind) for _ in range(self.rng.choice([1, 1, 1, 1, 2, 3, 0]))]
        operands = [o for o in operands if o not in self.AVOIDED.get(action[:1], ())]
        if action == "m":  # Postfix prints what is stored
            words = [word for word in words if word != "-F"]
        if any(o.startswith("lmdb:") for o in operands):
            words, given = self.without_empty_keys(words, given)
        return [*words, *operands], given

    @staticmethod
    def conflicts(action):
        """Postfix 3.7 does not see all of 3.12's."""
        conflicts = [["-x"], ["-q", "k"], ["-d", "k"], ["-s"], ["-q"]]
        return {"s": conflicts[:3], "i": conflicts[:1], "": conflicts[:1]}.get(action, conflicts)

    @staticmethod
    def without_empty_keys(words, given):
        """For LMDB they are fatal errors to Postfix; here they are not found."""
        modes = {"-b": "-h", "-hb": "-h", "-bm": "-hm", "-hbm": "-hm", b"": b"k"}
        words = [modes.get(word, word) for word in words]
        if "-i" not in words:
            given = b"".join(line + b"\n" for line in given.split(b"\n")
                            if line and not line.startswith(b"\0"))
        return words, given

    def case(self):
        kind = self.rng.choice(["hash", "btree", "lmdb", "texthash", "regexp", *SUFFIX])
        files = {"TABLE": self.rules() if kind == "regexp" else self.source(),
                 "RULES": self.rules(), "OTHER": self.source(), "FILE": b"content\n"}
        commands = []
        if kind in SUFFIX:
            switches = [f"-{c}" for c in self.switches() if c not in "bhm"]
            commands.append(([*switches, f"{kind}:TABLE"], b""))
        commands += [self.command(kind) for _ in range(self.rng.randint(1, 3))]
        return kind, files, commands


def read_differences(path):
    """Lines PATTERN => REPLACEMENT; what it says of them stands above, as comments."""
    rules = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, _, replacement = line.partition(" =>")
            rules.append((re.compile(pattern.strip().encode()), replacement.strip().encode()))
    return rules


class Comparison:
    def __init__(self, pair, program, kind):
        self.pair = pair
        self.program = program
        self.kind = kind
        self.rules = read_differences(HERE / "differences")

    def perform(self, side, case):
        """@return for each command what it did, and then what is in the table"""
        commands, files = case
        # Both folders have names of the same length.
        with tempfile.TemporaryDirectory(prefix=f"{side.name:_<6}", dir=self.pair.home) as home:
            os.chmod(home, 0o755)
            place = re.compile(b"TABLE|RULES|OTHER|FILE")

            def placed(text):
                return place.sub(lambda m: os.fsencode(home) + b"/" + m.group().lower(), text)
            for name, data in files.items():
                (pathlib.Path(home) / name.lower()).write_bytes(placed(data))
            done = []
            for words, given in commands:
                status, output, said = side.run(*(placed(os.fsencode(w)) for w in words),
                                                given=placed(given), program=self.program)
                messages = {self.neutral(home, line) for line in said if "-v" not in words}
                done.append((status, self.neutral(home, self.ordered(words, output)),
                             sorted(messages - {b""})))
            if self.kind in SUFFIX:
                # One reader for both, so that what was written is seen.
                status, output, _ = self.pair.theirs.run("-s", f"{self.kind}:{home}/table",
                                                         program=self.program)
                done.append((status, self.neutral(home, self.ordered(["-s"], output)), []))
            return done

    @staticmethod
    def ordered(words, output):
        if "-s" not in words:
            return output
        lines = [line for line in output.split(b"\n") if not line.startswith(b"YP_")]
        return b"\n".join(sorted(lines))

    def neutral(self, home, text):
        text = text.replace(os.fsencode(home), b"HOME")
        for pattern, replacement in self.rules:
            text = pattern.sub(replacement, text)
        return text

    def compare(self, case):
        """Raises a Fault when the two sides differ."""
        ours, theirs = (self.perform(side, case) for side in self.pair.sides)
        if ours == theirs:
            return
        where = next(i for i, (one, other) in enumerate(zip(ours, theirs)) if one != other)
        differ = [what for what, one, other in zip(("status", "output", "messages"), ours[where],
                                                   theirs[where]) if one != other]
        steps = [words for words, _ in case[0]] + ["what is in the table"]
        raise Fault(f"{' and '.join(differ)}: {self.program} {steps[where]!r}\n"
                    f"ours   {ours[where]!r}\ntheirs {theirs[where]!r}")


class Cases:
    """The cases of a seed, done until the time is up."""

    def __init__(self, pair, seed, seconds=float("inf")):
        self.pair = pair
        self.seed = seed
        self.until = time.monotonic() + seconds
        self.commands = {}  # of each case that was done, how many

    def make(self, number):
        maker = Maker(random.Random(f"{self.seed}.{number}"))
        kind, files, commands = maker.case()
        return Comparison(self.pair, maker.program, kind), (commands, files)

    def do(self, number):
        """@return None, or the number and the fault"""
        if time.monotonic() > self.until:
            return None
        comparison, case = self.make(number)
        self.commands[number] = len(case[0])
        try:
            comparison.compare(case)
        except Fault as fault:
            return number, fault
        return None

    def explain(self, number, fault):
        comparison, case = self.make(number)
        return f"{comparison.kind}, " + shrunk(comparison.compare, case, fault,
                                               again("--seed", self.seed, "--case", number))


def random_cases(seed, numbers, seconds):
    with Pair() as pair:
        cases = Cases(pair, seed, seconds)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            faults = [fault for fault in pool.map(cases.do, numbers) if fault]
        print(f"# {len(cases.commands)} cases, {sum(cases.commands.values())} commands")
        check(not faults, f"{len(faults)} of {len(cases.commands)} cases end otherwise: "
              f"{[number for number, _ in faults]!r:.200}\n"
              + "\n".join(cases.explain(*fault) for fault in faults[:SHOWN]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", default=os.environ.get("SEED", "1"))
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--case", type=int, help="no other")
    wanted = parser.parse_args()
    require(THEIR_POSTMAP, THEIR_POSTALIAS)
    print(f"# --seed {wanted.seed}", flush=True)
    numbers = range(wanted.cases) if wanted.case is None else [wanted.case]
    run([(f"random command lines, seed {wanted.seed}",
          lambda: random_cases(wanted.seed, numbers, wanted.seconds))])


if __name__ == "__main__":
    main()
