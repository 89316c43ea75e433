# SPDX-License-Identifier: BSD-2-Clause
"""postfix.py - an instance of Postfix of a test's own: in its folder, on free ports. Needs root."""

import os
import pwd
import signal
import smtplib
import socket
import subprocess
import time

from tap import check

PATIENCE = 30  # seconds, until a server that does not answer has failed

# What each instance has, before a test's own settings.
COMMON_CF = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = mail.example
smtputf8_enable = yes
smtpd_peername_lookup = no
smtpd_banner = ready
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100000
smtpd_hard_error_limit = 100000
smtpd_client_connection_count_limit = 0
local_recipient_maps =
relay_domains =
"""

QUEUES = ("incoming", "active", "deferred", "bounce", "defer", "trace", "corrupt", "hold",
          "maildrop", "saved", "flush")


def free_port(*hosts):
    """@return a port that is free on each of the hosts, 127.0.0.1 without any"""
    while True:
        port = 0
        try:
            for host in hosts or ("127.0.0.1",):
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                with socket.socket(family) as probe:
                    probe.bind((host, port))
                    port = probe.getsockname()[1]
            return port
        except OSError:
            if port == 0:  # it is the host that cannot be had
                raise


def daemon_directory():
    return subprocess.run(["/usr/sbin/postconf", "-h", "-d", "daemon_directory"], check=True,
                          capture_output=True, text=True).stdout.strip()


class Postfix:
    """The instance; a `with` statement starts and stops it."""

    def __init__(self, home, port, main_cf, master_cf):
        """@param port where it answers on 127.0.0.1, as `master_cf` says
        @param main_cf, master_cf texts, in which {home} is a folder that everybody may enter"""
        self.home = home
        self.port = port
        conf = home / "conf"
        owner = pwd.getpwnam("postfix")
        for name in ("conf", "queue", "queue/pid", "queue/private", "queue/public", "data",
                     *(f"queue/{name}" for name in QUEUES)):
            (home / name).mkdir()
            if name not in ("conf", "queue", "queue/pid"):
                os.chown(home / name, owner.pw_uid, owner.pw_gid)
        (conf / "main.cf").write_text((COMMON_CF + main_cf).replace("{home}", str(home)))
        (conf / "master.cf").write_text(master_cf.replace("{home}", str(home)))
        # Should this test be killed, the instance ends by itself.
        self.command = [os.path.join(daemon_directory(), "master"), "-c", str(conf), "-d",
                        "-e", "900"]
        self.master = None

    def __enter__(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        self.master = subprocess.Popen(self.command, env=env, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
        try:
            self.await_answer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def await_answer(self):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE).quit()
                return
            except OSError:
                check(self.master.poll() is None, f"master ended: {self.log()}")
                check(time.monotonic() < until and "fatal:" not in self.log(),
                      f"no answer on port {self.port}: {self.log()}")
                time.sleep(0.05)  # until it listens

    def stop(self):
        self.master.send_signal(signal.SIGTERM)  # it takes its children along
        self.master.wait(PATIENCE)

    def log(self):
        """@return the end of what it said"""
        return self.whole_log()[-1500:]

    def whole_log(self):
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""
