# SPDX-License-Identifier: BSD-2-Clause
"""targets.py - how fast each row must at least be, and what we go for."""

from typing import NamedTuple, Optional

from results import shown


class Target(NamedTuple):
    """`faster`: how many times as fast as @p side; `times`: at most so many times what @p side
    takes; `value`: at most so much."""

    what: str
    least: Optional[float]
    aim: Optional[float] = None
    side: str = "theirs"

    def reached(self, results):
        """@return what is compared with the targets, more is better"""
        return results.ratio(self.side) if self.what != "value" else -results.value("ours")

    def bound(self, number):
        return {"faster": number, "times": 1 / number, "value": -number}[self.what]

    def verdict(self, results):
        reached = self.reached(results)
        if self.aim is not None and reached >= self.bound(self.aim):
            return "aim"
        if self.least is None:
            return "below aim"
        return "least" if reached >= self.bound(self.least) else "MISSED"

    def text(self, unit):
        def number(n):
            if n is None:
                return "-"
            if self.what == "value":
                return f"at most {shown(n, unit)}"
            return f"{n:g}" if self.what == "faster" else f"at most {n:g}x"
        return f"{number(self.least)} / {number(self.aim)}"


def faster(least, aim=None):
    return Target("faster", least, aim)


NS = 1e-9
TARGETS = {
    "build-hash": faster(8, 12), "build-btree": faster(6, 12),
    "build-lmdb": faster(4, 5), "build-cdb": faster(12, 18),
    "large-hash": faster(15, 40), "large-btree": faster(7, 14), "large-lmdb": faster(10, 12),
    "query-hash": faster(2.5, 6), "query-btree": faster(2.8, 5), "query-lmdb": faster(2.5, 5),
    "query-cdb": faster(1.9, 4.5), "query-texthash": faster(1.5, 3),
    "cidr-1000": faster(5), "cidr-100000": faster(500),
    "call-cidr-1000": Target("value", None, 200 * NS),
    "call-cidr-100000": Target("value", None, 200 * NS),
    "pgsql": faster(10, 30), "memcache": faster(5, 10),
    "breaker-closed": Target("value", 20 * NS), "breaker-open": Target("value", 1000 * NS),
    "cached-hit": Target("value", 300 * NS), "cached-hit-of-many": Target("value", 300 * NS),
}
for _kind in ("hash", "btree", "lmdb", "cdb"):
    TARGETS[f"cold-{_kind}"] = faster(1.5, 3)
    TARGETS[f"call-{_kind}"] = Target("times", 1.5, 1.2, "raw")
    TARGETS[f"memory-build-{_kind}"] = Target("value", 256)
for _kind in ("hash", "btree"):
    TARGETS[f"call-{_kind}-default"] = TARGETS[f"call-{_kind}"]
for _kind in ("hash", "btree", "lmdb"):
    TARGETS[f"memory-large-{_kind}"] = Target("value", 256)
for _kind in ("hash", "btree", "lmdb", "cdb", "texthash"):
    TARGETS[f"memory-query-{_kind}"] = Target("times", 1.5)
    TARGETS[f"flat-{_kind}"] = Target("times", 1.5, side="tenth")
for _kind in ("hash", "btree", "lmdb", "cdb", "regexp", "pcre", "cidr"):
    TARGETS[f"threads-{_kind}"] = Target("faster", 1.9, 2, "alone")
for _kind in ("regexp", "pcre"):
    for _count, _least, _aim in ((100, 2, 5), (1_000, 10, 50), (10_000, 100, 500)):
        for _what in ("misses", "hits"):
            TARGETS[f"{_kind}-{_count}-{_what}"] = faster(_least, _aim)
for _kind in ("regexp", "pcre", "cidr"):
    TARGETS[f"open-{_kind}"] = faster(1, 3)
