# SPDX-License-Identifier: BSD-2-Clause
"""lab.py - the ground on which faults are tried: programs, tables, and what must hold of them.

Every table here is made from a generation, a source text whose values carry a number. So any
answer tells which build it comes from, and a table is whole when it holds one generation, all of
it and nothing else, as Postfix and as we see it.
"""

import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
THEIRS = os.environ.get("REFERENCE_POSTMAP", "/usr/sbin/postmap")
TYPES = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
NOBODY = 65534
LONGEST_RUN = 120  # seconds; what runs longer hangs


class Fault(Exception):
    """What must hold does not."""


def check(holds, what):
    if not holds:
        raise Fault(what)


def program(variable, name):
    return os.environ.get(variable, str(ROOT / "build/bin" / name))


DICTUM = program("DICTUM", "dictum")
POSTMAP = program("POSTMAP", "postmap")


def need_root():
    check(os.geteuid() == 0, "this case must be run by root")


def check_programs():
    """That there is something to test, and that users without rights can run it."""
    for path in (DICTUM, POSTMAP, THEIRS):
        check(os.access(path, os.X_OK), f"there is no program {path}")
    if os.geteuid() == 0:
        try:
            subprocess.run([DICTUM, "--version"], user=NOBODY, group=NOBODY, extra_groups=[],
                           capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Fault(f"user nobody must be able to run {DICTUM}: {error}") from None


class Generation:
    """A source text: `count` entries whose values all carry `number`."""

    def __init__(self, number, count):
        self.number = number
        self.count = count

    def key(self, i):
        return f"user{i * 7919 % self.count:07}@example.org"

    def lines(self):
        """In no order that a table would have, yet the same order every time."""
        value = f"g{self.number}"
        return [f"{self.key(i)}\t{value} box/{i:x}/\n" for i in range(self.count)]

    def text(self):
        return "".join(self.lines()).encode()

    @functools.cached_property
    def entries(self):
        """Lines as a dump has them."""
        return frozenset(self.text().splitlines())


def number_of(answer):
    """The generation that a value is from."""
    check(answer.startswith("g"), f"this is no value of ours: {answer!r}")
    return int(answer[1:].split(" ", 1)[0])


class Lab:
    """A folder of its own for one case, with a main.cf, and programs that run in it."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dictum-fault-"))
        self.home.chmod(0o755)
        self.mounts = []
        self.conf = self.folder("conf")
        main_cf = self.conf / "main.cf"
        main_cf.write_text("compatibility_level = 3.6\n")
        os.utime(main_cf, (0, 0))  # Postfix waits for a young one to grow older
        self.tmp = self.folder("tmp", 0o1777)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        self.env.update(MAIL_CONFIG=str(self.conf), TMPDIR=str(self.tmp), LC_ALL="C")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for mount in reversed(self.mounts):
            subprocess.run(["umount", mount], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def folder(self, name, mode=0o755, owner=None):
        path = self.home / name
        path.mkdir()
        path.chmod(mode)
        if owner is not None:
            os.chown(path, owner, owner)
        return path

    def mount(self, name, *args):
        """Mounts on a new folder; where that cannot be done, the case fails."""
        need_root()
        path = self.folder(name)
        result = subprocess.run(["mount", *args, path], capture_output=True, text=True)
        check(result.returncode == 0, f"cannot mount: {result.stderr.strip()}")
        self.mounts.append(path)
        return path

    def command(self, *words, user=None):
        """Arguments for subprocess that run `words` here, as `user` if one is given."""
        args = {"args": [str(word) for word in words], "env": self.env, "cwd": self.home}
        if user is not None:
            args.update(user=user, group=user, extra_groups=[])
        return args

    def run(self, *words, user=None, stdin=b"", **more):
        """Runs to the end. @return a CompletedProcess with bytes"""
        if "stdin_file" in more:
            more["stdin"] = more.pop("stdin_file")
        else:
            more["input"] = stdin
        try:
            return subprocess.run(**self.command(*words, user=user), capture_output=True,
                                  timeout=LONGEST_RUN, check=False, **more)
        except subprocess.TimeoutExpired:
            raise Fault(f"it hangs: {' '.join(map(str, words))}") from None

    def start(self, *words, user=None, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                "stderr": subprocess.PIPE} | more
        return subprocess.Popen(**self.command(*words, user=user), **more)

    def succeed(self, *words, **more):
        result = self.run(*words, **more)
        check(result.returncode == 0,
              f"{' '.join(map(str, words))}: status {result.returncode}: {tell(result)}")
        return result


def tell(result):
    return result.stderr.decode(errors="replace").strip() or "(no message)"


class Table:
    """A table of `kind` in a folder of its own, with the source it is built from."""

    def __init__(self, lab, kind, folder, name="table"):
        self.lab = lab
        self.kind = kind
        self.folder = pathlib.Path(folder)
        self.source = self.folder / name
        self.file = self.folder / (name + TYPES[kind])
        self.spec = f"{kind}:{self.source}"
        self.verdicts = {}

    def write_source(self, generation):
        self.source.write_bytes(generation.text())

    def build(self, generation, **more):
        """Builds and must succeed."""
        self.write_source(generation)
        self.lab.succeed(POSTMAP, self.spec, **more)

    def builders(self):
        """The ways to build this table from its source, ours and by name."""
        return [POSTMAP, self.spec], [DICTUM, "build", self.spec]

    # ---- what must hold ----------------------------------------------------------------------

    def check_folder(self, *others):
        """Nothing is here but source, table and @p others; nor is there in the temporary folder."""
        wanted = {self.source.name, self.file.name, *others}
        found = set(os.listdir(self.folder))
        check(found == wanted, f"stray or missing files: {sorted(found ^ wanted)}")
        check(not os.listdir(self.lab.tmp), f"stray: {os.listdir(self.lab.tmp)}")

    def dump(self, postmap):
        if self.kind == "cdb" and postmap is THEIRS:  # Postfix can only list it from 3.10 on
            listed = subprocess.run(["cdb", "-d", self.file], capture_output=True, check=True).stdout
            return re.sub(rb"(?m)^\+\d+,\d+:(.*?)->", rb"\1\t", listed[:-1])
        return self.lab.succeed(postmap, "-s", self.spec).stdout

    def check_whole(self, *generations):
        """The table is one of these generations, all of it, to Postfix and to us; and it answers.
        @return the number of that one"""
        digest = hashlib.sha256(self.file.read_bytes()).digest()
        number = self.verdicts.get(digest)
        if number is None:
            number = self.verdicts[digest] = self.compare_dumps(generations)
        check(number in [g.number for g in generations], f"it holds generation {number}")
        for generation in generations:
            if generation.number == number:
                self.check_answers(generation)
        return number

    def compare_dumps(self, generations):
        ours = self.dump(POSTMAP).splitlines()
        theirs = self.dump(THEIRS).splitlines()
        check(len(ours) == len(theirs) and set(ours) == set(theirs),
              f"we see {len(ours)} entries, Postfix sees {len(theirs)}")
        for generation in generations:
            if len(theirs) == generation.count and generation.entries == set(theirs):
                return generation.number
        raise Fault(f"the table is not whole: {len(theirs)} entries, such as {theirs[:1]}")

    def check_answers(self, generation):
        for i in (0, generation.count // 2, generation.count - 1):
            line = f"{generation.key(i)}\t"
            value = f"g{generation.number} box/{i:x}/"
            for words in ([THEIRS, "-q", generation.key(i), self.spec],
                          [POSTMAP, "-q", generation.key(i), self.spec],
                          [DICTUM, "get", self.spec, generation.key(i)]):
                answer = self.lab.succeed(*words).stdout.decode()
                check(answer == value + "\n", f"{words[0]} answers {line}{answer!r}")

    def check_refused(self, result, *named):
        """A build failed by its own decision, and told why in one message about one of `named`."""
        check(result.returncode > 0, f"the build ended with status {result.returncode}, "
              f"not with a failure: {tell(result)}")
        text = tell(result)
        check(any(str(name) in text for name in named or (self.file, self.spec)),
              f"the message does not name the file: {text}")
