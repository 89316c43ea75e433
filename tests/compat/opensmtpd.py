# SPDX-License-Identifier: BSD-2-Clause
"""opensmtpd.py - Debian's OpenSMTPD in a folder of its own, since its own folders are built in: a root
folder with its files, the libraries that these need, and its two users. Needs root."""

import re
import shutil
import signal
import smtplib
import socketserver
import subprocess
import threading
import time

from foreign import folder_of
from postfix import PATIENCE, free_port
from tap import check, same

USERS = {"opensmtpd": 65531, "opensmtpq": 65532}
EMPTY = "var/lib/opensmtpd/empty"  # a folder that the package's scripts would make

CONF = """
table aliases db:/tables/aliases.db
listen on 127.0.0.1 port {port} hostname mail.example
action "aliased" expand-only alias <aliases>
action "on" relay host smtp://127.0.0.1:{next_port}
match for domain "mail.example" action "aliased"
match from any for any action "on"
"""


class NextHop(socketserver.ThreadingTCPServer):
    """Takes every message, and keeps for whom it was."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.recipients = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Receiver(socketserver.StreamRequestHandler):
    def handle(self):
        in_text = False
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            if in_text and line != b".\r\n":
                continue
            in_text = line.upper() == b"DATA\r\n"
            address = re.match(rb"RCPT TO:<(.*?)>", line, re.IGNORECASE)
            if address:
                self.server.recipients.append(address[1].decode())
            self.wfile.write(b"354 go on\r\n" if in_text else b"250 ok\r\n")


def root_folder(root):
    """Fills the folder; @return it"""
    shutil.copytree(folder_of("opensmtpd"), root, symlinks=True)
    for program in "smtpd", "smtpctl":
        needed = subprocess.run(["ldd", root / "usr/sbin" / program], capture_output=True,
                                check=True, text=True).stdout
        check("not found" not in needed, needed)
        for library in re.findall(r"/\S+", needed):
            copy = root / library[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    for name in ("tmp", "tables", "run", "var/run", "var/spool/smtpd", EMPTY):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/spool/smtpd").chmod(0o711)
    users = {"root": 0, **USERS}
    for name, form in ("passwd", "{0}:x:{1}:{1}::/" + EMPTY + ":/bin/false\n"), ("group", "{0}:x:{1}:\n"):
        (root / "etc" / name).write_text("".join(form.format(*user) for user in users.items()))
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\n")
    return root


class OpenSMTPD:
    """A `with` statement starts and stops it; before, its programs can be run."""

    def __init__(self, home):
        self.root = root_folder(home / "root")
        self.tables = self.root / "tables"
        self.port = free_port()
        self.next_hop = self.daemon = None

    def command(self, program, *words):
        return ["/usr/sbin/chroot", self.root, f"/usr/sbin/{program}", *words]

    def configure(self, next_port=25):
        (self.root / "etc/smtpd.conf").write_text(CONF.format(port=self.port, next_port=next_port))

    def checked(self):
        """@return status and messages of a check of its settings and tables"""
        self.configure()
        done = subprocess.run(self.command("smtpd", "-n"), capture_output=True, check=False)
        return done.returncode, done.stderr.decode()

    def dump(self, name):
        """@return the entries of a file as its makemap tells them"""
        done = subprocess.run(self.command("makemap", "-U", f"/tables/{name}"), check=False,
                              capture_output=True, group=USERS["opensmtpq"])
        same((done.returncode, done.stderr), (0, b""), f"makemap -U {name}")
        return done.stdout.decode().splitlines()

    def __enter__(self):
        self.next_hop = NextHop()
        self.configure(self.next_hop.server_address[1])
        with open(self.root / "log", "wb") as log:
            self.daemon = subprocess.Popen(self.command("smtpd", "-d", "-T", "lookup"),
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.session().quit()
                return self
            except OSError:
                if self.daemon.poll() is not None or time.monotonic() > until:
                    self.__exit__()
                    check(False, f"it does not answer: {self.log()}")
                time.sleep(0.05)  # until it listens

    def __exit__(self, *_):
        self.daemon.send_signal(signal.SIGTERM)  # its children end with it
        self.daemon.wait(PATIENCE)
        self.next_hop.shutdown()
        self.next_hop.server_close()

    def log(self):
        return (self.root / "log").read_text(errors="replace")[-1500:]

    def session(self):
        smtp = smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE)
        smtp.ehlo("client.example")
        return smtp

    def await_recipients(self, count):
        """@return those for whom messages have arrived at the next hop, sorted"""
        until = time.monotonic() + PATIENCE
        while len(self.next_hop.recipients) < count:
            check(time.monotonic() < until, f"only {self.next_hop.recipients}: {self.log()}")
            time.sleep(0.05)  # until there is more
        return sorted(self.next_hop.recipients)
