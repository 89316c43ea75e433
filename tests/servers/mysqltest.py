# SPDX-License-Identifier: BSD-2-Clause
"""mysqltest.py - what tests of mysql tables share: a database, and a folder with settings files."""

import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from asker import Asker  # noqa: E402
from mariadb import programs  # noqa: E402
from tap import Fault, check, require  # noqa: E402

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what stops the servers

SLACK = 2500  # milliseconds by which a call may miss its deadline, on a busy machine
ENTRIES = 2000
DOMAINS = 100
KEY, VALUE = "user1@d1.example", "box1@mail.example"
ALIAS = "SELECT goto FROM alias WHERE address='%s' AND active = 1"

SCHEMA = rf"""
CREATE TABLE alias (address varchar(255) PRIMARY KEY, goto text NOT NULL,
                    domain varchar(255) NOT NULL, active tinyint NOT NULL DEFAULT 1);
CREATE TABLE member (list varchar(255) NOT NULL, place integer NOT NULL, address text,
                     PRIMARY KEY (list, place));
CREATE TABLE number (id integer PRIMARY KEY, value text);
INSERT INTO alias SELECT CONCAT('user', seq, '@d', seq % {DOMAINS}, '.example'),
  CONCAT('box', seq, '@mail.example'), CONCAT('d', seq % {DOMAINS}, '.example'), seq % 10 <> 0
  FROM seq_1_to_{ENTRIES};
INSERT INTO member SELECT CONCAT('list', l.seq, '@d', l.seq, '.example'), p.seq,
  CONCAT('box', l.seq * 10 + p.seq, '@mail.example') FROM seq_1_to_50 l, seq_1_to_5 p;
INSERT INTO number VALUES (1, 'one');
INSERT INTO alias (address, goto, domain) VALUES
  ('o''brien@d1.example', 'quoted@mail.example', 'd1.example'),
  ('back\\slash@d1.example', 'backslash@mail.example', 'd1.example'),
  ('per%cent@d1.example', 'percent@mail.example', 'd1.example'),
  ('under_score@d1.example', 'underscore@mail.example', 'd1.example'),
  ('"quoted"@d1.example', 'doublequoted@mail.example', 'd1.example'),
  ('a--b@d1.example', 'comment@mail.example', 'd1.example'),
  ('empty@d1.example', '', 'd1.example'), ('zoë@d1.example', 'zoë@mail.example', 'd1.example');
DELIMITER //
CREATE PROCEDURE lookup(IN wanted varchar(255)) READS SQL DATA
  SELECT goto FROM alias WHERE address = wanted //
CREATE PROCEDURE twice(IN wanted varchar(255)) READS SQL DATA
  BEGIN SELECT 1; SELECT wanted; END //
CREATE PROCEDURE silent(IN wanted varchar(255)) BEGIN SET @nothing = 1; END //
CREATE FUNCTION fail(number integer) RETURNS text DETERMINISTIC
  BEGIN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = number, MESSAGE_TEXT = 'made up';
  RETURN ''; END //
DELIMITER ;
"""


def settings(server, query, **more):
    """The text of a settings file for `query` on the server `server`."""
    lines = {"hosts": f"127.0.0.1:{server.port}", "user": "dictum", "dbname": "mail",
             "query": query} | more
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)


class Bench:
    """A folder for settings files; a `with` statement removes it."""

    def __init__(self):
        if not programs():
            require("mariadbd")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dictum-mysql-"))
        self.home.chmod(0o755)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def file(self, name, text, mode=0o644):
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def spec(self, server, query, **more):
        """A new table."""
        self.count += 1
        return f"mysql:{self.file(f'table{self.count}.cf', settings(server, query, **more))}"

    def ask(self, server, query, key="key", env=None, ms=5000, **more):
        """One question by a new program. @return its answer"""
        with Asker(**(env or {})) as asker:
            answer = asker.open(self.spec(server, query, **more))
            if answer.status != "ok":
                return answer
            asker.timeout(ms)
            return asker.get(key)


def expect(answer, status, text="", what=""):
    if answer.status != status or text not in answer.text:
        raise Fault(f"{what}: got {answer}, expected {status} with {text!r}")


def within(answer, ms):
    check(answer.ms < ms + SLACK, f"it took {answer.ms} ms, not {ms}")


def eventually(test, what, patience=20):
    end = time.monotonic() + patience
    while not test():
        check(time.monotonic() < end, what)
        time.sleep(0.05)


def clients(server):
    """The ids of the sessions of tables, as text."""
    return server.sql("SELECT id FROM information_schema.processlist WHERE user = 'dictum' "
                      "ORDER BY id").split()


def pairs_file(bench):
    """Lines "key<TAB>value" as the database has them, and keys that are not there."""
    lines = [f"user{i}@d{i % DOMAINS}.example\tbox{i}@mail.example"
             for i in range(1, ENTRIES) if i % 10]
    lines += [f"nobody{i}@d{i}.example" for i in range(ENTRIES // 4)]
    return bench.file("pairs", "".join(f"{line}\n" for line in lines))
