#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""cdb files beside Postfix's and TinyCDB's: byte for byte, and answer for answer."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from entries import aliases_source, keys_to_ask, postmap_source  # noqa: E402
from pair import THEIR_POSTALIAS, THEIR_POSTMAP, Pair, lines_of  # noqa: E402
from shrink import again, compare_or_shrink  # noqa: E402
from tap import check, require, run, same  # noqa: E402

COUNT = 5000


def unique(source):
    """Without what is there twice: Postfix leaves room in the file for each of these."""
    seen, lines = set(), []
    for line in lines_of(source):
        key = line.split(b"\t", 1)[0].split(b" ", 1)[0].lower()
        if key not in seen:
            seen.add(key)
            lines.append(line + b"\n")
    return b"".join(lines)


def plain(count):
    return b"".join(b"User%d@Example-%d.org\tmailbox/%d, other %d\n" % (i * 7919 % count, i, i, i)
                    for i in range(count))


def build(pair, source, *options, program="postmap"):
    """@return the paths of ours and theirs"""
    paths = []
    for side in pair.sides:
        path = pair.source(side.name, source)
        side.must(*options, f"cdb:{path}", program=program)
        paths.append(path)
    return paths


def file_of(path):
    return pathlib.Path(f"{path}.cdb")


def bytes_agree(source, *options):
    with Pair() as pair:
        ours, theirs = (file_of(path).read_bytes() for path in build(pair, source, *options))
        check(len(theirs) > 2048 or not source, "there is nothing in it")
        same(ours == theirs, True, f"{len(ours)} bytes of ours are {len(theirs)} of theirs")


def aliases_agree():
    """Debian's postalias adds entries for NIS to its own."""
    with Pair() as pair:
        paths = build(pair, aliases_source(COUNT), program="postalias")
        keys = keys_to_ask(aliases_source(COUNT))
        answers = [side.run("-q", "-", f"cdb:{path}", given=keys, program="postalias")
                   for side in pair.sides for path in paths]
        check(len(lines_of(answers[0][1])) > COUNT // 2, "no key was found")
        for answer in answers[1:]:
            same(answer[:2], answers[0][:2], "answers")


def compare_answers(source, *options):
    """Each side asks both files: some keys are there twice. @return how many it has"""
    with Pair() as pair:
        paths = build(pair, source, *options)
        reading = [o for o in options if o in ("-n", "-N", "-f", "-u")]
        keys = keys_to_ask(source)
        for extra in ([], reading) if reading else ([],):
            if not extra and options[:1] in (("-f",), ("-u",)):
                continue
            answers = [side.run(*extra, "-q", "-", f"cdb:{path}", given=keys)
                       for side in pair.sides for path in paths]
            for answer in answers[1:]:
                same(lines_of(answer[1]), lines_of(answers[0][1]), "answers")
    return len(lines_of(answers[0][1]))


def answers_agree(*options):
    found = compare_or_shrink(lambda source: compare_answers(source, *options),
                              postmap_source(COUNT), again())
    check(found > COUNT // 2, f"only {found} were found")


def tinycdb_dumps():
    """cdb -d prints +KEYLEN,VALUELEN:KEY->VALUE."""
    with Pair() as pair:
        path = pair.source("t", plain(COUNT))
        pair.ours.must(f"cdb:{path}")
        dumped = subprocess.run(["cdb", "-d", file_of(path)], capture_output=True, check=True)
        expected = b""
        for line in lines_of(plain(COUNT)):
            key, value = line.split(b"\t", 1)
            expected += b"+%d,%d:%s->%s\n" % (len(key), len(value), key.lower(), value)
        same(dumped.stdout.splitlines(), (expected + b"\n").splitlines(), "cdb -d")
        found = subprocess.run(["cdb", "-q", file_of(path), "user2919@example-1.org"],
                               capture_output=True, check=True)
        same(found.stdout, b"mailbox/1, other 1", "cdb -q")


def made_by_tinycdb():
    """Any bytes, in any order, and a key that is there twice: the first is found."""
    with Pair() as pair:
        table = pair.home / "made"
        records = [(b"key%d" % i, b"value\n%d" % i) for i in range(COUNT)] + [(b"key1", b"later")]
        text = b"".join(b"+%d,%d:%s->%s\n" % (len(k), len(v), k, v) for k, v in records) + b"\n"
        subprocess.run(["cdb", "-c", f"{table}.cdb", "-"], input=text, check=True)
        keys = b"".join(k + b"\n" for k, _ in records[:-1])
        for side in pair.sides:
            same(side.must("-q", "-", f"cdb:{table}", given=keys),
                 b"".join(b"%s\t%s\n" % record for record in records[:-1]), side.name)
        same(len(pair.ours.must("-s", f"cdb:{table}").splitlines()), 2 * COUNT + 1, "lines of -s")


def built_while_postfix_reads():
    """No reader ever misses a key that is in every version."""
    with Pair() as pair:
        path = pair.source("t", plain(2000))
        pair.theirs.must(f"cdb:{path}")
        keys = b"".join(line.split(b"\t")[0] + b"\n" for line in lines_of(plain(2000)))
        for round_ in range(6):
            words = [pair.ours.programs["postmap"], f"cdb:{path}"]
            if round_ % 3 == 2:
                words[0] = pair.theirs.programs["postmap"]
            with subprocess.Popen(words, env=pair.ours.env) as builder:
                for side in pair.sides:
                    same(len(lines_of(side.must("-q", "-", f"cdb:{path}", given=keys))), 2000,
                         f"answers to {side.name}")
            same(builder.returncode, 0, "builder")
        check(not pathlib.Path(f"{path}.cdb.tmp").exists(), "something is left behind")


def cases():
    for options in ([], ["-n"], ["-N"], ["-f"], ["-u"], ["-r"], ["-w"]):
        name = " ".join(options)
        yield f"cdb: the same bytes as Postfix {name}", \
            lambda options=options: bytes_agree(plain(COUNT), *options)
        yield f"cdb: {COUNT} entries {name}", lambda options=options: answers_agree(*options)
    yield "cdb: the same bytes without any entry", lambda: bytes_agree(b"")
    yield "cdb: the same bytes, any shape of key", lambda: bytes_agree(unique(postmap_source(500)))
    yield "cdb: aliases", aliases_agree
    yield "cdb: TinyCDB reads ours", tinycdb_dumps
    yield "cdb: made by TinyCDB", made_by_tinycdb
    yield "cdb: built while it is read", built_while_postfix_reads


if __name__ == "__main__":
    require(THEIR_POSTMAP, THEIR_POSTALIAS, "cdb")
    run(cases())
