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


def switched(name, row, settings):
    """@param row  makes one. Both ways are checked against all of its sides."""
    on, off = row(), row()
    off.settings += settings
    return Switched(name, on, off)


def switch_rows(bench):
    ways = [(f"index-{kind}-10000-misses",
             lambda kind=kind: Rules(kind, 10_000, "misses", bench), NO_INDEX)
            for kind in ("regexp", "pcre")]
    ways += [(f"index-cidr-{count}-hits",
              lambda count=count: Rules("cidr", count, "hits", bench), NO_INDEX)
             for count in NETWORKS]
    ways += [(f"patterns-{kind}", lambda kind=kind: Open(kind, bench), ALL_COMPILED)
             for kind in ("regexp", "pcre")]
    ways += [(f"unlocked-{kind}", lambda kind=kind: FileCall(kind, bench), NOT_UNLOCKED)
             for kind in SUFFIX]
    ways += [(f"order-{kind}", lambda kind=kind: Query(kind, bench), NOT_IN_ORDER)
             for kind in SUFFIX if kind != "cdb"]
    return [switched(*way) for way in ways]
