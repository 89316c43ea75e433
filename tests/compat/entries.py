# SPDX-License-Identifier: BSD-2-Clause
"""entries.py - source texts as people write them, and worse: the same on every run."""

import random

# Upper case of more than ASCII, characters that fold to several, and such without case.
SYLLABLES = ["an", "Be", "CI", "do", "É", "ß", "Σί", "ж", "Щ", "Straße", "ﬁ", "公司", "मेल", "İ", "𐐀", "🐌"]
SPACES = [" ", "\t", "  \t ", " \v", "\f ", "\t\t\t"]
LONGEST_KEY = 500  # LMDB takes 511 bytes


def word(rng, most=4):
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, most)))


def key(rng, number):
    """A key of some kind; mostly addresses, and mostly unique."""
    kind = rng.random()
    if kind < 0.6:
        return f"{word(rng)}{number}@{word(rng, 2)}.Example"
    if kind < 0.7:
        return f"@domain{number}.{word(rng, 1)}.example"
    if kind < 0.75:
        return f"\"quoted {word(rng)} {number}\"@Example.org"
    if kind < 0.78:
        return f"back\\ slash{number}@example.org"
    if kind < 0.8:
        return f"colon{number}:"
    if kind < 0.82:
        start = f"long{number}-"
        return start + "x" * rng.randint(1, LONGEST_KEY - len(start))
    if kind < 0.9:
        return f"dup{rng.randint(0, 50)}@example.org"
    return f"{number}.{rng.randint(0, 255)}.2.192"


def value(rng):
    kind = rng.random()
    if kind < 0.02:
        return "v" * rng.randint(3000, 20000)  # more than a page of either library
    if kind < 0.1:
        return f"\"{word(rng)}\" # no comment"
    return ", ".join(f"{word(rng)}@{word(rng, 2)}.example" for _ in range(rng.randint(1, 4)))


def continued(rng, text):
    """The same on several lines, with comments and empty lines in between."""
    words = text.split(" ")
    if len(words) < 2:
        return text
    where = rng.randrange(1, len(words))
    between = rng.choice(["\n", "\n# a comment\n", "\n\n   \n", "\r\n", "\n \t# another\n"])
    return " ".join(words[:where]) + between + rng.choice(SPACES[:4]) + " ".join(words[where:])


def postmap_source(count, seed=1):
    """@return the bytes of a source of about `count` entries, some of them doubtful"""
    rng = random.Random(seed)
    parts = [b"# generated\n\n"]
    for number in range(count):
        entry = key(rng, number) + rng.choice(SPACES) + value(rng)
        if rng.random() < 0.1:
            entry = continued(rng, entry)
        entry += rng.choice(["", "", "", " ", "\t\r", "  \f"])
        parts.append(entry.encode() + b"\n")
        if rng.random() < 0.02:
            parts.append(rng.choice([b"\n", b"   \n", b"# comment\n", b"\t# indented\n",
                                     b"keyonly%d\n" % number, b"\"open quote%d value\n" % number,
                                     b"latin\xe9-%d value\n" % number, b"bad%d \xff\n" % number]))
    parts.append(b"last@example.org no newline at the end")
    return b"".join(parts)


def aliases_source(count, seed=2):
    """The same in the format of aliases(5). Quoted names are left out: Postfix's own versions
    store them in two ways."""
    rng = random.Random(seed)
    parts = [b"# generated\n"]
    for number in range(count):
        name = rng.choice([f"user{number}", f"User.{number}", f"owner-List{number}",
                           f"dup{number % 50}", f"{word(rng)}{number}"])
        target = rng.choice([f"{name}@example.org", f"|\"/usr/bin/filter -x {number}\"",
                             f":include:/etc/lists/{number}", f"/var/mail/{number}",
                             f"a{number},b{number} ,  c{number}", f"A Person <{name}@example.org>"])
        entry = f"{name}:{rng.choice(SPACES[:3])}{target}"
        if rng.random() < 0.1:
            entry = continued(rng, entry)
        parts.append(entry.encode() + b"\n")
        if rng.random() < 0.02:
            parts.append(rng.choice([b"\n", b"# comment\n", b"nocolon%d\n" % number,
                                     b"no,comma%d: x\n" % number, b"not@local%d: x\n" % number,
                                     b"empty%d:\n" % number]))
    return b"".join(parts)


def keys_to_ask(source):
    """Questions about such a source: what stands at the start of its lines, as it is and in other
    case, and what is not there. One a line."""
    asked = []
    for line in source.split(b"\n"):
        start = line.split(b":")[0] if b":" in line[:200] else line
        for part in {line.split(b"\t")[0].split(b" ")[0], start, line[:40]}:
            if part and b"\0" not in part:
                asked.append(part)
                asked.append(part.swapcase())
    return b"\n".join(asked + [b"absent", b"x" * 600, b"absent" + b"\xc3\xa9"]) + b"\n"
