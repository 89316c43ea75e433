# SPDX-License-Identifier: BSD-2-Clause
"""rule_tables.py - tables of rules and questions to them: what people write, what they write wrong,
and what nobody would. The same for the same random.Random."""

LETTERS = "abcxyzABZ019"
SPACES = [" ", " ", "\t", "  ", " \t \v", "\f"]
WORDS = ["a", "ab", "abc", "xyz", "foo", "Foo", "bar", "@", ".", "-", "example", "Subject: ", "0", "12",
         " ", "/", "\u00e9", "{", "}"]


def pick(rng, *choices):
    """One of (weight, function) pairs, called."""
    total = sum(weight for weight, _ in choices)
    at = rng.random() * total
    for weight, make in choices:
        at -= weight
        if at < 0:
            return make()
    return choices[-1][1]()


def text(rng, most=3):
    return "".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))


# ---- patterns --------------------------------------------------------------------------------


class Patterns:
    """Patterns of one kind of regular expression. `specials`: what only this kind has."""

    def __init__(self, rng, specials, flags):
        self.rng = rng
        self.specials = specials
        self.flags = flags

    def literal(self):
        return "".join("\\" + c if c in ".{}()[]*+?^$|/" and self.rng.random() < 0.9 else c
                       for c in text(self.rng))

    def bracket(self):
        inside = "".join(self.rng.choice(["a", "b", "x-z", "0-9", ".", "[:alpha:]", "[:digit:]", "@",
                                          "\\", "^", "-"])
                         for _ in range(self.rng.randint(1, 3)))
        return "[" + self.rng.choice(["", "", "^", "]"]) + inside + "]"

    def group(self, depth):
        return "(" + self.alternatives(depth + 1) + ")"

    def atom(self, depth):
        rng = self.rng
        return pick(rng,
                    (5, self.literal), (2, lambda: rng.choice(LETTERS)), (1.5, lambda: "."),
                    (1, self.bracket), (0.7, lambda: rng.choice("^$")),
                    (1.5 if depth < 3 else 0, lambda: self.group(depth)),
                    (1, lambda: rng.choice(self.specials)))

    def repeated(self, depth):
        rng = self.rng
        mark = pick(rng, (7, lambda: ""), (1, lambda: rng.choice("*+?")),
                    (0.3, lambda: rng.choice(["{2}", "{1,2}", "{0,1}", "{1,}", "{,2}", "{3,2}"])),
                    (0.05, lambda: rng.choice(["**", "+*", "?+", "*?", "{", "{x}"])))
        return self.atom(depth) + mark

    def sequence(self, depth):
        return "".join(self.repeated(depth) for _ in range(self.rng.randint(1, 3)))

    def alternatives(self, depth=0):
        most = 3 if self.rng.random() < 0.25 else 1
        return "|".join(self.sequence(depth) for _ in range(self.rng.randint(1, most)))

    def pattern(self):
        return pick(self.rng,
                    (6, self.alternatives), (2, self.literal),
                    (1, lambda: "^" + self.literal()), (1, lambda: self.literal() + "$"),
                    (0.3, lambda: self.alternatives() + self.rng.choice("([)*\\")),
                    (0.1, lambda: ""))

    def flag_text(self):
        rng = self.rng
        return "".join(rng.choice(self.flags) for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])))

    def delimited(self):
        rng = self.rng
        delimiter = rng.choice("///////|!%,;\"'~\\")
        pattern = self.pattern()
        if delimiter != "/" or rng.random() < 0.95:
            pattern = pattern.replace(delimiter, rng.choice(["", "\\" + delimiter]))
        end = delimiter if rng.random() < 0.98 else ""
        return negation(rng) + delimiter + pattern + end + self.flag_text()

    def replacement(self):
        rng = self.rng
        return "".join(pick(rng, (4, lambda: text(rng, 2)), (1, lambda: "$1"), (0.5, lambda: "${1}"),
                            (0.3, lambda: "$(2)"), (0.3, lambda: "$2"), (0.3, lambda: "$$"),
                            (0.1, lambda: rng.choice(["$0", "$", "${1", "$x", "$10", "${}", "$1x"])))
                       for _ in range(rng.randint(1, 3)))

    def condition(self):
        extra = self.rng.choice(SPACES) + text(self.rng) if self.rng.random() < 0.03 else ""
        return self.delimited() + extra

    def rule(self):
        value = "" if self.rng.random() < 0.03 else self.replacement()
        return self.delimited() + self.rng.choice(SPACES) + value

    def key(self):
        return text(self.rng, 6)


class Regexp(Patterns):
    """POSIX regular expressions."""

    def __init__(self, rng):
        super().__init__(rng, ["\\1", "\\w", "\\b", "\\<", "\\W", "()", "(^a|b$)"], "iimmxxq")

    def delimited(self):
        first = super().delimited()
        if self.rng.random() < 0.1:
            return first + "!/" + self.literal().replace("/", "") + "/" + self.flag_text()
        return first


class Pcre(Patterns):
    """Perl-compatible regular expressions."""

    def __init__(self, rng):
        super().__init__(rng, ["\\1", "\\d", "\\w", "\\W", "\\b", "(?:a|b)", "(?=a)", "(?!b)", "(?<=a)",
                               "(?<!b)", "(?i)", "(?-i)", "(?x) a #", "(?<n>a)", "(?>a+)", "a*+", "b+?",
                               "(?#b)", "\\x61", "\\Qa.\\E", "\\A", "\\z", "\\Z", "\\K", "\\R", "\\S",
                               "(?|(a)|(b))", "(?1)", "(a(?R)?b)", "(?(1)a|b)", "\\p{Lu}", "\\C", "\\G",
                               "(*ACCEPT)", "(*COMMIT)", "(*SKIP)", "(*F)", "\\ca", "\\N"],
                         "iimmssxxAAEEUUXq")


