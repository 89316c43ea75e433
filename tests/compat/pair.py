# SPDX-License-Identifier: BSD-2-Clause
"""pair.py - the system's postmap and postalias beside ours, in a folder of their own."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tap import Fault  # noqa: E402 (found by the line above)

SUFFIX = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb"}
TYPES = tuple(SUFFIX)
THEIR_POSTMAP = os.environ.get("REFERENCE_POSTMAP", "/usr/sbin/postmap")
THEIR_POSTALIAS = os.path.join(os.path.dirname(THEIR_POSTMAP), "postalias")


def lines_of(output):
    """A line ends with a newline: a value may have a carriage return in it."""
    return output.split(b"\n")[:-1]


class Side:
    """One of the two: its programs. Prints nothing; what it said is kept."""

    def __init__(self, name, postmap, postalias, env):
        self.name = name
        self.programs = {"postmap": postmap, "postalias": postalias}
        self.env = env

    def run(self, *words, given=b"", program="postmap"):
        """@return status, output, messages without the program's name in front"""
        done = subprocess.run([self.programs[program], *map(os.fsencode, words)], input=given,
                              capture_output=True, env=self.env, check=False, timeout=300)
        said = [line.split(b": ", 1)[-1] for line in done.stderr.splitlines()]
        return done.returncode, done.stdout, said

    def must(self, *words, given=b"", program="postmap"):
        """@return the output of a run that must end well"""
        status, output, said = self.run(*words, given=given, program=program)
        if status != 0:
            raise Fault(f"{self.name}: {program} {' '.join(map(str, words))}: status {status}, "
                        f"{said!r:.500}")
        return output

    def dump(self, spec, *options, program="postmap"):
        return lines_of(self.must(*options, "-s", spec, program=program))


class Pair:
    """Both sides and their folder; a `with` statement removes it."""

    def __init__(self, settings="smtputf8_enable = yes\n"):
        self.temp = tempfile.TemporaryDirectory(prefix="dictum-compat.")
        self.home = pathlib.Path(self.temp.name)
        self.home.chmod(0o755)
        etc = self.home / "etc"
        etc.mkdir()
        # 3.7 has not yet the mistake with texthash and inline that 3.12 has.
        (etc / "main.cf").write_text("compatibility_level = 3.6\ntexthash_utf8 = yes\n" + settings)
        os.utime(etc / "main.cf", (0, 0))  # Postfix waits for a young one to grow older
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        env.update(MAIL_CONFIG=str(etc), LC_ALL="C")
        self.ours = Side("ours", os.environ["POSTMAP"], os.environ["POSTALIAS"], env)
        self.theirs = Side("theirs", THEIR_POSTMAP, THEIR_POSTALIAS, env)
        self.sides = (self.ours, self.theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temp.cleanup()

    def source(self, name, data, old=False):
        """Writes a source, as one that nobody has changed for long if it is `old`; @return its
        path"""
        path = self.home / name
        path.write_bytes(data)
        if old:
            os.utime(path, (0, 0))
        return path
