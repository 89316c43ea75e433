# SPDX-License-Identifier: BSD-2-Clause
"""switches.py - fast paths that can be switched off, measured beside the plain path."""

from row import Switched
from rules import NETWORKS, Rules

NO_INDEX = "rule_index_after = 0\n"


def index_of_rules(kind, count, what, bench):
    return Switched(f"index-{kind}-{count}-{what}", Rules(kind, count, what, bench),
                    Rules(kind, count, what, bench, settings=NO_INDEX))


def switch_rows(bench):
    rows = [index_of_rules(kind, 10_000, "misses", bench) for kind in ("regexp", "pcre")]
    return rows + [index_of_rules("cidr", count, "hits", bench) for count in NETWORKS]
