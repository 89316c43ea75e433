# SPDX-License-Identifier: BSD-2-Clause
"""pgsqltest.py - what tests of pgsql tables share."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import sqltest  # noqa: E402
from mailschema import DOMAINS  # noqa: E402
from postgres import programs  # noqa: E402


class Bench(sqltest.Bench):
    TYPE, SERVER = "pgsql", "postgres"
    programs = staticmethod(programs)


def clients(server):
    """How many sessions of tables the server has."""
    return int(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dictum'"))


def pairs_file(bench, n):
    return sqltest.pairs_file(bench, n, DOMAINS)
