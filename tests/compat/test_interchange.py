#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tables that we build are read by the system's postmap, and theirs by us: entry for entry."""

import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from entries import aliases_source, keys_to_ask, postmap_source  # noqa: E402
from pair import SUFFIX, THEIR_POSTALIAS, THEIR_POSTMAP, TYPES, Pair, lines_of  # noqa: E402
from shrink import again, compare_or_shrink  # noqa: E402
from tap import check, require, run, same  # noqa: E402

COUNT = 5000
DUMPERS = {"hash": ["db5.3_dump"], "btree": ["db5.3_dump"], "lmdb": ["mdb_dump", "-n"]}


# ---- whole tables ----------------------------------------------------------------------------


def build_both(pair, kind, source, *options, program="postmap"):
    """Each side builds from a copy of its own. @return both specs, both messages"""
    specs, said = [], []
    for side in pair.sides:
        path = pair.source(side.name, source)
        spec = f"{kind}:{path}"
        status, _, messages = side.run(*options, spec, program=program)
        check(status == 0, f"{side.name} cannot build {spec}: {messages!r:.500}")
        specs.append(spec)
        said.append(sorted(m.replace(os.fsencode(path), b"SOURCE") for m in messages))
    return specs, said


def unordered(kind, lines):
    """Hash tables have an order of their own."""
    return sorted(lines) if kind == "hash" else lines


def without_nis(lines):
    """Debian's postalias adds entries for NIS."""
    return [line for line in lines if not line.startswith(b"YP_")]


def dumps_agree(pair, kind, specs, *options, program="postmap"):
    dumps = {}
    for reader, spec in itertools.product(pair.sides, specs):
        dumps[reader.name, spec] = without_nis(
            unordered(kind, reader.dump(spec, *options, program=program)))
    expected = dumps["theirs", specs[1]]
    check(len(expected) > 0, "there are no entries")
    for (reader, spec), lines in dumps.items():
        same(lines, expected, f"{reader} read {spec}")
    return expected


def answers_agree(pair, specs, keys, *options, program="postmap"):
    answers = [(reader.name, spec,
                reader.run(*options, "-q", "-", spec, given=keys, program=program))
               for reader, spec in itertools.product(pair.sides, specs)]
    expected = lines_of(answers[-1][2][1])
    check(len(expected) > 0, "no key was found")
    for reader, spec, (status, output, said) in answers:
        check(status == 0, f"{reader} could not ask {spec}: {said!r:.300}")
        same(lines_of(output), expected, f"{reader} asked {spec}")


def entries_agree(kind, source, *options, settings=""):
    """@return how many there are"""
    with Pair("smtputf8_enable = yes\n" + settings) as pair:
        specs, said = build_both(pair, kind, source, *options)
        same(set(said[0]), set(said[1]), "messages")
        same(said[0], said[1], "messages")
        reading = [o for o in options if o in ("-n", "-N", "-f", "-u")]
        lines = dumps_agree(pair, kind, specs, *reading)
        answers_agree(pair, specs, keys_to_ask(source), *reading)
        if options[:1] in (("-n",), ("-N",)):  # and without being told
            dumps_agree(pair, kind, specs)
            answers_agree(pair, specs, keys_to_ask(source))
    return len(lines)


def many_entries(kind, *options, settings=""):
    found = compare_or_shrink(
        lambda source: entries_agree(kind, source, *options, settings=settings),
        postmap_source(COUNT), again())
    check(found > COUNT * 0.8, f"only {found} entries")


def bytes_in_the_file(kind, *options):
    """What the libraries' own tools see, NUL bytes and all."""
    def records(spec):
        path = spec.split(":", 1)[1] + SUFFIX[kind]
        out = subprocess.run([*DUMPERS[kind], path], capture_output=True, check=True).stdout
        head, _, body = out.partition(b"HEADER=END\n")
        lines = body.splitlines()
        pairs = list(zip(lines[0::2], lines[1::2]))
        kept = [line for line in head.splitlines()
                if line.startswith((b"format=", b"type=", b"db_pagesize="))]
        return kept, unordered(kind, pairs)
    with Pair() as pair:
        specs, _ = build_both(pair, kind, postmap_source(500), *options)
        ours, theirs = map(records, specs)
        same(ours[0], theirs[0], "kind of file")
        same(ours[1], theirs[1], "records")


