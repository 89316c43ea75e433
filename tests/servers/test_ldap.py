#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The type ldap beside Postfix's, with a real slapd, and with one that hangs, is killed or lies."""

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "compat")]
from pair import THEIR_POSTMAP, Pair, lines_of  # noqa: E402
from daemon import free_port  # noqa: E402
from slapd import SUFFIX, Slapd  # noqa: E402
from tap import ask_in_threads, check, require, run, same  # noqa: E402

DICTUM = os.environ["DICTUM"]
STRANGE = ["star*(x)", "back\\slash", "paren)(", "o'brien", "ünïcode", "a b", "plus+comma,x"]


def entry(rdn, *attributes, under=SUFFIX):
    kind, value = rdn.split("=", 1)
    name = "".join(f"\\{c}" if c in ',+"\\<>;=#' else c for c in value)
    lines = [f"dn: {kind}={name},{under}", "objectClass: extensibleObject", f"{kind}: {value}"]
    return "\n".join([*lines, *(f"{k}: {v}" for k, v in attributes)]) + "\n\n"


def person(uid, *more):
    return entry(f"uid={uid}", ("objectClass", "account"), ("mail", f"{uid}@example.org"), *more,
                 under=PEOPLE)


def group(name, *attributes):
    return entry(f"cn={name}", ("objectClass", "device"), *attributes, under=GROUPS)


PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
LDIF = (
    f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n"
    + "".join(entry(f"ou={ou}", ("objectClass", "organizationalUnit"))
              for ou in ("people", "groups", "private"))
    + entry("cn=reader", ("objectClass", "device"), ("userPassword", "open"))
    + entry("uid=hidden", ("objectClass", "account"), ("mail", "hidden@example.org"),
            under=f"ou=private,{SUFFIX}")
    + person("alice", ("mail", "alice2@example.org"), ("description", "host.example.org"))
    + person("bob", ("description", "not an address"))
    + "".join(person(uid, ("description", f"strange {i}")) for i, uid in enumerate(STRANGE))
    + "".join(person(f"u{i}", ("title", "many")) for i in range(20))
    + group("team", ("mail", "team@example.org"), ("member", f"uid=alice,{PEOPLE}"),
            ("member", f"uid=bob,{PEOPLE}"), ("member", f"uid=gone,{PEOPLE}"),
            ("description", "team@direct.example"))
    + group("outer", ("mail", "outer@example.org"), ("member", f"cn=team,{GROUPS}"))
    + group("loop", ("mail", "loop@example.org"), ("member", f"cn=loop,{GROUPS}"))
    + group("urls", ("mail", "urls@example.org"),
            ("labeledURI", f"ldap:///{PEOPLE}?mail?sub?(uid=bob)"),
            ("labeledURI", f"ldap:///{PEOPLE}?mail,description?one?(uid=alice)"),
            ("labeledURI", f"ldap:///{PEOPLE}?telephoneNumber?sub?(uid=alice)"))
    + group("hosted", ("mail", "hosted@example.org"), ("roomNumber", "hosted@elsewhere.example"),
            ("member", f"uid=alice,{PEOPLE}")))

