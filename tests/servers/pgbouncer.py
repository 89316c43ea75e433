#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""pgbouncer.py start FOLDER HOST PORT | stop FOLDER - a connection pooler of its own, for tests.

start runs one in transaction mode in FOLDER, in front of the PostgreSQL server at HOST and PORT, and
prints shell variables: PGHOST, PGPORT. As a module: class PgBouncer.
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
from daemon import free_port, server_user  # noqa: E402
from postgres import DATABASE, PATIENCE, USER  # noqa: E402

SETTINGS = """
[databases]
{database} = host={host} port={server_port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 100
logfile = {home}/log
pidfile = {home}/pid
server_login_retry = 1
query_wait_timeout = 3
server_connect_timeout = 2
"""


class PgBouncer:
    """A pooler in a folder of its own."""

    def __init__(self, host, server_port, home=None, pool_size=2):
        self.owns_home = home is None
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="dictum-pgbouncer-")).resolve()
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o755)
        self.host = host
        self.server_port = server_port
        self.port = free_port()
        self.pool_size = pool_size
        self.who = server_user("postgres", "nobody")
        if self.who:
            os.chown(self.home, self.who["user"], self.who["group"])
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    @staticmethod
    def program():
        return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

    def start(self):
        names = (USER, "knower", "nobody_there")
        (self.home / "users").write_text("".join(f'"{name}" ""\n' for name in names))
        (self.home / "ini").write_text(SETTINGS.format(
            database=DATABASE, host=self.host, server_port=self.server_port, port=self.port,
            home=self.home, pool_size=self.pool_size))
        self.process = subprocess.Popen([self.program(), "-q", self.home / "ini"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.home,
                                        start_new_session=True, **self.who)
        end = time.monotonic() + PATIENCE
        while not (self.home / "pid").exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("pgbouncer does not start")
            time.sleep(0.02)
        time.sleep(0.1)
        return self

    def pid(self):
        try:
            return int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return None

    def stop(self):
        pid = self.pid()
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        end = time.monotonic() + PATIENCE
        while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            if self.process:
                self.process.poll()
            time.sleep(0.02)
        (self.home / "pid").unlink(missing_ok=True)

    def restart(self):
        self.stop()
        self.start()


def main(argv):
    if len(argv) == 5 and argv[1] == "start":
        pooler = PgBouncer(argv[3], argv[4], home=argv[2]).start()
        print(f"PGHOST=127.0.0.1\nPGPORT={pooler.port}")
        return 0
    if len(argv) == 3 and argv[1] == "stop":
        PgBouncer("", 0, home=argv[2]).stop()
        return 0
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv))
