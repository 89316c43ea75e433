# SPDX-License-Identifier: BSD-2-Clause
"""bench.py - the folder where all is measured, the data in it, and the programs."""

import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "servers"))

THEIRS = pathlib.Path(os.environ.get("REFERENCE_POSTMAP", "/usr/sbin/postmap"))
SUFFIX = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
RAW = {"hash": "raw_bdb", "btree": "raw_bdb", "lmdb": "raw_lmdb", "cdb": "raw_cdb"}
LIBRARIES = {"raw_bdb": ["-ldb-5.3", "-lutf8proc"], "raw_lmdb": ["-llmdb", "-lutf8proc"],
             "raw_cdb": ["-lcdb", "-lutf8proc"]}


class Wrong(Exception):
    """A row cannot be measured, or the programs do not agree, so that no time counts."""


class Bench:
    """The folder where all is measured, the data in it, and the programs."""

    def __init__(self, home, options):
        self.home = home
        self.options = options
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        self.env.update(LC_ALL="C", TMPDIR=str(home))
        self.confs = {}
        self.prefix = pathlib.Path(os.environ.get("POSTMAP", ROOT / "build/bin/postmap")).parents[1]

    # ---- programs

    def program(self, side, name="postmap"):
        if side == "theirs":
            return str(THEIRS.with_name(name))
        return os.environ.get(name.upper(), str(self.prefix / "bin" / name))

    def environment(self, settings=""):
        """With a main.cf of these settings."""
        conf = self.confs.setdefault(settings, self.home / f"conf{len(self.confs)}")
        if not conf.exists():
            conf.mkdir()
            # Postfix 3.7 folds the keys of texthash as `texthash_utf8` does.
            (conf / "main.cf").write_text("compatibility_level = 3.6\ntexthash_utf8 = yes\n" + settings)
            os.utime(conf / "main.cf", (0, 0))  # Postfix waits for a young one to grow older
        return {**self.env, "MAIL_CONFIG": str(conf)}

    def compile(self, tool, *options, sources=()):
        """@return the program made from a file of this folder, made once"""
        binary = self.home / tool
        if not binary.exists():
            compiler = shlex.split(os.environ.get("CC", "cc"))
            files = [HERE / f"{tool}.c", *sources]
            subprocess.run([*compiler, "-std=c17", "-D_GNU_SOURCE", "-O2", *files, "-o", binary,
                            *options], check=True)
        return str(binary)

    def raw(self, kind):
        """The program that uses the client library of @p kind alone."""
        return self.compile(RAW[kind], *LIBRARIES[RAW[kind]], sources=[HERE / "raw.c"])

    def api(self):
        """The program that calls libdictum as it was built beside the programs."""
        lib = self.prefix / "lib"
        return self.compile("api", f"-I{ROOT / 'core/include'}", f"-L{lib}", "-ldictum",
                            f"-Wl,-rpath,{lib}", "-pthread")

    # ---- data

    def data(self, what, shape, *counts):
        """A file of generated data, made once."""
        path = self.home / "-".join(map(str, (what, shape, *counts)))
        if not path.exists():
            with open(path, "wb") as out:
                subprocess.run([self.compile("generate"), what, shape, *map(str, counts)],
                               stdout=out, check=True)
            os.utime(path, (0, 0))
        return path

    def table(self, kind, shape, entries):
        """A source that Postfix has built a table of, once. @return its path"""
        data = self.data("source", shape, entries)
        source = data.with_name(f"{data.name}-{kind}")  # two kinds have the same suffix
        if source.exists():
            return source
        os.link(data, source)
        if kind in SUFFIX:
            name = "postalias" if shape == "aliases" else "postmap"
            subprocess.run([self.program("theirs", name), f"{kind}:{source}"],
                           env=self.environment(map_size(shape)), stderr=subprocess.DEVNULL,
                           check=True)
        return source

    # ---- running

    def measure(self, times, program, words, given, output, env):
        """@return for each run (status, wall, cpu, peak): seconds and KiB"""
        result = subprocess.run(
            [self.compile("measure"), str(times), given, output, program, *map(str, words)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        runs = [line.split() for line in result.stdout.splitlines()]
        return [(int(s), int(w) / 1e6, int(c) / 1e6, int(p)) for s, w, c, p in runs]

    def dump(self, program, spec, env):
        """@return the lines of a table, but for what Debian's postalias adds by itself"""
        result = subprocess.run([program, "-s", spec], env=env, stdout=subprocess.PIPE, check=False)
        if result.returncode != 0:
            raise Wrong(f"{program} -s {spec}: status {result.returncode}")
        return sorted(line for line in result.stdout.splitlines()
                      if not line.startswith((b"YP_", b"@:")))


def map_size(shape):
    """Postfix does not fold keys any more once a build has outgrown its map."""
    return f"lmdb_map_size = {1 << 30}\n" if shape == "utf8" else ""
