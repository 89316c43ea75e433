#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What -b, -h and -m make of messages, the worse the better: as the system's postmap does.

usage: test_messages.py [--seed N] [--messages N] [--message N]

The same seed makes the same messages. A failure shows the command that asks for one of them again,
and what is left of it once it is shrunk.
Messages have nothing in them of what is known to differ:
- Postfix loses a last line without a newline when its last byte is 0xff.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from shrink import SHOWN, again, shrunk  # noqa: E402
from tap import Fault, check, require, run, same  # noqa: E402

MESSAGES = 1200
AT_ONCE = 4
# Each message is read in the mode that has it all, and in one of the others.
WHOLE = "-hbm"
MODES = ("-h", "-b", "-hb", "-hm", "-bm")
# What is found is printed with its key. Lines that only have a newline in them match, too.
TABLES = {
    "everything": b"/^(.*)$/ <$1>\n",
    "some": b"/^content-type: *(.*)/ type $1\n/^$/ empty\n/[\x80-\xff]/ bytes\n/x/ an x\n",
    "none": b"/^nothing has this$/ found\n",
}
# Limits that a short message can reach.
NARROW = """
header_size_limit = 60
mime_boundary_length_limit = 3
mime_nesting_limit = 1
"""

BOUNDARIES = [b"xx", b"xxy", b"x", b"yy", b"a b", b"=_1.2", b"''", b"x--", b"q\"q", b"Z" * 70, b""]
NAMES = [b"Subject", b"From", b"X-A", b"content-type", b"Content-Type", b"A", b"a.b(c)", b"\"q\"",
         b"Content-Transfer-Encoding", b"--xx", b"A\xe4", b"A B", b"", b"-", b"Content-Type-"]
COLONS = [b": ", b":", b" : ", b"\t:", b" \t :", b"::", b"\r:", b"\v: ", b""]
TYPES = [b"multipart/mixed", b"multipart/digest", b"MultiPart/Alternative", b"multipart",
         b"multipart/", b"message/rfc822", b"message/RFC822 ", b"message/global", b"message/partial",
         b"message/external-body", b"message", b"message/delivery-status", b"text/plain", b"text",
         b"foo/bar", b"", b"(c) multipart (d\\)) / (e(f)) mixed (g)", b"\"multipart\"/mixed",
         b"multipart/mixed x", b"multipart digest", b"multi\\part/x", b"message/rfc822/x",
         b"message\n /\n\trfc822", b"(", b"\"", b"/", b"\x00multipart/mixed"]
PARAMETERS = [b"", b"charset=utf-8", b"x=\";\"", b"x=(;)", b"x", b"=", b"boundary", b"boundary==",
              b"x y=z", b"boundary*=xx", b"\"boundary\"=xx", b"x=[;]", b"x=\\;"]
BYTES = [b"\x00", b"\r", b"\t", b" ", b"\xc3\xa4", b"\xff", b"\x01", b"\x7f", b"\v", b"x", b"-", b":"]
WORDS = [b"hello", b"world", b"A: b", b"From x", b".", b"x" * 50, b"--", b"--x", b"boundary=xx", b"$1"]


class Maker:
    """Makes one message."""

    def __init__(self, rng):
        self.rng = rng
        self.boundaries = []  # that have been announced, or might be
        self.newline = rng.choice([b"\n"] * 8 + [b"\r\n"])

    def chance(self, probability):
        return self.rng.random() < probability

    def words(self):
        text = b" ".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(0, 4)))
        if self.chance(0.2):
            where = self.rng.randint(0, len(text))
            text = text[:where] + self.rng.choice(BYTES) + text[where:]
        if self.chance(0.02):
            text += self.rng.choice(WORDS) * self.rng.choice([100, 2047, 2049, 9000])
        return text

    def folded(self, text):
        """Some spaces become the beginning of another line."""
        parts = text.split(b" ")
        out = parts[0]
        for part in parts[1:]:
            if self.chance(0.2):
                out += self.newline + self.rng.choice([b" ", b"\t", b" \t "]) + part
            else:
                out += b" " + part
        return out

    def quoted(self, text):
        kind = self.rng.random()
        escaped = b"".join(b"\\" + bytes([c]) if c in b"\"\\" or self.chance(0.1) else bytes([c])
                           for c in text)
        if kind < 0.5:
            return b"\"" + escaped + b"\""
        if kind < 0.55:
            return b"\"" + escaped + self.rng.choice([b"", b"\\"])  # without an end
        if kind < 0.6:
            return text + self.rng.choice([b"(c)", b"/y", b" y", b"\"y\"", b"@", b"\x01"])
        return text

    def content_type(self):
        value = self.rng.choice(TYPES[:7] if self.chance(0.6) else TYPES)
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3])):
            value += self.rng.choice([b"; ", b";", b" ; ", b";;", b" "])
            if self.chance(0.75):
                boundary = self.rng.choice(BOUNDARIES)
                self.boundaries.append(boundary)
                equals = self.rng.choice([b"=", b"=", b" = ", b"(c)=(d)"])
                value += self.rng.choice([b"boundary", b"BOUNDARY"]) + equals + self.quoted(boundary)
            else:
                value += self.rng.choice(PARAMETERS)
        name = self.rng.choice([b"Content-Type: ", b"content-type:", b"Content-Type : "])
        return name + self.folded(value)

    def header(self):
        if self.chance(0.35):
            return self.content_type()
        name = self.rng.choice(NAMES[:5] if self.chance(0.8) else NAMES)
        colon = self.rng.choice(COLONS[:2] if self.chance(0.8) else COLONS)
        return name + colon + self.folded(self.words())

    def headers(self):
        lines = [self.header() for _ in range(self.rng.randint(0, 4))]
        if self.chance(0.05):
            lines.insert(self.rng.randint(0, len(lines)), self.rng.choice([b" ", b"\t x", b"foo", b"\x00"]))
        return lines + ([b""] if self.chance(0.85) else [])

    def boundary(self):
        known = self.boundaries if self.boundaries and self.chance(0.9) else BOUNDARIES
        tail = self.rng.choice([b""] * 6 + [b"--"] * 3 + [b" ", b"-", b"x", b"--x", b": y", b"\x00"])
        start = self.rng.choice([b"--"] * 12 + [b"-", b" --", b"---", b""])
        return start + self.rng.choice(known) + tail

    def lines(self):
        lines = self.headers()
        for _ in range(self.rng.randint(0, 8)):
            kind = self.rng.random()
            if kind < 0.5:
                lines += [self.boundary()] + (self.headers() if self.chance(0.8) else [])
            elif kind < 0.6:
                lines += self.headers()
            else:
                lines.append(self.words())
        return lines

    def deep(self):
        """More levels than there may be."""
        lines = []
        for level in range(self.rng.randint(95, 110)):
            lines += [b"Content-Type: multipart/mixed; boundary=\"%d.\"" % level, b"", b"--%d." % level]
        for _ in range(6):
            lines += [b"X: 1", b"", b"--%d." % self.rng.randint(0, 110)]
        return lines

    def message(self):
        lines = self.deep() if self.chance(0.01) else self.lines()
        text = self.newline.join(lines)
        return text + (self.newline if self.chance(0.8) or text.endswith(b"\xff") else b"")


