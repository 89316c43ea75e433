#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A running Postfix answers from tables that we build, while we build them anew.

An instance of its own runs in a temporary folder, with an SMTP server on a free port of the
loopback interface. What it finds in a table is seen in its replies to RCPT TO. Needs root.
"""

import os
import pathlib
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pair import THEIR_POSTMAP, TYPES, Pair  # noqa: E402
from postfix import PATIENCE, Postfix, free_port  # noqa: E402
from tap import check, require, run, same  # noqa: E402

MEMBERS = 500

MAIN_CF = """
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access KIND:{home}/access, permit
virtual_alias_domains = virtual.example
virtual_alias_maps = KIND:{home}/virtual
"""

MASTER_CF = """
127.0.0.1:PORT inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
postlog unix-dgram n - n - 1 postlogd
"""


def instance(home, kind):
    port = free_port()
    return Postfix(home, port, MAIN_CF.replace("KIND", kind), MASTER_CF.replace("PORT", str(port)))


class Session:
    """One SMTP session, in which recipients are asked about."""

    def __init__(self, postfix):
        self.smtp = smtplib.SMTP("127.0.0.1", postfix.port, timeout=PATIENCE)
        self.smtp.ehlo("client.example")

    def ask(self, recipient):
        """@return code and text of the reply"""
        self.smtp.mail("sender@example.org")
        code, text = self.smtp.rcpt(recipient)
        self.smtp.rset()
        return code, text.decode()

    def close(self):
        self.smtp.quit()


def access(generation):
    """Every member's answer is the generation of the table."""
    return b"".join(b"Member%d@virtual.example\tREJECT generation %d\n" % (i, generation)
                    for i in range(MEMBERS))


VIRTUAL = b"virtual.example\tanything\nKnown@virtual.example\tsomebody@example.org\n"


def build(side, kind, home, name, data):
    (home / name).write_bytes(data)
    side.must(f"{kind}:{home / name}")


def answers(kind, *options):
    """What there is is found, with its value; what there is not is not."""
    with Pair() as pair:
        for name, data in (("access", access(1)), ("virtual", VIRTUAL)):
            (pair.home / name).write_bytes(data)
            pair.ours.must(*options, f"{kind}:{pair.home / name}")
        with instance(pair.home, kind) as postfix:
            session = Session(postfix)
            same(session.ask("known@virtual.example")[0], 250, "known recipient")
            code, text = session.ask("unknown@virtual.example")
            same(code, 550, f"unknown recipient: {text}")
            check("unknown in virtual alias table" in text, text)
            for i in range(MEMBERS):
                code, text = session.ask(f"member{i}@VIRTUAL.example")
                same(code, 554, text)
                check(text.endswith("generation 1"), text)
            session.close()


def generation_of(session, member):
    code, text = session.ask(f"member{member}@virtual.example")
    same(code, 554, f"{text}: not found, though every generation has it")
    return int(text.rpartition(" ")[2])


def rebuilt(kind):
    """A session that begins after a build sees the new table, and one that is open sees a whole
    one: each member is found, always."""
    with Pair() as pair:
        build(pair.ours, kind, pair.home, "virtual", VIRTUAL)
        build(pair.ours, kind, pair.home, "access", access(0))
        with instance(pair.home, kind) as postfix:
            for generation in range(1, 21):
                session = Session(postfix)
                same(generation_of(session, 0), generation - 1, "before the build")
                (pair.home / "access").write_bytes(access(generation))
                builder = subprocess.Popen(
                    [pair.ours.programs["postmap"], f"{kind}:{pair.home / 'access'}"],
                    env=pair.ours.env)
                member = 0
                while builder.poll() is None or member < 20:
                    seen = generation_of(session, member % MEMBERS)
                    check(seen in (generation - 1, generation), f"generation {seen}")
                    member += 1
                same(builder.returncode, 0, "status of the build")
                session.close()
            session = Session(postfix)
            for member in range(MEMBERS):
                same(generation_of(session, member), 20, "in the end")
            session.close()


def changed_in_place(kind):
    """Entries that are put and deleted in the table of a running server."""
    with Pair() as pair:
        build(pair.ours, kind, pair.home, "virtual", VIRTUAL)
        build(pair.ours, kind, pair.home, "access", access(1))
        spec = f"{kind}:{pair.home / 'virtual'}"
        with instance(pair.home, kind) as postfix:
            for i in range(10):
                name = f"new{i}@virtual.example"
                for expected, words in (250, ["-i"]), (550, ["-d", name]):
                    status, _, said = pair.ours.run(*words, spec, given=f"{name} x\n".encode())
                    same(status, 0, f"{words}: {said}")
                    settles_at(postfix, name, expected)
            settles_at(postfix, "known@virtual.example", 250)


def settles_at(postfix, recipient, expected):
    """Postfix looks at a table's time stamp, in seconds, before it takes a new session: within one
    second it may miss a change of the same process's own table, as it does with its own tools."""
    until = time.monotonic() + PATIENCE
    while True:
        session = Session(postfix)
        code, text = session.ask(recipient)
        session.close()
        if code == expected:
            return
        check(code in (250, 550), text)
        check(time.monotonic() < until, f"{recipient}: still {code} {text}")


def cases():
    for kind in TYPES:
        for options in ([], ["-N"], ["-n"]):
            yield f"{kind}: a running Postfix answers from it {' '.join(options)}", \
                lambda kind=kind, options=options: answers(kind, *options)
        yield f"{kind}: built anew under a running Postfix", lambda kind=kind: rebuilt(kind)
        yield f"{kind}: changed under a running Postfix", lambda kind=kind: changed_in_place(kind)


if __name__ == "__main__":
    require(THEIR_POSTMAP, "/usr/sbin/postconf")
    if os.geteuid() != 0:
        print("1..0 # SKIP Postfix can only be started by root")
        sys.exit(0)
    run(cases())
