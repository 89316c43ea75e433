# SPDX-License-Identifier: BSD-2-Clause
"""switches.py - fast paths that can be switched off, measured beside the plain path."""

from bench import SUFFIX
from calls import FileCall
from files import Query
from row import Switched
from rules import NETWORKS, Open, Rules

NO_INDEX = "rule_index_after = 0\n"
NOT_UNLOCKED = "lookup_without_lock = no\n"
NOT_IN_ORDER = "lookup_in_file_order = no\n"
ALL_COMPILED = "rule_patterns_wait = no\n"


def ours_only(row, settings=""):
    row.sides = ("ours",)
    row.settings += settings
    return row


def switched(name, row, settings):
    """@param row  makes one"""
    return Switched(name, ours_only(row()), ours_only(row(), settings))


def index_of_rules(kind, count, what, bench):
    return Switched(f"index-{kind}-{count}-{what}", Rules(kind, count, what, bench),
                    Rules(kind, count, what, bench, settings=NO_INDEX))


def switch_rows(bench):
    rows = [index_of_rules(kind, 10_000, "misses", bench) for kind in ("regexp", "pcre")]
    rows += [index_of_rules("cidr", count, "hits", bench) for count in NETWORKS]
    rows += [switched(f"patterns-{kind}", lambda kind=kind: Open(kind, bench), ALL_COMPILED)
             for kind in ("regexp", "pcre")]
    rows += [switched(f"unlocked-{kind}", lambda kind=kind: FileCall(kind, bench), NOT_UNLOCKED)
             for kind in SUFFIX]
    return rows + [switched(f"order-{kind}", lambda kind=kind: Query(kind, bench), NOT_IN_ORDER)
                   for kind in SUFFIX if kind != "cdb"]
