#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A running Postfix delivers mail by our tables, while these are built anew without a pause.

Hundreds of messages go over 127.0.0.1 and ::1, each through a dozen tables and more. None may be
lost, late or in the wrong mailbox; see delivery.py for how a wrong answer shows. Needs root.
"""

import concurrent.futures
import email
import os
import pathlib
import pwd
import re
import smtplib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import delivery  # noqa: E402
from delivery import BUILT, KEYED, PATTERNS  # noqa: E402
from pair import THEIR_POSTMAP, Pair  # noqa: E402
from postfix import PATIENCE, Postfix, free_port  # noqa: E402
from tap import check, require, require_that, run, same  # noqa: E402

COUNT = 16  # messages of each flow and type
SENDERS = 4
A_SESSION = 4  # messages
BUILDS = 8  # of every table, at least, while mail is under way

# What a log never has in it when all tables answer. The file system may have a clock of its own,
# and who asks the rewriting process just when that starts anew, since a table is new, asks again.
HARMLESS = "file system clock|resetting file time stamps|problem talking to service rewrite: "
TROUBLE = re.compile(rf" (?:warning: (?!{HARMLESS})|(?:error|fatal|panic): )|"
                     r"status=(?:deferred|bounced)|NOQUEUE|table lookup problem|: reject: ")


class Tables:
    """The tables, and who builds them again and again."""

    def __init__(self, pair, far_port):
        self.pair, self.far_port = pair, far_port
        self.home = pair.home / "tables"
        self.generation = 0
        self.failure = None
        self.enough = threading.Event()
        for kind in (*KEYED, "cidr"):
            (self.home / kind).mkdir(parents=True)
        for kind in PATTERNS:
            for use in (*delivery.BUILT_USES, "header", "body"):
                (self.home / kind / use).write_text(
                    delivery.rules(use, kind, COUNT, far_port, 0))
        for use, text in delivery.NETWORKS.items():
            (self.home / "cidr" / use).write_text(text)
        self.build()

    def build(self):
        """All of them, by one call for each type; those of aliases by another."""
        for kind in BUILT:
            for use in delivery.BUILT_USES:
                (self.home / kind / use).write_text(
                    delivery.source(use, kind, COUNT, self.far_port, self.generation))
            others = [f"{kind}:{self.home / kind / use}"
                      for use in delivery.BUILT_USES if use != "alias"]
            for words in ["--aliases", f"{kind}:{self.home / kind / 'alias'}"], others:
                done = subprocess.run([os.environ["DICTUM"], "build", *words], env=self.pair.ours.env,
                                      capture_output=True, check=False, timeout=PATIENCE)
                same((done.returncode, done.stderr), (0, b""), f"build of {words}")

    def build_on(self):
        try:
            while not self.enough.is_set():
                self.generation += 1
                self.build()
        except Exception as failure:  # told by whoever waits for it
            self.failure = failure

    def get(self, kind, use, key):
        """@return our own answer"""
        done = subprocess.run([os.environ["DICTUM"], "get", f"{kind}:{self.home / kind / use}", key],
                              env=self.pair.ours.env, capture_output=True, check=False)
        same(done.returncode, 0, f"{kind} {use}: {key}: {done.stderr!r}")
        return done.stdout.decode().rstrip("\n")


class World:
    """A mail system with its tables and mailboxes; a `with` statement starts and stops it."""

    def __init__(self, pair):
        self.pair = pair
        port = far_port = free_port(*delivery.CLIENTS)
        while far_port == port:  # one that was let go may come again
            far_port = free_port(*delivery.CLIENTS)
        self.tables = Tables(pair, far_port)
        nobody = pwd.getpwnam("nobody")
        for box in delivery.boxes():
            folder = pair.home / "mail" / box
            folder.mkdir(parents=True)
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.postfix = Postfix(pair.home, port, delivery.main_cf(nobody.pw_uid),
                               delivery.master_cf(port, far_port))
        self.builder = threading.Thread(target=self.tables.build_on)
        self.generations = {kind: set() for kind in BUILT}  # that have been seen in messages

    def __enter__(self):
        self.postfix.__enter__()
        self.builder.start()
        return self

    def __exit__(self, *_):
        self.tables.enough.set()
        self.builder.join()
        self.postfix.stop()

    def session(self, client):
        smtp = smtplib.SMTP(client, self.postfix.port, timeout=PATIENCE)
        smtp.ehlo("client.example")
        return smtp

    def send(self, letters):
        """In one session."""
        with self.session(letters[0].client) as smtp:
            for letter in letters:
                smtp.sendmail("sender@example.org", [letter.recipient], letter.text())

    def arrived(self):
        return [path for box in delivery.boxes()
                for path in (self.pair.home / "mail" / box / "all/new").glob("*")]

    def trouble(self):
        return [line for line in self.postfix.whole_log().splitlines() if TROUBLE.search(line)]

    def await_mail(self, count):
        """Until all have come, or none comes any more."""
        seen, until = -1, 0
        while len(arrived := self.arrived()) < count:
            if len(arrived) != seen:
                seen, until = len(arrived), time.monotonic() + PATIENCE
            check(time.monotonic() < until and not self.trouble(),
                  f"{seen} of {count} messages: {self.trouble()[:5] or self.postfix.log()}")
            time.sleep(0.05)  # until there is news
        return arrived


def by_session(letters):
    for client in delivery.CLIENTS:
        own = [letter for letter in letters if letter.client == client]
        yield from (own[i:i + A_SESSION] for i in range(0, len(own), A_SESSION))


def send_while_building(world, letters):
    sessions = list(by_session(letters))
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as senders:
        try:
            for done in [senders.submit(world.send, session) for session in sessions]:
                done.result()
        except OSError as failure:  # the others would wait in vain
            senders.shutdown(cancel_futures=True)
            check(False, f"{failure}: {world.trouble()[:5] or world.postfix.log()}")


def has_arrived(world, letter, path):
    """In the right mailbox, for the right address, as each table has it."""
    same(path.parents[2].name, letter.box, f"mailbox of {letter.name}")
    message = email.message_from_bytes(path.read_bytes())
    same(message["Delivered-To"], letter.arrives_for, f"recipient of {letter.name}")
    for head, kinds, about in (("Client", (*KEYED, "cidr"), letter.client),
                               ("Recipient", KEYED, letter.recipient)):
        for kind in kinds:
            value = message[f"X-{head}-{kind}"] or ""
            told, _, generation = value.partition(" generation ")
            same(told, about, f"{letter.name}: access by {head} in {kind}")
            most = world.tables.generation if kind in BUILT else 0
            check(0 <= int(generation) <= most, f"{letter.name}: {value}")
            world.generations.get(kind, set()).add(int(generation))
    lines = message.get_payload().splitlines()
    for kind in PATTERNS:
        same(f"REPLACE X-Seen-{kind}: {message[f'X-Seen-{kind}']}",
             world.tables.get(kind, "header", f"X-Token-{kind}: {letter.number}")
             if letter.number < 2 else f"REPLACE X-Seen-{kind}: <{letter.number}>",
             f"{letter.name}: header")
        check(f"seen {kind} <{letter.number}>" in lines, f"{letter.name}: body {lines}")
        check(f"token {kind}" not in message.get_payload(), f"{letter.name}: body {lines}")


def delivered(world):
    """Each message once, and as all tables say, whatever is built meanwhile."""
    letters = delivery.letters(COUNT)
    sent = {}
    while not sent or world.tables.generation <= BUILDS:
        check(world.tables.failure is None, f"builder: {world.tables.failure}")
        send_while_building(world, letters)
        for letter in letters:
            sent[letter.name] = sent.get(letter.name, 0) + 1
        arrived = world.await_mail(sum(sent.values()))
    named = {letter.name: letter for letter in letters}
    came = {}
    for path in arrived:
        name = email.message_from_bytes(path.read_bytes())["Subject"]
        came[name] = came.get(name, 0) + 1
        has_arrived(world, named[name], path)
    same(came, sent, "how often each came")
    same(world.trouble(), [], "trouble in the log")
    print(f"# {len(arrived)} messages, {world.tables.generation} builds of "
          f"{len(BUILT) * len(delivery.BUILT_USES)} tables, "
          f"{world.postfix.whole_log().count('has changed -- restarting')} restarts")


def noticed(world):
    """Each type's new tables were taken up in between: otherwise nothing has been shown."""
    for kind, seen in world.generations.items():
        check(len(seen) > BUILDS // 2, f"{kind}: only generations {seen}")


def refusals(world):
    """Tables may refuse, too, and say so in the newest words."""
    world.tables.enough.set()
    world.builder.join()
    last = world.tables.generation
    for client in delivery.CLIENTS:
        with world.session(client) as smtp:
            for kind in KEYED:
                smtp.mail("sender@example.org")
                code, text = smtp.rcpt(delivery.refused(kind))
                same(code, 554, f"{kind}: {text}")
                generation = last if kind in BUILT else 0
                check(text.endswith(b": %s generation %d" % (kind.encode(), generation)), text)
                smtp.rset()
            for kind in PATTERNS:
                for part, form in ("header", "X-Refuse: {}\r\n\r\n"), ("body", "\r\nrefuse {}\r\n"):
                    try:
                        smtp.sendmail("sender@example.org", ["a@box.example"], form.format(kind))
                    except smtplib.SMTPDataError as refusal:
                        same(refusal.smtp_error.decode().split()[1:], [part, kind], "refusal")
                        continue
                    check(False, f"{part} {kind} was not refused")


def keywords(world):
    """What is announced depends on a cidr table."""
    for client, hidden, shown in ("127.0.0.1", "etrn", "vrfy"), ("::1", "vrfy", "etrn"):
        with world.session(client) as smtp:
            check(smtp.has_extn(shown) and not smtp.has_extn(hidden), smtp.esmtp_features)
        same(world.tables.get("cidr", "keywords", client), hidden, "our own answer")


def cases(world):
    yield "each message arrives as the tables say, while they are built", lambda: delivered(world)
    yield "new tables were taken up meanwhile", lambda: noticed(world)
    yield "refusals come from the newest tables", lambda: refusals(world)
    yield "what a server announces", lambda: keywords(world)


if __name__ == "__main__":
    require(THEIR_POSTMAP, "/usr/sbin/postconf")
    require_that(os.geteuid() == 0, "Postfix can only be started by root")
    with Pair() as PAIR, World(PAIR) as WORLD:
        run(cases(WORLD))