def message_of(seed, number):
    return Maker(random.Random(f"{seed}.{number}")).message()


class Comparison:
    """Both sides, and what they are asked."""

    def __init__(self, pair, seed):
        self.pair = pair
        self.seed = seed
        self.narrow = pair.home / "narrow"
        self.narrow.mkdir()
        (self.narrow / "main.cf").write_text("compatibility_level = 3.6\ntexthash_utf8 = yes\n" + NARROW)
        self.tables = {name: f"regexp:{pair.source(name, rules)}" for name, rules in TABLES.items()}

    def modes(self, number):
        """@return for each mode of a message, the words of its command"""
        rng = random.Random(f"{self.seed}.{number}.asked")
        config = ["-c", str(self.narrow)] if rng.random() < 0.3 else []
        for mode in (WHOLE, rng.choice(MODES)):
            tables = ["everything"] if rng.random() < 0.9 else rng.sample(list(TABLES), 2)
            yield [*config, mode, "-q", "-", *(self.tables[t] for t in tables)]

    def ask(self, words, message):
        """@return whether something was found; raises a Fault when the two sides differ"""
        ours, theirs = (side.run(*words, given=message) for side in self.pair.sides)
        if ours != theirs:
            differ = [what for what, one, other in zip(("status", "output", "messages"), ours, theirs)
                      if one != other]
            raise Fault(f"{' and '.join(differ)}: {' '.join(words)}\n"
                        f"ours   {ours!r}\ntheirs {theirs!r}")
        return theirs[0] == 0

    def compare(self, number):
        """@return whether something was found; then None, or the number, the words and the fault"""
        found = False
        for words in self.modes(number):
            try:
                found = self.ask(words, message_of(self.seed, number)) or found
            except Fault as fault:
                return found, (number, words, fault)
        return found, None

    def explain(self, number, words, fault):
        return shrunk(lambda message: self.ask(words, message), message_of(self.seed, number), fault,
                      again("--seed", self.seed, "--message", number))


def random_messages(seed, numbers):
    with Pair() as pair:
        comparison = Comparison(pair, seed)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(comparison.compare, numbers))
        faults = [fault for _, fault in results if fault]
        check(not faults, f"{len(faults)} of {len(numbers)} messages are read otherwise: "
              f"{[fault[0] for fault in faults]!r:.200}\n"
              + "\n".join(comparison.explain(*fault) for fault in faults[:SHOWN]))
        check(sum(found for found, _ in results) > len(numbers) * 0.8 or len(numbers) == 1,
              "hardly anything was found")


def long_lines():
    """Neither a header nor a line of the body is cut at line_length_limit."""
    message = b"".join([b"A: ", b"x" * 300_000, b"\nB: 1\n", b" y" * 60_000 + b"\n", b" z\n" * 60_000,
                        b"\n", b"w" * 300_000, b"\nend"])
    with Pair() as pair:
        for mode in (WHOLE, *MODES):
            ours, theirs = (side.run(mode, "-q", "-", "static:x", given=message)[:2]
                            for side in pair.sides)
            same(ours, theirs, mode)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", default=os.environ.get("SEED", str(random.randrange(10 ** 9))))
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--message", type=int, help="no other")
    wanted = parser.parse_args()
    require(THEIR_POSTMAP)
    print(f"# --seed {wanted.seed}", flush=True)
    numbers = range(wanted.messages) if wanted.message is None else [wanted.message]
    run([(f"{len(numbers)} messages, seed {wanted.seed}",
          lambda: random_messages(wanted.seed, numbers)),
         ("long lines", long_lines)])


if __name__ == "__main__":
    main()
