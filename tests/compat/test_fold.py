#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Keys with every character of Unicode lose their case as ICU says, and as Postfix has it, with
smtputf8_enable or without; text that is not UTF-8 is refused or passed on."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, Pair, lines_of  # noqa: E402
from icufold import folding  # noqa: E402
from tap import check, require, run, same  # noqa: E402

BUILT = ("hash", "btree", "lmdb", "cdb")
MODES = {"yes": "smtputf8_enable = yes\n", "no": "smtputf8_enable = no\n"}

A_KEY = 32  # characters, which are folded one by one
CHARACTERS = [chr(code) for code in range(0x21, 0x110000)
              if not 0xd800 <= code < 0xe000 and chr(code) not in '"\\\x7f']
TEXTS = [f"Key{at}-" + "".join(CHARACTERS[at:at + A_KEY])
         for at in range(0, len(CHARACTERS), A_KEY)]
KEYS = [text.encode() for text in TEXTS]
SOURCE = b"".join(key + b" value\n" for key in KEYS)

# RFC 3629: alone, overlong, surrogates, above U+10FFFF, never there, cut, broken.
MALFORMED = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
             b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
             b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff",
             b"\xc3", b"\xe2\x82", b"\xf0\x9f\x92", b"\xc3(", b"\xe2(\xa1", b"\xe2\x82(",
             b"\xf0(\x8c\xbc", b"\xf0\x90(\xbc", b"\xf0\x90\x8c("]
BAD_KEYS = [b"bad%d-%s" % (i, text) for i, text in enumerate(MALFORMED)]
BAD_SOURCE = b"first value\n" + b"".join(key + b" value\n" for key in BAD_KEYS) + b"last value\n"

by_icu = None


def expected(mode):
    """@return what each key must become: without UTF-8, only the letters of ASCII change"""
    if mode == "yes":
        return [by_icu(text).encode() for text in TEXTS]
    return [bytes(c | 0x20 if 0x41 <= c <= 0x5a else c for c in key) for key in KEYS]


def keys_of(dump):
    return sorted(line.rsplit(b"\t", 1)[0] for line in dump)


def folds_in_files(kind, mode):
    """What is in the file, and what both sides find there by the key as it was."""
    with Pair(MODES[mode]) as pair:
        folded = expected(mode)
        paths = [pair.source(side.name, SOURCE, old=True) for side in pair.sides]
        for side, path in zip(pair.sides, paths):
            side.must(f"{kind}:{path}")
            same(keys_of(pair.ours.dump(f"{kind}:{path}")), sorted(folded), f"keys of {side.name}")
        asked = b"\n".join(KEYS) + b"\n"
        for side in pair.sides:
            same(lines_of(side.must("-q", "-", f"{kind}:{paths[0]}", given=asked)),
                 [key + b"\tvalue" for key in KEYS], f"answers to {side.name}")


def folds_in_texthash(mode):
    """Both the key as it was and the folded one are found."""
    with Pair(MODES[mode]) as pair:
        path = pair.source("t", SOURCE, old=True)
        folded = expected(mode)
        same(keys_of(pair.ours.dump(f"texthash:{path}")), sorted(folded), "keys")
        for keys in KEYS, folded:
            for side in pair.sides:
                same(lines_of(side.must("-q", "-", f"texthash:{path}",
                                        given=b"\n".join(keys) + b"\n")),
                     [key + b"\tvalue" for key in keys], f"answers to {side.name}")


def enough_is_folded():
    """Otherwise the others show nothing."""
    changed = sum(by_icu(c) != c for c in CHARACTERS)
    grown = sum(len(by_icu(c)) > 1 for c in CHARACTERS)
    check(changed > 1400 and grown > 100, f"{changed} change, {grown} to more than one")
    same(by_icu("Stra\u00dfe \u0130\u212a\u03a3\u03c2\u0131"), "strasse i\u0307k\u03c3\u03c3\u0131",
         "what COMPAT says of ICU")
    same(len(set(expected("yes"))), len(KEYS), "different keys")


def malformed_in_source(kind, mode):
    """Lines with it are skipped, with a warning, or kept as they are."""
    with Pair(MODES[mode]) as pair:
        kept = [b"first", b"last"] + (BAD_KEYS if mode == "no" else [])
        for side in pair.sides:
            path = pair.source(side.name, BAD_SOURCE, old=True)
            words = ["-s", f"texthash:{path}"] if kind == "texthash" else [f"{kind}:{path}"]
            status, _, said = side.run(*words)
            same(status, 0, f"{side.name}: {said[:3]}")
            same(sum(b"non-UTF-8 input" in line for line in said),
                 len(MALFORMED) if mode == "yes" else 0, f"warnings of {side.name}")
            same(keys_of(pair.ours.dump(f"{kind}:{path}")), sorted(kept), f"keys of {side.name}")


def malformed_questions(kind, mode):
    """Never found, with a warning, or looked up as they are."""
    with Pair(MODES[mode]) as pair:
        path = pair.source("t", BAD_SOURCE, old=True)
        if kind != "texthash":
            pair.ours.must("-u", f"{kind}:{path}")
        for side in pair.sides:
            asked = [b"first", *BAD_KEYS]
            _, output, said = side.run("-q", "-", f"{kind}:{path}", given=b"\n".join(asked) + b"\n")
            same(lines_of(output), [key + b"\tvalue" for key in asked if mode == "no" or key == b"first"],
                 f"answers to {side.name}")
            same(sum(b"non-UTF-8 key" in line for line in said),
                 len(MALFORMED) if mode == "yes" else 0, f"warnings of {side.name}: {said[:3]}")


def malformed_values(kind, mode):
    """A mistake of the table's, or given as they are. Postfix's postmap rests for a second before it
    gives up, and is therefore asked for one of them."""
    with Pair(MODES[mode]) as pair:
        path = pair.source("t", b"".join(b"key%d %s\n" % item for item in enumerate(MALFORMED)), old=True)
        pair.ours.must("-u", f"{kind}:{path}")
        for side in pair.sides:
            last = 1 if side == pair.theirs else len(MALFORMED)
            for i, value in enumerate(MALFORMED[:last]):
                status, output, said = side.run("-q", f"key{i}", f"{kind}:{path}")
                same((status, output), (0, value + b"\n") if mode == "no" else (1, b""),
                     f"{side.name}: {value}: {said}")
                same(any(b"non-UTF-8 value" in line for line in said), mode == "yes",
                     f"{side.name}: {value}: {said}")


def cases():
    yield "ICU folds what it must", enough_is_folded
    for mode in MODES:
        def named(what, mode=mode):
            return f"{what}, smtputf8_enable = {mode}"
        for kind in BUILT:
            yield named(f"{kind}: every character"), lambda k=kind, m=mode: folds_in_files(k, m)
        yield named("texthash: every character"), lambda m=mode: folds_in_texthash(m)
        for kind in *BUILT, "texthash":
            yield named(f"{kind}: a source that is not UTF-8"), \
                lambda k=kind, m=mode: malformed_in_source(k, m)
            yield named(f"{kind}: keys that are not UTF-8"), \
                lambda k=kind, m=mode: malformed_questions(k, m)
        for kind in BUILT:
            yield named(f"{kind}: values that are not UTF-8"), \
                lambda k=kind, m=mode: malformed_values(k, m)


if __name__ == "__main__":
    require(THEIR_POSTMAP)
    by_icu = folding()
    run(cases())
