# SPDX-License-Identifier: BSD-2-Clause
"""mongotest.py - what tests of mongodb tables share: documents, and settings files."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import sqltest  # noqa: E402
from bson import Oid  # noqa: E402
from mongod import Mongod  # noqa: E402

ENTRIES = 2000
KEY, VALUE = "user1@d1.example", "box1@mail.example"
ALIAS = {"address": "%s", "active": 1}


def users():
    return [{"_id": Oid(i.to_bytes(12, "big")), "address": f"user{i}@d{i % 100}.example",
             "goto": f"box{i}@mail.example", "active": int(i % 10 != 0)}
            for i in range(1, ENTRIES + 1)]


class Bench(sqltest.Bench):
    """A folder for servers and settings files; a `with` statement removes it."""

    TYPE = "mongodb"

    @staticmethod
    def programs():
        return [Mongod]  # an emulation, which is always there

    def server(self, documents=None, **more):
        self.count += 1
        return Mongod(self.home / f"server{self.count}", {"mail.users": documents or users()},
                      **more)

    def spec(self, server, query, mode=0o644, **more):
        """A new table. A setting that is None is left out."""
        self.count += 1
        lines = {"uri": server if isinstance(server, str) else server.uri, "dbname": "mail",
                 "collection": "users",
                 "query_filter": query if isinstance(query, str) else json.dumps(query)} | more
        text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
        return f"mongodb:{self.file(f'table{self.count}.cf', text, mode)}"


def pairs_file(bench):
    """Lines "key<TAB>value" as the server has them, and keys that are not there."""
    lines = [f"{one['address']}\t{one['goto']}" for one in users() if one["active"]]
    lines += [f"nobody{i}@d{i}.example" for i in range(ENTRIES // 4)]
    return bench.file("pairs", "".join(f"{line}\n" for line in lines))
