# SPDX-License-Identifier: BSD-2-Clause
"""mongotest.py - what tests of mongodb tables share: documents, and a folder with settings files."""

import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from asker import Asker  # noqa: E402
from bson import Oid  # noqa: E402
from mongod import Mongod  # noqa: E402
from tap import Fault, check  # noqa: E402

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what stops the servers

SLACK = 2500  # milliseconds by which a call may miss its deadline, on a busy machine
ENTRIES = 2000
KEY, VALUE = "user1@d1.example", "box1@mail.example"
ALIAS = {"address": "%s", "active": 1}


def users():
    return [{"_id": Oid(i.to_bytes(12, "big")), "address": f"user{i}@d{i % 100}.example",
             "goto": f"box{i}@mail.example", "active": int(i % 10 != 0)}
            for i in range(1, ENTRIES + 1)]


class Bench:
    """A folder for servers and settings files; a `with` statement removes it."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dictum-mongodb-"))
        self.home.chmod(0o755)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def server(self, documents=None, **more):
        self.count += 1
        return Mongod(self.home / f"server{self.count}", {"mail.users": documents or users()},
                      **more)

    def file(self, name, text, mode=0o644):
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def spec(self, server, query, mode=0o644, **more):
        """A new table. A setting that is None is left out."""
        self.count += 1
        lines = {"uri": server if isinstance(server, str) else server.uri, "dbname": "mail",
                 "collection": "users",
                 "query_filter": query if isinstance(query, str) else json.dumps(query)} | more
        text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
        return f"mongodb:{self.file(f'table{self.count}.cf', text, mode)}"

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


def pairs_file(bench):
    """Lines "key<TAB>value" as the server has them, and keys that are not there."""
    lines = [f"{one['address']}\t{one['goto']}" for one in users() if one["active"]]
    lines += [f"nobody{i}@d{i}.example" for i in range(ENTRIES // 4)]
    return bench.file("pairs", "".join(f"{line}\n" for line in lines))
