#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mariadb.py start FOLDER | stop FOLDER - a MariaDB server of its own, for tests.

start makes a data folder in FOLDER, starts its server on a free port of the loopback interface and
on a Unix socket in FOLDER, and prints shell variables: MYHOST, MYPORT, MYUSER, MYDATABASE, MYSOCKET.
The system's own server is never touched: everything is given by path and port, and no file of
options is read. As the server refuses to be run by root, it is run by mysql or nobody then.

As a module: class MariaDB.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemon import free_port, server_user, stop_short  # noqa: E402

PATIENCE = 60  # seconds, until a server that does not come up, or go down, has failed
USER = "dictum"
DATABASE = "mail"


def program(*names):
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return next((found for found in (shutil.which(name, path=path) for name in names) if found),
                None)


def programs():
    """The server's program, or None."""
    return program("mariadbd")


def clean_environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MYSQL", "MARIADB"))}
    env.update(LC_ALL="C.UTF-8", HOME="/nonexistent")
    return env


class MariaDB:
    """One server and its data, in a folder of its own."""

    def __init__(self, home=None, options=()):
        self.owns_home = home is None
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="dictum-mariadb-")).resolve()
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o755)
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.socket = self.home / "socket"
        self.pidfile = self.home / "pid"
        self.port = free_port()
        self.options = list(options)
        self.process = None
        self.who = server_user("mysql", "nobody")
        if self.who:
            os.chown(self.home, self.who["user"], self.who["group"])

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    # ---- life ---------------------------------------------------------------------------------

    def start(self):
        """Makes the data if there are none, and waits until the server answers."""
        fresh = not self.data.exists()
        if fresh:
            self.make()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [programs(), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                 f"--port={self.port}", f"--pid-file={self.pidfile}",
                 "--bind-address=127.0.0.1,::1", "--skip-name-resolve", "--max-connections=80",
                 "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0",
                 "--performance-schema=off", "--character-set-server=utf8mb4", *self.options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home,
                env=clean_environment(), start_new_session=True, **self.who)
        self.wait_ready()
        if fresh:
            self.sql(f"CREATE DATABASE {DATABASE}; DELETE FROM mysql.global_priv WHERE User = ''; "
                     f"FLUSH PRIVILEGES; CREATE USER {USER}@'%'; "
                     f"GRANT ALL ON {DATABASE}.* TO {USER}@'%';", database="mysql")
        return self

    def make(self):
        self.run(program("mariadb-install-db", "mysql_install_db"), "--no-defaults",
                 f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--skip-name-resolve")

    def wait_ready(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.log.read_text()[-2000:]}")
            try:
                self.sql("SELECT 1", database="mysql")
                return
            except RuntimeError:
                time.sleep(0.05)
        raise RuntimeError(f"the server does not answer: {self.log.read_text()[-2000:]}")

    def pid(self):
        """Also when another program started it; None: not running."""
        if self.process:
            return self.process.pid if self.process.poll() is None else None
        try:
            pid = int(self.pidfile.read_text())
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def end(self, sig):
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, sig)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.pid() is None:
                self.process = None
                return
            time.sleep(0.02)
        raise RuntimeError("the server does not end")

    def stop(self):
        """Ends all sessions and the server. What was stopped by hang() is woken first."""
        self.resume()
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def signal(self, sig):
        pid = self.pid()
        if pid is not None:
            os.kill(pid, sig)

    def hang(self):
        """Nobody answers any more, and no connection is closed."""
        pid = self.pid()
        stop_short([pid] if pid is not None else [])

    def resume(self):
        self.signal(signal.SIGCONT)

    # ---- use ----------------------------------------------------------------------------------

    def run(self, *words, stdin=""):
        result = subprocess.run([*map(str, words)], input=stdin, text=True, capture_output=True,
                                env=clean_environment(), check=False, cwd=self.home, **self.who)
        if result.returncode != 0:
            raise RuntimeError(f"{words[0]}: {result.stderr}")
        return result.stdout

    def sql(self, text, database=DATABASE, user="root"):
        """Runs SQL and must succeed. @return what it printed: rows, columns separated by tabs"""
        return self.run(program("mariadb", "mysql"), "--no-defaults", "--batch",
                        "--skip-column-names", f"--socket={self.socket}", f"--user={user}",
                        "--default-character-set=utf8mb4", database, stdin=text)

    def variables(self):
        return {"MYHOST": "127.0.0.1", "MYPORT": self.port, "MYUSER": USER,
                "MYDATABASE": DATABASE, "MYSOCKET": self.socket}


def main(argv):
    if len(argv) != 3 or argv[1] not in ("start", "stop"):
        print(__doc__, file=sys.stderr)
        return 64
    server = MariaDB(argv[2])
    if argv[1] == "stop":
        server.stop()
        return 0
    server.start()
    for name, value in server.variables().items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
