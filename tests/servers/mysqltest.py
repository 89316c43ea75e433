# SPDX-License-Identifier: BSD-2-Clause
"""mysqltest.py - what tests of mysql tables share: a database, and questions to it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import sqltest  # noqa: E402
from mariadb import programs  # noqa: E402

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


class Bench(sqltest.Bench):
    TYPE, SERVER = "mysql", "mariadbd"
    programs = staticmethod(programs)


def clients(server):
    """The ids of the sessions of tables, as text."""
    return server.sql("SELECT id FROM information_schema.processlist WHERE user = 'dictum' "
                      "ORDER BY id").split()


def pairs_file(bench):
    return sqltest.pairs_file(bench, ENTRIES, DOMAINS)