def aliases_agree(kind, source):
    with Pair() as pair:
        specs, said = build_both(pair, kind, source, program="postalias")
        same(len(said[0]), len(said[1]), "number of messages")
        lines = dumps_agree(pair, kind, specs, program="postalias")
        check(b"@:\t@" in lines, "there is no entry @")
        answers_agree(pair, specs, keys_to_ask(source), program="postalias")


def aliases(kind):
    compare_or_shrink(lambda source: aliases_agree(kind, source), aliases_source(COUNT), again())


def nothing_in_it(kind):
    with Pair() as pair:
        specs, _ = build_both(pair, kind, b"# no entry\n")
        for reader, spec in itertools.product(pair.sides, specs):
            same(reader.dump(spec), [], f"{reader.name} read {spec}")
            same(reader.run("-q", "x", spec)[0], 1, f"{reader.name} asked {spec}")


def not_utf8(kind):
    with Pair("smtputf8_enable = no\n") as pair:
        source = postmap_source(500)
        specs, said = build_both(pair, kind, source)
        same(said[0], said[1], "messages")
        dumps_agree(pair, kind, specs)
        answers_agree(pair, specs, keys_to_ask(source))


# ---- single entries --------------------------------------------------------------------------


def put_and_del(kind, *nul):
    """Each side changes what the other built, and both see the same."""
    for builder, changer in itertools.permutations(range(2)):
        with Pair() as pair:
            build, change = pair.sides[builder], pair.sides[changer]
            path = pair.source("table", postmap_source(300))
            spec = f"{kind}:{path}"
            build.must(*nul, spec)
            before = build.dump(spec, *nul)
            # In quotes there may be a tab.
            gone = {line.split(b"\t", 1)[0]: line for line in before[::3] if b'"' not in line}
            change.must(*nul, "-d", "-", spec, given=b"\n".join(gone) + b"\n")
            added = b"".join(b"new%d\tvalue %d\n" % (i, i) for i in range(1000))
            change.must(*nul, "-i", spec, given=added)
            expected = set(before) - set(gone.values()) | set(lines_of(added))
            for reader in pair.sides:
                same(set(reader.dump(spec, *nul)), expected,
                     f"{reader.name} read what {change.name} changed")
                same(reader.must(*nul, "-q", "new999", spec), b"value 999\n", reader.name)
                same(reader.run(*nul, "-q", min(gone), spec)[0], 1, "deleted key: status")


class Loop(threading.Thread):
    """Does something again and again until it is stopped, or finds a fault."""

    def __init__(self, action):
        super().__init__()
        self.action = action
        self.stopped = threading.Event()
        self.fault = None
        self.rounds = 0
        self.start()

    def run(self):
        try:
            while not self.stopped.is_set():
                self.action()
                self.rounds += 1
        except Exception as fault:
            self.fault = fault
            self.stopped.set()

    def finish(self, at_least):
        """Lets it go on until it has come round often enough."""
        while self.rounds < at_least and not self.stopped.is_set():
            self.stopped.wait(0.01)
        self.stopped.set()
        self.join()
        if self.fault:
            raise self.fault


