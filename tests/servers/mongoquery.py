# SPDX-License-Identifier: BSD-2-Clause
"""mongoquery.py - which documents a filter of MongoDB's finds, and what a projection makes of them.

A part of the query language, as its manual describes it; what is not known raises QueryError, as a
server would refuse it.
"""

import re

from bson import Regex


class QueryError(Exception):
    """What a server answers with an error of number `code`."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


# ---- values ------------------------------------------------------------------------------------


def values_at(document, path):
    """All that a dotted path leads to, through arrays as well."""
    if not path:
        return [document]
    name, _, rest = path.partition(".")
    if isinstance(document, list):
        return [v for one in document if isinstance(one, dict) for v in values_at(one, path)]
    if not isinstance(document, dict) or name not in document:
        return []
    return values_at(document[name], rest)


def candidates(document, path):
    """Those, and what is in the arrays among them."""
    found = values_at(document, path)
    return found + [one for value in found if isinstance(value, list) for one in value]


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(one, other):
    if number(one) and number(other):
        return one == other
    return type(one) is type(other) and one == other


def compile_regex(pattern, options=""):
    try:
        return re.compile(pattern, re.IGNORECASE if "i" in options else 0)
    except re.error as why:
        raise QueryError(51091, f"Regular expression is invalid: {why}") from why


def ordered(one, other):
    return type(one) is type(other) or (number(one) and number(other))


# ---- filters -----------------------------------------------------------------------------------


def one_matches(value, test):
    if isinstance(test, Regex):
        return isinstance(value, str) and compile_regex(*test).search(value) is not None
    return equal(value, test)


OPERATORS = {
    "$eq": lambda found, to: any(equal(v, to) for v in found) or (to is None and not found),
    "$ne": lambda found, to: not any(equal(v, to) for v in found),
    "$gt": lambda found, to: any(ordered(v, to) and v > to for v in found),
    "$gte": lambda found, to: any(ordered(v, to) and v >= to for v in found),
    "$lt": lambda found, to: any(ordered(v, to) and v < to for v in found),
    "$lte": lambda found, to: any(ordered(v, to) and v <= to for v in found),
    "$in": lambda found, to: any(one_matches(v, one) for v in found for one in to),
    "$nin": lambda found, to: not any(one_matches(v, one) for v in found for one in to),
    "$exists": lambda found, to: bool(found) == bool(to),
}


def is_operators(test):
    return isinstance(test, dict) and any(name.startswith("$") for name in test)


def field_matches(document, path, test):
    found = candidates(document, path)
    if not is_operators(test):
        return any(one_matches(v, test) for v in found) or (test is None and not found)
    for name, value in test.items():
        if name == "$not":
            holds = not field_matches(document, path, value)
        elif name == "$elemMatch":
            lists = [v for v in values_at(document, path) if isinstance(v, list)]
            holds = any(isinstance(one, dict) and matches(one, value) for v in lists for one in v)
        elif name in OPERATORS:
            holds = OPERATORS[name](found, value)
        else:
            raise QueryError(2, f"unknown operator: {name}")
        if not holds:
            return False
    return True


def matches(document, query):
    for name, test in query.items():
        if name == "$or":
            holds = any(matches(document, one) for one in test)
        elif name == "$and":
            holds = all(matches(document, one) for one in test)
        elif name == "$nor":
            holds = not any(matches(document, one) for one in test)
        elif name == "$comment":
            holds = True
        elif name == "$expr":
            holds = bool(evaluate(test, document))
        elif name.startswith("$"):
            raise QueryError(2, f"unknown top level operator: {name}")
        else:
            holds = field_matches(document, name, test)
        if not holds:
            return False
    return True


# ---- expressions and projections ---------------------------------------------------------------


def concat(words):
    return None if any(word is None for word in words) else "".join(words)


EXPRESSIONS = {
    "$eq": lambda args: equal(*args),
    "$and": all,
    "$or": any,
    "$concat": concat,
    "$toLower": lambda args: args[0].lower(),
}


def evaluate(expression, document):
    if isinstance(expression, str) and expression.startswith("$"):
        found = values_at(document, expression[1:])
        return found[0] if found else None
    if isinstance(expression, list):
        return [evaluate(one, document) for one in expression]
    if not is_operators(expression):
        return expression
    (name, value), = expression.items()
    if name == "$literal":
        return value
    if name not in EXPRESSIONS:
        raise QueryError(168, f"Unrecognized expression '{name}'")
    args = evaluate(value, document)
    return EXPRESSIONS[name](args if isinstance(args, list) else [args])


def project(document, projection):
    """Whole fields, and computed ones."""
    shown = {n: p for n, p in projection.items() if n != "_id"}
    excludes = bool(shown) and all(p in (0, False) for p in shown.values())
    wants_id = projection.get("_id", 1) not in (0, False)
    out = {}
    for name, value in document.items():
        if name == "_id":
            kept = wants_id
        elif excludes or (not shown and not projection.get("_id")):
            kept = name not in shown
        else:
            kept = any(n.partition(".")[0] == name and number(p) and p for n, p in shown.items())
        if kept:
            out[name] = value
    for name, how in shown.items():
        if isinstance(how, (dict, str)):
            out[name] = evaluate(how, document)
    return out
