# SPDX-License-Identifier: BSD-2-Clause
"""mailschema.py - a database as PostfixAdmin keeps one, and the tables that ask it."""

ENTRIES = 100_000
DOMAINS = 1000

SCHEMA = """
CREATE TABLE domain (domain varchar(255) PRIMARY KEY, active boolean NOT NULL DEFAULT true);
CREATE TABLE alias (address varchar(255) PRIMARY KEY, goto text NOT NULL,
                    domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY,
                           target_domain varchar(255) NOT NULL,
                           active boolean NOT NULL DEFAULT true);
CREATE TABLE mailbox (username varchar(255) PRIMARY KEY, maildir varchar(255) NOT NULL,
                      quota bigint NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE TABLE member (list varchar(255) NOT NULL, place integer NOT NULL, address text,
                     PRIMARY KEY (list, place));
INSERT INTO domain SELECT 'd' || i || '.example', i % 10 <> 0 FROM generate_series(0, {last}) i;
INSERT INTO alias SELECT 'user' || i || '@d' || i % {domains} || '.example',
  'box' || i || '@mail.example', 'd' || i % {domains} || '.example', i % 10 <> 0
  FROM generate_series(1, {entries}) i;
INSERT INTO alias_domain SELECT 'other' || i || '.example', 'd' || i || '.example'
  FROM generate_series(0, {last}) i;
INSERT INTO mailbox SELECT 'user' || i || '@d' || i % {domains} || '.example',
  'd' || i % {domains} || '.example/user' || i || '/', i * 1000
  FROM generate_series(1, {entries}) i;
INSERT INTO member SELECT 'list' || i || '@d' || i % {domains} || '.example', j,
  'box' || i * 10 + j || '@mail.example' FROM generate_series(1, {lists}) i,
  generate_series(1, 5) j;
INSERT INTO alias VALUES ('o''brien@d1.example', 'quoted@mail.example', 'd1.example'),
  ('back\\slash@d1.example', 'backslash@mail.example', 'd1.example'),
  ('per%cent@d1.example', 'percent@mail.example', 'd1.example'),
  ('under_score@d1.example', 'underscore@mail.example', 'd1.example'),
  ('two words@d1.example', 'space@mail.example', 'd1.example'),
  ('$1@d1.example', 'dollar@mail.example', 'd1.example'),
  ('"quoted"@d1.example', 'doublequoted@mail.example', 'd1.example'),
  ('a--b@d1.example', 'comment@mail.example', 'd1.example'),
  ('empty@d1.example', '', 'd1.example');
ANALYZE;
"""

# As in PostfixAdmin's manual, and some others; each must give the same here and there.
QUERIES = {
    "alias": "SELECT goto FROM alias WHERE address='%s' AND active = true",
    "domain": "SELECT domain FROM domain WHERE domain='%d' AND active = '1'",
    "alias-domain": "SELECT goto FROM alias,alias_domain WHERE alias_domain.alias_domain = '%d' AND "
                    "alias.address = '%u' || '@' || alias_domain.target_domain AND alias.active = "
                    "true AND alias_domain.active='1'",
    "alias-domain-concat": "SELECT goto FROM alias, alias_domain WHERE alias_domain.alias_domain = "
                           "'%d' AND alias.address = CONCAT('%u', '@', alias_domain.target_domain) "
                           "AND alias.active",
    "mailbox": "SELECT maildir FROM mailbox WHERE username='%s' AND active = true",
    "quota": "SELECT quota FROM mailbox WHERE username='%s' AND active = '1'",
    "members": "SELECT address FROM member WHERE list = '%s' ORDER BY place",
    "columns": "SELECT domain, goto FROM alias WHERE address = '%u@%d'",
    "echo": "SELECT '%s', '%u'",
    "labels": "SELECT '%2.%1'::varchar(12)",
    "constants": "SELECT CASE WHEN '%s' LIKE '%%@%%' THEN 'address' ELSE 'name' END",
    "escape-string": "SELECT goto FROM alias WHERE address = E'%s'",
    "dollars": "SELECT goto FROM alias WHERE address = $$%s$$",
    "union": "SELECT goto FROM alias WHERE address = '%s' UNION ALL SELECT maildir FROM mailbox "
             "WHERE username = '%s'",
    "function": "SELECT upper('%u'), length('%s')",
    "typed-literal": "SELECT text '%s'",
    "comment": "SELECT goto /* for '%s' */ FROM alias WHERE address = '%s' -- and '%u'",
    "several": "SELECT 1; SELECT goto FROM alias WHERE address = '%s'",
    "update": "UPDATE alias SET goto = goto WHERE address = '%s'",
}
FORMATS = {"members": "<%s>", "columns": "%S:%s", "mailbox": "/var/mail/%s"}


def schema(entries=ENTRIES, domains=DOMAINS):
    return SCHEMA.format(entries=entries, domains=domains, last=domains - 1,
                         lists=max(1, entries // 100))


def settings(server, query, **more):
    """The text of a settings file for `query` on the server `server`."""
    lines = {"hosts": f"127.0.0.1:{server.port}", "user": "dictum", "dbname": "mail",
             "query": query} | more
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
