#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Passwords, who may read them, and that nobody is told; TLS with certificates made here."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from asker import Asker  # noqa: E402
from pgsqltest import Bench  # noqa: E402
from postgres import Postgres  # noqa: E402
from sqltest import expect  # noqa: E402
from tap import check, require, run, same  # noqa: E402

SECRET = "s3cret word"
QUERY = "SELECT 'hello %s'"
INFO, WARNING = 20, 30

ACCESS = """
local all all trust
hostssl all certified 127.0.0.1/32 cert
host all knower 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


class Secrets:
    def __init__(self, server, bench):
        self.server = server
        self.bench = bench
        self.certificates = bench.home / "tls"

    def try_with(self, status, text="", events=(), env=None, key="x", **more):
        """One question; what is reported must be `events`: a level and a text for each."""
        with Asker(**(env or {})) as asker:
            spec = self.bench.spec(self.server, QUERY, **{"user": "knower"} | more)
            answer = asker.open(spec)
            if answer.status == "ok":
                answer = asker.get(key)
            heard = asker.events()
        expect(answer, status, text, str(more))
        heard = [(level, said) for level, said in heard if "unavailable" not in said]
        same(len(heard), len(events), f"events, {heard}")
        for (level, said), (wanted, part) in zip(heard, events):
            check(level == wanted and part in said, f"event {said!r} of level {level}")
        for said in [answer.text, *(said for _, said in heard)]:
            check(SECRET not in said, f"the password is told: {said}")

    def private(self, name, text, mode=0o600):
        return self.bench.file(name, text, mode)

    # ---- passwords -----------------------------------------------------------------------------

    def password(self):
        self.try_with("ok", "hello x", [(INFO, "everybody may read")], password=SECRET)

    def password_in_private_settings(self):
        spec = self.bench.spec(self.server, QUERY, user="knower", password=SECRET)
        os.chmod(spec.split(":", 1)[1], 0o600)
        with Asker() as asker:
            asker.must_open(spec)
            expect(asker.get("x"), "ok")
            same(asker.events(), [], "events")

    def password_file(self):
        path = self.private("password", f"{SECRET}\n")
        self.try_with("ok", "hello x", password_file=path)
        path.write_text("another\n")
        self.try_with("config", "password authentication failed", password_file=path)

    def changed_password_file(self):
        """A new connection reads it anew."""
        path = self.private("rotated", "old\n")
        with Asker() as asker:
            asker.must_open(self.bench.spec(self.server, QUERY, user="knower", password_file=path))
            expect(asker.get("x"), "config", "authentication failed")
            path.write_text(SECRET)
            for _ in range(100):
                if asker.get("x").status == "ok":
                    return
            expect(asker.get("x"), "ok")

    def password_file_of_others(self):
        for mode in (0o640, 0o604, 0o644):
            path = self.private("open-password", SECRET, mode)
            self.try_with("ok", "hello x", [(WARNING, "password_file")], password_file=path)

    def missing_password_file(self):
        self.try_with("config", "No such file", password_file="/nowhere/password")
        self.try_with("config", "empty", password_file=self.private("empty", "\n"))
        self.try_with("config", "too long", password_file=self.private("long", "x" * 5000))

    def credential(self):
        self.private("mail.password", SECRET, 0o440)
        env = {"CREDENTIALS_DIRECTORY": self.bench.home}
        self.try_with("ok", "hello x", env=env, password_file="mail.password")
        self.try_with("config", "CREDENTIALS_DIRECTORY", password_file="mail.password")

    def passfile(self):
        line = f"127.0.0.1:{self.server.port}:mail:knower:{SECRET}\n"
        self.try_with("ok", "hello x", passfile=self.private("pgpass", line))
        self.private("pgpass-credential", line)
        self.try_with("ok", "hello x", env={"CREDENTIALS_DIRECTORY": self.bench.home},
                      passfile="pgpass-credential")

    def passfile_of_others(self):
        """It is not used, as libpq has it, and libpq prints nothing about that."""
        line = f"*:*:*:*:{SECRET}\n"
        self.try_with("config", "no password", [(WARNING, "passfile")],
                      passfile=self.private("open-pgpass", line, 0o644))
        home = self.bench.home / "someone"
        home.mkdir()
        (home / ".pgpass").write_text(line)
        (home / ".pgpass").chmod(0o644)
        self.try_with("config", "no password", env={"HOME": home})
        (home / ".pgpass").chmod(0o600)
        self.try_with("ok", "hello x", env={"HOME": home})

    def not_told(self):
        port = self.server.port
        uri = f"postgresql://knower:{SECRET.replace(' ', '%20')}"
        self.try_with("ok", "hello x", hosts=f"{uri}@127.0.0.1:{port}/mail")
        for wrong in (f"{uri}@127.0.0.1:{port}/nowhere", f"{uri}@127.0.0.1:1/mail",
                      f"{uri}@127.0.0.1:{port}/mail?sslmode=wrong", f"{uri}@[::1/mail"):
            with Asker() as asker:
                answer = asker.open(self.bench.spec(self.server, QUERY, hosts=wrong))
                if answer.status == "ok":
                    answer = asker.get("x")
                check(answer.status in ("config", "retry"), f"{wrong}: {answer}")
                check("s3cret" not in answer.text, f"the password is told: {answer}")

    # ---- TLS -----------------------------------------------------------------------------------

    def tls(self, status, text="", **more):
        files = {"tls_ca_file": self.certificates / "ca.crt"} | more
        self.try_with(status, text, user="dictum", hosts=files.pop("hosts", self.where("localhost")),
                      **files)

    def where(self, name):
        return f"{name}:{self.server.port}"

    def verified(self):
        self.tls("ok", "hello x", tls_mode="verify-full")
        self.tls("ok", "hello x", tls_mode="verify-ca", hosts=self.where("127.0.0.1"))

    def really_encrypted(self):
        spec = self.bench.spec(self.server, "SELECT ssl || '%s' FROM pg_stat_ssl WHERE pid = "
                               "pg_backend_pid()", tls_mode="require")
        with Asker() as asker:
            asker.must_open(spec)
            expect(asker.get(""), "ok", "true")
            asker.must_open(self.bench.spec(
                self.server, "SELECT ssl || '%s' FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                tls_mode="disable"), slot=1)
            expect(asker.get("", slot=1), "ok", "false")

    def wrong_authority(self):
        self.tls("retry", "certificate verify failed", tls_mode="verify-full",
                 tls_ca_file=self.certificates / "other.crt")
        self.tls("retry", "certificate verify failed", tls_mode="verify-ca",
                 tls_ca_file=self.certificates / "other.crt")

    def wrong_name(self):
        self.tls("retry", "does not match", tls_mode="verify-full", hosts=self.where("127.0.0.1"))
        self.tls("ok", "hello x", tls_mode="verify-full", hosts=self.where("127.0.0.1"),
                 tls_server_name="localhost")
        self.tls("retry", "does not match", tls_mode="verify-full",
                 tls_server_name="elsewhere.example")

    def missing_files(self):
        for option in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
            self.tls("config", "No such file", tls_mode="verify-full", **{option: "/nowhere/x"})

    def client_certificate(self):
        files = {"tls_mode": "verify-full", "tls_cert_file": self.certificates / "client.crt",
                 "tls_key_file": self.certificates / "client.key"}
        ca = {"tls_ca_file": self.certificates / "ca.crt"}
        self.try_with("ok", "hello x", user="certified", hosts=self.where("localhost"), **files,
                      **ca)
        self.try_with("config", "certificate", user="certified", hosts=self.where("localhost"),
                      tls_mode="verify-full", **ca)
        open_key = self.private("open.key", files["tls_key_file"].read_text(), 0o644)
        self.try_with("retry", "private key file", [(WARNING, "tls_key_file")], user="certified",
                      hosts=self.where("localhost"), **files | {"tls_key_file": open_key}, **ca)

    def server_without_tls(self):
        self.server.configure("")
        self.server.restart()
        self.tls("retry", "SSL", tls_mode="require")
        self.tls("ok", "hello x", tls_mode="prefer")

    def bad_choices(self):
        self.try_with("config", "tls_mode", tls_mode="maybe")
        self.try_with("config", "target_session_attrs", target_session_attrs="fast")

    def no_signal(self):
        """The server is killed under a TLS connection, and no SIGPIPE ends the program."""
        spec = self.bench.spec(self.server, QUERY, tls_mode="require", connections=8)
        with Asker() as asker:
            asker.must_open(spec)
            for _ in range(3):
                expect(asker.get("x"), "ok")
                self.server.kill()
                check(asker.get("x").status == "retry", "a server that is not there answers")
                self.server.start()
                for _ in range(100):
                    if asker.get("x").status == "ok":
                        break


def make_certificates(folder):
    folder.mkdir()

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.crt", "-subj", f"/CN=Authority {name}", "-days", 2)
    for name, subject in (("server", "localhost"), ("client", "certified")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.crt", "-days", 2)
    for key in folder.glob("*.key"):
        key.chmod(0o600)


def main():
    require("openssl")
    with Bench() as bench, Postgres(access=ACCESS) as server:
        make_certificates(bench.home / "tls")
        for name in ("server.crt", "server.key", "ca.crt"):
            server.write(name, (bench.home / "tls" / name).read_text())
        server.configure("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n"
                         "ssl_ca_file = 'ca.crt'\n")
        server.restart()
        server.sql(f"CREATE ROLE knower LOGIN PASSWORD '{SECRET}'; CREATE ROLE certified LOGIN;")
        it = Secrets(server, bench)
        run([(name.replace("_", " "), getattr(it, name)) for name in (
            "password", "password_in_private_settings", "password_file", "changed_password_file",
            "password_file_of_others", "missing_password_file", "credential", "passfile",
            "passfile_of_others", "not_told", "verified", "really_encrypted", "wrong_authority",
            "wrong_name", "missing_files", "client_certificate", "no_signal", "bad_choices",
            "server_without_tls")])


if __name__ == "__main__":
    main()