# Name: settings, keys.
CASES = {
    "one attribute": ("query_filter = (uid=%s)\nresult_attribute = mail",
                      ["alice", "BOB", "nobody", *STRANGE, "*", ")(uid=*", "\\2a"]),
    "several attributes": ("query_filter = (uid=%s)\nresult_attribute = description, mail",
                           ["alice", "bob"]),
    "result_format": ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                      "result_format = %u at %d of %U", ["alice@example.org", "bob@example.org"]),
    "result_filter": ("query_filter = (uid=%s)\nresult_attribute = mail\nresult_filter = <%s>",
                      ["alice"]),
    "unsuitable values": ("query_filter = (uid=%s)\nresult_attribute = mail description\n"
                          "result_format = %d", ["alice", "bob"]),
    "parts of the key": ("query_filter = (&(uid=%u)(mail=*@%2.%1))\nresult_attribute = mail",
                         ["alice@example.org", "alice@example.com", "alice", "@example.org"]),
    "base from the key": (f"search_base = uid=%s,{PEOPLE}\nscope = base\n"
                          "query_filter = (objectClass=*)\nresult_attribute = mail",
                          ["alice", "nobody", *STRANGE]),
    "scope one": (f"search_base = {SUFFIX}\nscope = one\nquery_filter = (cn=%s)\n"
                  "result_attribute = cn", ["reader", "team"]),
    "scope sub": (f"search_base = {SUFFIX}\nquery_filter = (cn=%s)\nresult_attribute = cn",
                  ["reader", "team"]),
    "members": ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                "special_result_attribute = member",
                ["team@example.org", "outer@example.org", "alice@example.org"]),
    "leaves": ("query_filter = (mail=%s)\nresult_attribute =\nleaf_result_attribute = mail\n"
               "special_result_attribute = member",
               ["team@example.org", "outer@example.org", "alice@example.org"]),
    "leaves and direct ones": ("query_filter = (mail=%s)\nresult_attribute = description\n"
                               "leaf_result_attribute = mail\nspecial_result_attribute = member",
                               ["team@example.org", "outer@example.org"]),
    "terminal": ("query_filter = (mail=%s)\nresult_attribute =\nleaf_result_attribute = mail\n"
                 "terminal_result_attribute = roomNumber\nspecial_result_attribute = member",
                 ["hosted@example.org", "team@example.org"]),
    "URLs": ("query_filter = (mail=%s)\nresult_attribute =\nleaf_result_attribute = mail\n"
             "special_result_attribute = labeledURI", ["urls@example.org"]),
    "recursion_limit": ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                        "special_result_attribute = member\nrecursion_limit = 3",
                        ["loop@example.org"]),
    "recursion_limit that suffices": ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                                      "special_result_attribute = member\nrecursion_limit = 2",
                                      ["outer@example.org"]),
    "recursion_limit that does not": ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                                      "special_result_attribute = member\nrecursion_limit = 1",
                                      ["outer@example.org"]),
    "expansion_limit": ("query_filter = (title=%s)\nresult_attribute = mail\n"
                        "expansion_limit = 19\nsize_limit = 0", ["many"]),
    "expansion_limit that suffices": ("query_filter = (title=%s)\nresult_attribute = mail\n"
                                      "expansion_limit = 20", ["many"]),
    "size_limit": ("query_filter = (title=%s)\nresult_attribute = mail\nsize_limit = 5", ["many"]),
    "domain": ("query_filter = (mail=%s)\nresult_attribute = mail\ndomain = example.org",
               ["alice@example.org", "alice", "alice@example.com"]),
    "bind": (f"query_filter = (uid=%s)\nresult_attribute = mail\nbind_dn = cn=reader,{SUFFIX}\n"
             "bind_pw = open", ["hidden", "alice"]),
    "bind with a wrong password": (f"query_filter = (uid=%s)\nresult_attribute = mail\n"
                                   f"bind_dn = cn=reader,{SUFFIX}\nbind_pw = wrong", ["alice"]),
    "no bind": ("query_filter = (uid=%s)\nresult_attribute = mail\nbind = no", ["hidden", "alice"]),
    "protocol 2": ("query_filter = (uid=%s)\nresult_attribute = mail\nversion = 2", ["alice"]),
    "missing base": ("search_base = dc=nowhere\nquery_filter = (uid=%s)\nresult_attribute = mail",
                     ["alice"]),
    "bad filter": ("query_filter = (uid=%s\nresult_attribute = mail", ["alice"]),
}