# ---- networks --------------------------------------------------------------------------------


class Cidr:
    """Networks, near to each other."""

    def __init__(self, rng):
        self.rng = rng

    def v4(self, bits):
        number = self.rng.choice([0x0A000000, 0x0A800000, 0xC0A80000, 0, 0xFFFFFF00, 0x0A010200])
        number |= self.rng.getrandbits(self.rng.choice([1, 3, 8, 24]))
        if self.rng.random() < 0.97:
            number &= ~((1 << 32 - bits) - 1)
        number &= 0xFFFFFFFF
        return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))

    def v6(self, bits):
        number = self.rng.choice([0, 1 << 127, 0x20010DB8 << 96, 0xFFFF << 32, (1 << 128) - 256])
        number |= self.rng.getrandbits(self.rng.choice([1, 4, 64, 90, 128]))
        if self.rng.random() < 0.97:
            number &= ~((1 << 128 - bits) - 1)
        number &= (1 << 128) - 1
        groups = [number >> shift & 0xFFFF for shift in range(112, -1, -16)]
        written = ":".join("%x" % group for group in groups)
        return pick(self.rng, (3, lambda: written), (1, written.upper),
                    (2, lambda: written.replace(":0:0:0:0:", "::", 1)
                     .replace("0::0:", "::", 1) if ":0:0:0:0:" in written else written))

    def network(self):
        rng = self.rng
        if rng.random() < 0.65:
            bits = rng.choice([8, 9, 16, 24, 30, 31, 32, rng.randint(0, 32), 0])
            address = self.v4(bits)
        else:
            bits = rng.choice([16, 32, 48, 64, 65, 127, 128, rng.randint(0, 128), 0])
            address = self.v6(bits)
        full = bits == (128 if ":" in address else 32)
        written = address if full and rng.random() < 0.5 else f"{address}/{bits}"
        return pick(rng, (8, lambda: written),
                    (1, lambda: f"[{address}]/{bits}"), (1, lambda: f"[{written}]"),
                    (0.3, lambda: self.wrong(address, bits)))

    def wrong(self, address, bits):
        return self.rng.choice([f"{address}/", f"{address}/x", f"{address}/{bits + 97}", f"[{address}",
                                f"[{address}]x", f"{address}]/{bits}", f"[{address}/{bits}]/{bits}", "10.0/16",
                                "host.example", ":", "", "[]", f"{address}//{bits}", f"0{address}", "if",
                                f"{address}/{bits}/{bits}", "256.1.1.1", "/8", f"{address}/0{bits}"])

    def condition(self):
        extra = " x" if self.rng.random() < 0.03 else ""
        return negation(self.rng) + self.network() + extra

    def rule(self):
        rng = self.rng
        value = "" if rng.random() < 0.03 else text(rng)
        return negation(rng) + self.network() + rng.choice(SPACES) + value

    def key(self):
        rng = self.rng
        return pick(rng, (6, lambda: self.v4(32)), (4, lambda: self.v6(128)),
                    (0.3, lambda: rng.choice(["x", "10.0.0", "[10.0.0.1]", "10.0.0.1/32", " 10.0.0.1",
                                              "10.0.0.01", "::ffff:10.0.0.1", "fe80::1%lo", "::", "1"])))


KINDS = {"regexp": Regexp, "pcre": Pcre, "cidr": Cidr}


# ---- tables ----------------------------------------------------------------------------------


def negation(rng):
    return rng.choice(["!", "! ", "!!", "! !!"]) if rng.random() < 0.12 else ""


def any_case(rng, word):
    return "".join(rng.choice([c, c.upper()]) if rng.random() < 0.2 else c for c in word)


def line(rng, kind):
    return pick(rng,
                (10, kind.rule),
                (1.2, lambda: any_case(rng, "if") + rng.choice([" ", " ", "\t", ""]) + kind.condition()),
                (1.1, lambda: any_case(rng, "endif") + (" x" if rng.random() < 0.03 else "")),
                (0.1, lambda: rng.choice(["foo bar", "ifx /a/", "endifs", "if", "!", "1"])))


def broken(rng, written):
    """The same, going on in the next line, with comments between."""
    if " " not in written or rng.random() > 0.07:
        return written
    where = written.rindex(" ")
    between = rng.choice(["\n", "\n# comment\n", "\n\n  # comment\n", "\r\n"])
    return written[:where] + between + rng.choice(SPACES[:4]) + written[where + 1:]


def table(rng, kind, most=40):
    """@return the text of a file"""
    parts = []
    for _ in range(rng.randint(0, rng.choice([3, 10, most]))):
        parts.append(broken(rng, line(rng, kind)) + rng.choice(["", "", " ", "\t\r"]))
        if rng.random() < 0.05:
            parts.append(rng.choice(["", "# comment", "  # comment", " \t"]))
    if rng.random() < 0.02:
        parts.insert(0, " begins with a space")
    return "\n".join(parts) + rng.choice(["\n", "\n", ""])


def inline(rng, kind):
    """@return what stands behind the colon; mostly well-formed"""
    rules = []
    for _ in range(rng.randint(0, 6)):
        rule = line(rng, kind)
        if rule.count("{") == rule.count("}") and rule.find("}") >= rule.find("{"):
            space = rng.choice(["", "", " ", "\t"])
            rules.append("{" + space + rule + space + "}")
    return "{" + "".join(rng.choice([" ", ", ", ",", "\n"]) + rule for rule in rules) + " }"


def keys(rng, kind, count=40):
    """@return questions, one a line"""
    asked = [kind.key().replace("\n", "").strip("\n") or "x" for _ in range(count)]
    return "\n".join(asked) + "\n"
