# SPDX-License-Identifier: BSD-2-Clause
"""bench.py - the folder where all is measured, and the programs."""

import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "servers"))
from mailschema import schema  # noqa: E402 (found by the line above)
from postgres import Postgres  # noqa: E402

THEIRS = pathlib.Path(os.environ.get("REFERENCE_POSTMAP", "/usr/sbin/postmap"))


class Wrong(Exception):
    """The programs do not agree, so that no time counts."""


class Bench:
    """The folder where all is measured, and the programs."""

    def __init__(self, home, options):
        self.home = home
        self.options = options
        aliases = options.shape == "aliases"
        name = "postalias" if aliases else "postmap"
        ours = os.environ.get(name.upper(), str(ROOT / "build/bin" / name))
        self.programs = {"ours": ours, "theirs": str(THEIRS.with_name(name))}
        conf = home / "conf"
        conf.mkdir()
        settings = "compatibility_level = 3.6\n"
        map_size = options.lmdb_map_size
        if not map_size and options.shape == "utf8":
            map_size = 1 << 30  # Postfix does not fold keys once a build has outgrown its map
        if map_size:
            settings += f"lmdb_map_size = {map_size}\n"
        (conf / "main.cf").write_text(settings)
        os.utime(conf / "main.cf", (0, 0))  # Postfix waits for a young one to grow older
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        self.env.update(MAIL_CONFIG=str(conf), LC_ALL="C", TMPDIR=str(home))
        self.tools = {tool: self.compile(tool) for tool in ("generate", "measure")}
        self.server = None

    def close(self):
        if self.server:
            self.server.stop()
            self.server.remove()

    def postgres(self):
        """A server with a mail system's database, started once."""
        if not self.server:
            self.server = Postgres(settings="max_connections = 20\n")
            self.server.start()
            self.server.sql(schema(entries=max(10, min(self.options.entries, 100_000))))
            self.env["PGPORT"] = str(self.server.port)
        return self.server

    def compile(self, tool, *options):
        binary = self.home / tool
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, "-std=c17", "-D_GNU_SOURCE", "-O2", HERE / f"{tool}.c",
                        "-o", binary, *options], check=True)
        return binary

    def compile_with_library(self, tool):
        """A program that uses libdictum as it was built beside the programs."""
        prefix = pathlib.Path(self.programs["ours"]).parents[1]
        return self.compile(tool, f"-I{ROOT / 'core/include'}", f"-L{prefix / 'lib'}", "-ldictum",
                            f"-Wl,-rpath,{prefix / 'lib'}", "-pthread")

    def data(self, what, shape, count):
        """A file of generated data, made once."""
        path = self.home / f"{what}-{shape}-{count}"
        if not path.exists():
            with open(path, "wb") as out:
                subprocess.run([self.tools["generate"], what, shape, str(count)], stdout=out,
                               check=True)
            os.utime(path, (0, 0))
        return path

    def measure(self, times, who, words, given="/dev/null", output="/dev/null"):
        """@return for each run (status, wall, cpu, peak): seconds and KiB"""
        result = subprocess.run(
            [self.tools["measure"], str(times), given, output, self.programs[who], *words],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        runs = [line.split() for line in result.stdout.splitlines()]
        return [(int(s), int(w) / 1e6, int(c) / 1e6, int(p)) for s, w, c, p in runs]

    def dump(self, who, spec):
        command = [self.programs[who], "-s", spec]
        result = subprocess.run(command, env=self.env, stdout=subprocess.PIPE, check=False)
        if result.returncode != 0:
            raise Wrong(f"{' '.join(command)}: status {result.returncode}")
        return sorted(line for line in result.stdout.splitlines()
                      if not line.startswith(b"YP_"))  # of NIS: Debian's postalias adds them