class Ground:
    """A server, and tables that ask it."""

    def __init__(self):
        self.slapd = Slapd(LDIF)

    def write(self, path, text):
        head = {"server_host": f"ldap://127.0.0.1:{self.slapd.port}", "version": "3",
                "search_base": SUFFIX}
        lines = "".join(f"{k} = {v}\n" for k, v in head.items() if f"{k} =" not in text)
        path.write_text(lines + text + "\n", encoding="utf-8")
        return f"ldap:{path}"

    def beside_theirs(self, text, keys):
        with Pair() as pair:
            spec = self.write(pair.home / "l.cf", text)
            for key in keys:
                ours, theirs = (side.run("-q", key, spec) for side in pair.sides)
                same(ours[:2], theirs[:2], f"{key}: {ours[2]!r:.400}, {theirs[2]!r:.400}")
            given = "".join(key + "\n" for key in keys).encode()
            ours, theirs = (side.run("-q", "-", spec, given=given) for side in pair.sides)
            same(ours[0], theirs[0], f"batch: {ours[2]!r:.300}, {theirs[2]!r:.300}")
            if b"fatal" not in b"".join(theirs[2]):
                same(lines_of(ours[1]), lines_of(theirs[1]), "batch")

    def get(self, text, *keys, timeout="5s"):
        """@return status, output, messages, seconds"""
        with Pair() as pair:
            spec = self.write(pair.home / "l.cf", text)
            began = time.monotonic()
            done = subprocess.run([DICTUM, "get", "--timeout", timeout, spec, *keys],
                                  capture_output=True, check=False, timeout=120)
            return done.returncode, done.stdout, done.stderr, time.monotonic() - began

    # ---- what only ours promises ----

    SIMPLE = "query_filter = (uid=%s)\nresult_attribute = mail"

    def by_socket(self):
        text = f"{self.SIMPLE}\nserver_host = {self.slapd.socket}"
        same(self.get(text, "bob")[:2], (0, b"bob@example.org\n"), "ldapi")
        text += "\nbind = sasl\nsasl_mechs = EXTERNAL"
        same(self.get(text, "hidden")[:2], (0, b"hidden@example.org\n"), "as who the system says")

    def start_tls(self):
        text = (f"{self.SIMPLE}\nstart_tls = yes\ntls_require_cert = yes\n"
                f"server_host = ldap://127.0.0.1:{self.slapd.port}\n")
        good = f"tls_ca_cert_file = {self.slapd.home / 'cert.pem'}"
        same(self.get(text + good, "bob")[:2], (0, b"bob@example.org\n"), "a good certificate")
        status, out, said, _ = self.get(text, "bob")
        same((status in (75, 78), out), (True, b""), f"a stranger's certificate: {said!r}")
        text = text.replace("tls_require_cert = yes", "tls_require_cert = no")
        same(self.get(text, "bob")[:2], (0, b"bob@example.org\n"), "any certificate")

    def statuses(self):
        for text, status, word in (
                (f"{self.SIMPLE}\nbind_dn = cn=reader,{SUFFIX}\nbind_pw = wrong", 78,
                 b"Invalid credentials"),
                ("query_filter = (uid=%s\nresult_attribute = mail", 78, b"filter"),
                (f"{self.SIMPLE}\nsearch_base = dc=nowhere", 78, b"not found"),
                (f"{self.SIMPLE}\nsearch_base = no name", 78, b"not found"),
                (f"{self.SIMPLE}\nbind = perhaps", 78, b"unsupported parameter value"),
                (f"{self.SIMPLE}\nscope = all", 78, b"unsupported parameter value"),
                (f"{self.SIMPLE}\nserver_host = http://localhost", 78, b"server_host"),
                ("query_filter = (uid=%x)\nresult_attribute = mail", 78, b"nvalid"),
                (f"query_filter = (title=many)\nresult_attribute = mail\nsize_limit = 5", 75,
                 b"size limit"),
                (f"{self.SIMPLE}\nserver_host = 127.0.0.1:{free_port()}", 75,
                 b"Can't contact LDAP server")):
            answer = self.get(text, "alice")
            same(answer[0], status, f"{text!r}: {answer[2]!r}")
            check(word in answer[2], f"{text!r}: {answer[2]!r}")

    def second_server(self):
        hosts = f"127.0.0.1:{free_port()}, 127.0.0.1:{self.slapd.port}"
        same(self.get(f"{self.SIMPLE}\nserver_host = {hosts}", "bob")[:2],
             (0, b"bob@example.org\n"), "the second of two")

    def hanging_server(self):
        """Nothing that listens but does not answer holds a call up."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(20)
            host = f"server_host = ldap://127.0.0.1:{deaf.getsockname()[1]}"
            for more in ("", "\nbind = no", "\nstart_tls = yes",
                         f"\nserver_host = ldaps://127.0.0.1:{deaf.getsockname()[1]}"):
                text = f"{self.SIMPLE}\n{host}{more}" if "ldaps" not in more \
                    else f"{self.SIMPLE}{more}"
                status, _, said, took = self.get(text, "bob", timeout="1s")
                same(status, 75, f"{more!r}: {said!r}")
                check(took < 20, f"{more!r}: it took {took} s")
        self.slapd.pause()
        try:
            status, _, said, took = self.get(self.SIMPLE, "bob", timeout="1s")
        finally:
            self.slapd.go_on()
        same(status, 75, f"{said!r}")
        check(took < 20, f"it took {took} s")

    def half_an_answer(self):
        """A server that begins to answer and stops in the middle of it, or agrees to STARTTLS and
        then is silent."""
        half = b"\x30\x84\x00\x00\x10\x00\x02\x01\x01\x61"
        agreed = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
        for answer, more in ((half, ""), (agreed, "\nstart_tls = yes")):
            self.ask_liar(answer, more)

    def ask_liar(self, answer, more):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(20)
            held = []

            def serve():
                try:
                    while True:
                        client, _ = server.accept()
                        held.append(client)
                        client.recv(4096)
                        client.sendall(answer)
                except OSError:
                    return
            thread = threading.Thread(target=serve)
            thread.start()
            text = (f"{self.SIMPLE}\nserver_host = ldap://127.0.0.1:{server.getsockname()[1]}"
                    f"{more}")
            status, _, said, took = self.get(text, "bob", timeout="1s")
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in held:
                client.close()
        same(status, 75, f"{said!r}")
        check(took < 20, f"it took {took} s")

    def restarted_server(self):
        """One program goes on over a restart: its connection is gone, and it makes another."""
        with Pair() as pair:
            spec = self.write(pair.home / "l.cf", self.SIMPLE)
            with subprocess.Popen([DICTUM, "get", spec, "-"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asker:
                def ask(uid):
                    asker.stdin.write(uid + b"\n")
                    asker.stdin.flush()
                    return asker.stdout.readline()
                check(b"bob@example.org" in ask(b"bob"), "before")
                self.slapd.stop()
                self.slapd.start()
                check(b"alice@example.org" in ask(b"alice"), "after")
                asker.stdin.close()
                said = asker.stderr.read()
            same((asker.returncode, said), (0, b""), "no failure was seen")


    def threads(self):
        with Pair() as pair:
            text = ("query_filter = (mail=%s)\nresult_attribute = mail\n"
                    "special_result_attribute = member")
            ask_in_threads(self.write(pair.home / "l.cf", text), 5, "alice@example.org",
                           "team@example.org", "bob@example.org", "nobody", "outer@example.org")


def cases():
    ground = Ground()
    try:
        for name, (text, keys) in CASES.items():
            yield f"ldap: {name}", lambda text=text, keys=keys: ground.beside_theirs(text, keys)
        for name, function in (("a Unix socket", ground.by_socket), ("STARTTLS", ground.start_tls),
                               ("statuses", ground.statuses),
                               ("the second server", ground.second_server),
                               ("a server that hangs", ground.hanging_server),
                               ("threads and a child", ground.threads),
                               ("half an answer", ground.half_an_answer),
                               ("a server that is restarted", ground.restarted_server)):
            yield f"ldap: {name}", function
    finally:
        ground.slapd.__exit__()


if __name__ == "__main__":
    require(THEIR_POSTMAP, "slapd", "openssl")
    run(cases())
