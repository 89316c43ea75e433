#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""postgres.py start FOLDER | stop FOLDER - a PostgreSQL server of its own, for tests.

start makes a database cluster in FOLDER, starts its server on a free port of the loopback interface
and on a Unix socket in FOLDER, and prints shell variables: PGHOST, PGPORT, PGUSER, PGDATABASE,
PGSOCKETS. The system's own cluster is never touched: everything is given by path and port. As the
server refuses to be run by root, it is run by the user postgres or nobody then.

As a module: class Postgres, and class Standby for a streaming copy of one.
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

SETTINGS = """
listen_addresses = '127.0.0.1, ::1'
port = {port}
unix_socket_directories = '{home}'
unix_socket_permissions = 0777
max_connections = 60
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_wal_senders = 4
wal_level = replica
hot_standby = on
autovacuum = off
logging_collector = off
log_statement = none
lc_messages = 'C'
"""

EVERYBODY = """
local all all trust
host all all 127.0.0.1/32 trust
host all all ::1/128 trust
local replication all trust
host replication all 127.0.0.1/32 trust
"""


def programs():
    """The folder with the newest server's programs."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                     key=lambda path: float(path.parts[-3]))
    if folders:
        return folders[-1].parent
    found = shutil.which("postgres")
    return pathlib.Path(found).parent if found else None


def clean_environment():
    """Without what would lead a client elsewhere."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(LC_ALL="C.UTF-8")
    return env


class Postgres:
    """One server and its cluster, in a folder of its own."""

    def __init__(self, home=None, port=None, encoding="UTF8", settings="", access=EVERYBODY):
        self.owns_home = home is None
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="dictum-postgres-")).resolve()
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o755)
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.port = port or free_port()
        self.encoding = encoding
        self.settings = settings
        self.access = access
        self.bin = programs()
        self.who = server_user("postgres", "nobody")
        if self.who:
            os.chown(self.home, self.who["user"], self.who["group"])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.remove()

    # ---- life ---------------------------------------------------------------------------------

    def start(self):
        """Makes the cluster if there is none, and waits until the server answers."""
        if not self.data.exists():
            self.make()
        with open(self.log, "ab") as log:
            process = subprocess.Popen([self.bin / "postgres", "-D", self.data], stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL, cwd=self.home,
                                       env=clean_environment(), start_new_session=True, **self.who)
        self.process = process
        self.wait_ready()
        return self

    def make(self):
        self.run("initdb", "--pgdata", self.data, "--username", USER, "--auth", "trust",
                 "--encoding", self.encoding, "--locale", "C", "--no-sync")
        self.configure()
        self.data_made = True

    def configure(self, settings=None):
        """Writes the settings; they hold from the next start, or reload()."""
        if settings is not None:
            self.settings = settings
        text = SETTINGS.format(port=self.port, home=self.home) + self.settings
        self.write("postgresql.auto.conf", text)
        self.write("pg_hba.conf", self.access)

    def write(self, name, text, mode=0o600):
        path = self.data / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        if self.who:
            os.chown(path, self.who["user"], self.who["group"])

    def wait_ready(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.log.read_text()[-2000:]}")
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.home, "-p",
                                    str(self.port)], env=clean_environment(), check=False)
            if ready.returncode == 0:
                self.make_database()
                return
            time.sleep(0.05)
        raise RuntimeError(f"the server does not answer: {self.log.read_text()[-2000:]}")

    def make_database(self):
        if getattr(self, "data_made", False):
            self.data_made = False
            self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")

    def postmaster(self):
        """The server's process id, also when another program started it; None: not running."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def end(self, sig):
        pid = self.postmaster()
        if pid is None:
            return
        os.kill(pid, sig)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if getattr(self, "process", None):
                self.process.poll()
            if not pathlib.Path(f"/proc/{pid}").exists():
                self.process = None
                return
            time.sleep(0.02)
        raise RuntimeError("the server does not end")

    def stop(self):
        """Ends all sessions and the server. What was stopped by hang() is woken first."""
        self.resume()
        self.end(signal.SIGINT)

    def restart(self):
        self.stop()
        self.start()

    def reload(self):
        os.kill(self.postmaster(), signal.SIGHUP)
        time.sleep(0.2)

    def family(self):
        """The server's process and its children."""
        pid = self.postmaster()
        if pid is None:
            return []
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def signal_all(self, sig):
        for pid in self.family():
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def kill(self):
        """SIGKILL to all at once; the next start() recovers."""
        pid = self.postmaster()
        self.signal_all(signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while pid and pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            if getattr(self, "process", None):
                self.process.poll()
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = None

    def hang(self):
        """Nobody answers any more, and no connection is closed."""
        stop_short(self.family()[:1])  # no new ones, then
        stop_short(self.family())

    def resume(self):
        self.signal_all(signal.SIGCONT)

    def remove(self):
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    # ---- use ----------------------------------------------------------------------------------

    def run(self, program, *words, stdin=""):
        result = subprocess.run([self.bin / program, *map(str, words)], input=stdin, text=True,
                                capture_output=True, env=clean_environment(), check=False,
                                cwd=self.home, **self.who)
        if result.returncode != 0:
            raise RuntimeError(f"{program}: {result.stderr}")
        return result.stdout

    def sql(self, text, database=DATABASE, user=USER):
        """Runs SQL and must succeed. @return what it printed: rows, columns separated by '|'"""
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.home,
                        "-p", self.port, "-U", user, "-f", "-", database, stdin=text)

    def promote(self):
        """A standby becomes a server of its own."""
        self.sql("SELECT pg_promote(wait => true)", database="postgres")

    def variables(self):
        return {"PGHOST": "127.0.0.1", "PGPORT": self.port, "PGUSER": USER, "PGDATABASE": DATABASE,
                "PGSOCKETS": self.home}


class Standby(Postgres):
    """A copy of the server `primary` that follows it until it is promoted."""

    def __init__(self, primary, **more):
        super().__init__(**more)
        self.primary = primary

    def make(self):
        self.run("pg_basebackup", "--pgdata", self.data, "--write-recovery-conf", "--no-sync",
                 "--checkpoint", "fast", "--host", self.primary.home, "--port",
                 self.primary.port, "--username", USER)
        recovery = (f"primary_conninfo = 'host={self.primary.home} port={self.primary.port} "
                    f"user={USER}'\n")
        self.configure(self.settings + recovery)


def main(argv):
    if len(argv) != 3 or argv[1] not in ("start", "stop"):
        print(__doc__, file=sys.stderr)
        return 64
    server = Postgres(argv[2])
    if argv[1] == "stop":
        server.stop()
        return 0
    server.start()
    for name, value in server.variables().items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
