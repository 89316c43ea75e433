# SPDX-License-Identifier: BSD-2-Clause
"""slapd.py - OpenLDAP's server in a temporary folder, as an ordinary user, with our own entries."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemon import free_port, stop_short  # noqa: E402 (found by the lines above)
from tap import Fault  # noqa: E402

SUFFIX = "dc=example,dc=org"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "secret"
NOBODY = 65534

CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {0}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {0}/cert.pem
TLSCertificateFile {0}/cert.pem
TLSCertificateKeyFile {0}/key.pem
sizelimit 500
allow bind_v2
authz-regexp gidNumber=.*,cn=peercred,cn=external,cn=auth {2}
database mdb
directory {0}/db
suffix {1}
rootdn {2}
rootpw {3}
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=private,{1}" by dn.exact="cn=reader,{1}" read by * none
access to * by * read
"""


class Slapd:
    """The server; a `with` statement ends it."""

    def __init__(self, ldif):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dictum-slapd."))
        self.port = free_port()
        self.process = None
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        (self.home / "db").mkdir()
        self.make_certificate()
        (self.home / "slapd.conf").write_text(CONF.format(self.home, SUFFIX, ADMIN, PASSWORD))
        (self.home / "ldif").write_text(ldif, encoding="utf-8")
        if self.user:
            for path in (self.home, *self.home.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        self.home.chmod(0o755)
        subprocess.run(["/usr/sbin/slapadd", "-f", self.home / "slapd.conf", "-l",
                        self.home / "ldif"], check=True, capture_output=True, cwd="/", **self.user)
        self.socket = f"ldapi://{urllib.parse.quote(str(self.home / 'ldapi'), safe='')}"
        self.start()

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", self.home / "key.pem", "-out", self.home / "cert.pem"],
                       check=True, capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home)

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/slapd", "-d", "0", "-f", self.home / "slapd.conf", "-h",
             f"ldap://127.0.0.1:{self.port} {self.socket}"],
            stderr=subprocess.DEVNULL, cwd="/", **self.user)
        for _ in range(600):
            if self.process.poll() is not None:
                raise Fault(f"slapd ended with {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Fault("slapd does not answer")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None

    def pause(self):
        stop_short([self.process.pid])

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
