#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The examples of pgsql_table(5), memcache_table(5) and mongodb_table(5), typed as they stand there,
with real servers, or one that is emulated (mongod.py): only the servers' names and the folder of the
settings are others."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]
from memcached import Memcached  # noqa: E402
from mongod import Mongod  # noqa: E402
from postgres import DATABASE, USER, Postgres, programs  # noqa: E402
from tap import check, require, run, same  # noqa: E402

DICTUM = os.environ["DICTUM"]


def blocks(page):
    """The literal blocks of a page's examples."""
    text = (ROOT / page).read_text(encoding="utf-8").split(".Sh EXAMPLES\n", 1)[1]
    text = text.split("\n.Sh ", 1)[0]
    found = re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed", text, re.S | re.M)
    return [block.replace(r"\e", "\\") for block in found]


def try_out(block, home, folder):
    """Types what is behind "$ " and compares what is shown below it."""
    count = 0
    for typed, shown in re.findall(r"^\$ ([^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", block, re.M):
        env = {**os.environ, "PATH": f"{home}/bin:{os.environ['PATH']}", "MAIL_CONFIG": str(home)}
        said = subprocess.run(["sh", "-c", typed.replace(folder, f"{home}/")], env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        same(said.stdout, shown, typed)
        count += 1
    check(count > 0, "there is nothing to type")


def set_up(home):
    (home / "bin").mkdir()
    (home / "bin/dictum").symlink_to(DICTUM)
    (home / "main.cf").touch()


def pgsql(home):
    sql, settings, typed = blocks("plugins/pgsql/pgsql_table.5")
    with Postgres() as server:
        server.sql(sql)
        settings = settings.replace("db1.example.net db2.example.net", f"127.0.0.1:{server.port}")
        settings = settings.replace("user = mailer", f"user = {USER}")
        settings = settings.replace("dbname = mail", f"dbname = {DATABASE}")
        settings = settings.replace("= /etc/dictum/mail.password", f"= {home}/password")
        (home / "password").write_text("anything")
        (home / "password").chmod(0o600)
        (home / "users.cf").write_text(settings)
        try_out(typed, home, "/etc/mail/")


def memcache(home):
    settings, typed = blocks("plugins/memcache/memcache_table.5")
    (home / "users").write_text("info@example.com somebody@mail.example.com\n")
    subprocess.run([DICTUM, "build", f"lmdb:{home}/users"], check=True)
    with Memcached(home) as server:
        settings = re.sub(r"^memcache = .*", f"memcache = {server.setting}", settings, flags=re.M)
        (home / "users.cf").write_text(settings.replace("/etc/postfix/", f"{home}/"))
        for _ in range(2):  # from the backup, and then from memcached
            try_out(typed, home, "/etc/postfix/")


def mongodb(home):
    documents, *settings, typed = blocks("plugins/mongodb/mongodb_table.5")
    documents = [json.loads(line) for line in documents.splitlines()]
    (home / "mongodb.password").write_text("secret")
    (home / "mongodb.password").chmod(0o600)
    with Mongod(home / "server", {"mail.users": documents}, user="mailer",
                password="secret") as server:
        for name, text in zip(("alias", "transport"), settings):
            text = re.sub("@.*", f"@{server.hosts}/", text, count=1)
            (home / f"{name}.cf").write_text(text.replace("/etc/mail/", f"{home}/"))
        try_out(typed, home, "/etc/mail/")


def in_folder(test):
    with tempfile.TemporaryDirectory(prefix="dictum-examples-") as folder:
        home = pathlib.Path(folder)
        home.chmod(0o755)
        set_up(home)
        test(home)


def main():
    require("memcached")
    if not programs():
        require("postgres")
    run([("pgsql_table(5)", lambda: in_folder(pgsql)),
         ("memcache_table(5)", lambda: in_folder(memcache)),
         ("mongodb_table(5)", lambda: in_folder(mongodb))])


if __name__ == "__main__":
    main()