def change_while_read(kind, reader_name):
    """One side deletes and puts, or builds anew; the other never misses what stays."""
    with Pair() as pair:
        writer, reader = pair.ours, pair.theirs
        if reader_name == "ours":
            writer, reader = reader, writer
        stable = b"".join(b"stable%d@example.org\tvalue %d\n" % (i, i) for i in range(200))
        # As many bytes each time: Berkeley DB without an environment lets a reader down whose
        # bucket is split between its looks at the file, and LMDB without its lock file one whose
        # pages are used again. Postfix's readers live with that; ours need not.
        moving = b"".join(b"moving%d@example.org\tvalue %d\n" % (i, i) for i in range(20))
        path = pair.source("table", stable + moving)
        spec = f"{kind}:{path}"
        pair.theirs.must(spec)
        keys = b"".join(line.split(b"\t")[0] + b"\n" for line in stable.splitlines())

        def read():
            same(reader.must("-q", "-", spec, given=keys), stable, f"{reader.name} asked")
        loop = Loop(read)
        try:
            for _ in range(10):
                writer.must("-d", "-", spec, given=b"".join(
                    line.split(b"\t")[0] + b"\n" for line in moving.splitlines()))
                # Their -i takes no lock on LMDB at all.
                if kind == "lmdb" and writer is pair.theirs:
                    writer.must(spec)
                else:
                    writer.must("-i", spec, given=moving)
                writer.must(spec)
        finally:
            loop.finish(at_least=3)
        for side in pair.sides:
            same(set(side.dump(spec)), set((stable + moving).splitlines()), "in the end")


class Asker:
    """A reader that keeps the table open, and is asked one key at a time."""

    def __init__(self, side, spec):
        self.process = subprocess.Popen([side.programs["postmap"], "-q", "-", spec], env=side.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, key):
        self.process.stdin.write(key + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip(b"\n").split(b"\t")[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=60)


def change_while_open(kind, settings):
    """Whoever changes the table, in place or as a whole, the next answer is the new one."""
    settled = 0.03  # seconds after which any file is read without a lock
    with Pair("smtputf8_enable = yes\n" + settings) as pair:
        path = pair.source("table", b"key 0\n" + postmap_source(500))
        spec = f"{kind}:{path}"
        pair.ours.must(spec)

        def put(side, value):
            side.must("-r", "-i", spec, given=b"key %s\n" % value)

        def build(side, value):
            pair.source("table", b"key %s\n" % value + postmap_source(500))
            side.must(spec)
        changes = (build, build) if kind == "cdb" else (put, build)
        with Asker(pair.ours, spec) as reader:
            for number in range(24):
                change = changes[number % 2]
                side = pair.sides[number // 2 % 2]
                value = b"%d" % number
                change(side, value)
                for _ in range(4):
                    same(reader.ask(b"key"), value,
                         f"after {change.__name__} {number} by {side.name}")
                    if number % 3:
                        time.sleep(settled)


def cases():
    for kind in TYPES:
        yield f"{kind}: {COUNT} entries", lambda kind=kind: many_entries(kind)
        yield f"{kind}: {COUNT} entries, asked for in the order of the questions", \
            lambda kind=kind: many_entries(kind, settings="lookup_in_file_order = no\n")
        for option in ("-n", "-N", "-r", "-w", "-f", "-u"):
            yield f"{kind}: {COUNT} entries, {option}", \
                lambda kind=kind, option=option: many_entries(kind, option)
        for options in ([], ["-n"], ["-N"]):
            yield f"{kind}: bytes in the file {' '.join(options)}", \
                lambda kind=kind, options=options: bytes_in_the_file(kind, *options)
        yield f"{kind}: aliases", lambda kind=kind: aliases(kind)
        yield f"{kind}: no entry at all", lambda kind=kind: nothing_in_it(kind)
        yield f"{kind}: bytes that are not UTF-8", lambda kind=kind: not_utf8(kind)
        for options in ([], ["-n"], ["-N"]):
            yield f"{kind}: put and del {' '.join(options)}", \
                lambda kind=kind, options=options: put_and_del(kind, *options)
        for reader in ("ours", "theirs"):
            yield f"{kind}: changed while {reader} reads", \
                lambda kind=kind, reader=reader: change_while_read(kind, reader)
    for kind in (*TYPES, "cdb"):
        for settings in ("", "lookup_without_lock = no\n"):
            yield f"{kind}: changed while open, {settings.strip() or 'without lock'}", \
                lambda kind=kind, settings=settings: change_while_open(kind, settings)


if __name__ == "__main__":
    require(THEIR_POSTMAP, THEIR_POSTALIAS, "db5.3_dump", "mdb_dump")
    run(cases())
