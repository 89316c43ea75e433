#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mongod.py start FOLDER | stop FOLDER | serve FOLDER - something that speaks as a MongoDB server.

Debian has no MongoDB server. This one speaks its wire protocol, as
https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ and the specifications for
drivers describe it: the handshake, by OP_QUERY and by OP_MSG; logging in with SCRAM-SHA-256; find,
getMore and killCursors, over the documents that it was given (mongoquery.py). No byte of it was
recorded from MongoDB's own server.

A filter {"fault": "..."} makes it fail in a way of its own; see `faults`.

As a program: `start` starts one with a few documents for "dictum test-plugin" on a free port of the
loopback interface, and prints shell variables: MONGO_URI and MONGO_PID.

As a module: the class Mongod, whose server is a process, so that it may be killed and stopped
short. FOLDER/log has a line for each filter that it was asked for.
"""

import base64
import collections
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bson  # noqa: E402
from bson import Code, Date, Int64, Oid, Raw, Regex, Timestamp  # noqa: E402
from mongoquery import QueryError, matches, project  # noqa: E402

PATIENCE = 20  # seconds, until a server that does not answer has failed
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
ITERATIONS = 4096


# ---- documents in files, which are JSON ----------------------------------------------------------


def to_plain(value):
    """What JSON has no word for."""
    for kind in (Oid, Raw, bytes):
        if isinstance(value, kind):
            return {f"${kind.__name__}": value.hex()}
    if isinstance(value, (Int64, Date, Timestamp)):
        return {f"${type(value).__name__}": int(value)}
    if isinstance(value, Regex):
        return {"$Regex": list(value)}
    if isinstance(value, Code):
        return {"$Code": str(value)}
    if isinstance(value, dict):
        return {name: to_plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [to_plain(one) for one in value]
    return value


def from_plain(value):
    if isinstance(value, list):
        return [from_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    for kind in (Oid, Raw, bytes):
        if list(value) == [f"${kind.__name__}"]:
            return kind(bytes.fromhex(value[f"${kind.__name__}"]))
    for kind in (Int64, Date, Timestamp, Regex, Code):
        if list(value) == [f"${kind.__name__}"]:
            return kind(value[f"${kind.__name__}"])
    return {name: from_plain(one) for name, one in value.items()}


# ---- messages ------------------------------------------------------------------------------------


class Gone(Exception):
    """The connection has ended, or is to."""


def read_exactly(conn, size):
    data = b""
    while len(data) < size:
        more = conn.recv(min(size - len(data), 1 << 16))
        if not more:
            raise Gone
        data += more
    return data


def read_message(conn):
    """@return the number of the request, its kind, the command"""
    size, request, _, op = struct.unpack("<iiii", read_exactly(conn, 16))
    body = read_exactly(conn, size - 16)
    if op == OP_QUERY:
        end = body.index(b"\0", 4)
        return request, op, bson.decode(body[end + 9:])
    if op == OP_MSG and body[4] == 0:
        return request, op, bson.decode(body[5:])
    raise Gone


def pack(op, to, body, size=None):
    """@param size  what it says that it is"""
    return struct.pack("<iiii", size or len(body) + 16, 1, to, op) + body


def pack_reply(op, to, document):
    data = document if isinstance(document, bytes) else bson.encode(document)
    if op == OP_QUERY:
        return pack(OP_REPLY, to, struct.pack("<iqii", 8, 0, 0, 1) + data)
    return pack(OP_MSG, to, struct.pack("<ib", 0, 0) + data)


def batch(documents, namespace, cursor=0, name="firstBatch"):
    return {"cursor": {name: documents, "id": Int64(cursor), "ns": namespace}, "ok": 1.0}


def error(code, text, name="Made"):
    return {"ok": 0.0, "errmsg": text, "code": code, "codeName": name}


# ---- what goes wrong on purpose --------------------------------------------------------------------
# {"fault": "WORDS"}: each of these is given the session, the reply that would be right, packed, and
# the words behind its name. It sends what it likes.


def f_error(session, _, words):
    """error NUMBER"""
    session.answer(error(int(words), "made up"))


def f_close(session, _good, _words):
    raise Gone


def f_reset(session, good, _):
    """In the middle of an answer."""
    session.conn.sendall(good[:len(good) // 2])
    session.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    session.conn.close()
    raise Gone


def f_half(session, good, _):
    session.conn.sendall(good[:len(good) // 2])
    raise Gone


def f_silent(session, good, words):
    """silent SECONDS"""
    time.sleep(float(words))
    session.conn.sendall(good)


def f_slow(session, good, words):
    """slow SECONDS: a byte each"""
    for at in range(len(good)):
        session.conn.sendall(good[at:at + 1])
        time.sleep(float(words))


def f_message(session, _, words):
    """message HEX: right behind the header"""
    session.conn.sendall(pack(OP_MSG, session.request, bytes.fromhex(words)))


def f_bytes(session, _, words):
    """bytes HEX: in place of a message"""
    session.conn.sendall(bytes.fromhex(words))


def f_size(session, good, words):
    """size NUMBER: a message that says it is as long"""
    session.conn.sendall(struct.pack("<i", int(words)) + good[4:])


def f_cut(session, good, words):
    """cut NUMBER: as many bytes of the right answer, with a header that is right for them"""
    body = good[16:16 + int(words)]
    session.conn.sendall(pack(OP_MSG, session.request, body))


def f_flip(session, good, words):
    """flip PLACE BYTE: a byte behind the header is another one"""
    place, byte = map(int, words.split())
    body = bytearray(good[16:])
    body[place % len(body)] = byte
    session.conn.sendall(pack(OP_MSG, session.request, bytes(body)))


def f_once(session, good, words):
    """once NAME: the connection ends the first time"""
    if words not in session.server.seen:
        session.server.seen.add(words)
        raise Gone
    session.conn.sendall(good)


def f_nest(session, _, words):
    """nest DEPTH: arrays in arrays"""
    depth, core = int(words), bson.encode({"0": "deep"})
    around = 8  # bytes that an array adds to one inside of it
    nested = b"".join(struct.pack("<i", len(core) + around * n) + b"\x040\0"
                      for n in range(depth - 1, 0, -1)) + core + b"\0" * (depth - 1)
    session.answer(batch([{"value": Raw(b"\4" + nested)}], "mail.users"))


SHAPES = (
    {"ok": 1.0}, {"cursor": 5, "ok": 1.0}, {"cursor": {}, "ok": 1.0},
    {"cursor": {"firstBatch": [], "ns": "mail.users"}, "ok": 1.0},
    {"cursor": {"id": "x", "firstBatch": []}, "ok": 1.0},
    {"cursor": {"id": 0, "firstBatch": "x"}, "ok": 1.0},
    {"cursor": {"id": 0, "firstBatch": {}}, "ok": 1.0},
    {"cursor": {"id": 0, "firstBatch": ["x"]}, "ok": 1.0},
    {"cursor": {"id": 0, "firstBatch": [{"a": "x"}, 7]}, "ok": 1.0},
    {"cursor": {"id": 0, "nextBatch": [{"a": "x"}]}, "ok": 1.0},
    {"cursor": [{"id": 0, "firstBatch": []}], "ok": 1.0}, {},
)


def f_shape(session, _, words):
    """shape NUMBER: an answer that is none"""
    session.answer(SHAPES[int(words)])


ENDLESS = 77


def f_endless(session, _good, _words):
    """There is always more to come, which is nothing."""
    session.cursors[ENDLESS] = ("mail.users", None)
    session.answer(batch([], "mail.users", ENDLESS))


faults = {name[2:]: function for name, function in globals().items() if name.startswith("f_")}


# ---- one connection ------------------------------------------------------------------------------


class Session:
    def __init__(self, server, conn):
        self.server = server
        self.conn = conn
        self.number = next(server.numbers)
        self.cursors = {}
        self.known = server.user is None
        self.login = None
        self.request = self.op = None

    def run(self):
        while True:
            self.request, self.op, command = read_message(self.conn)
            name = next(iter(command))
            handler = getattr(self, f"do_{name.lower()}", None)
            if handler is None:
                self.answer(error(59, f"no such command: '{name}'", "CommandNotFound"))
            else:
                handler(command)

    def answer(self, document):
        if "setName" in self.server.more:  # a member of a set tells the time
            now = Timestamp(int(time.time()) << 32 | 1)
            signature = {"hash": b"\0" * 20, "keyId": Int64(0)}
            document = document | {"$clusterTime": {"clusterTime": now, "signature": signature},
                                   "operationTime": now}
        self.conn.sendall(pack_reply(self.op, self.request, document))

    # ---- the handshake ---------------------------------------------------------------------------

    def do_hello(self, command):
        reply = {"helloOk": True, "ismaster": True, "isWritablePrimary": True}
        reply |= {"maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
                  "maxWriteBatchSize": 100000, "localTime": Date(time.time() * 1000),
                  "logicalSessionTimeoutMinutes": 30, "connectionId": self.number,
                  "minWireVersion": 0, "maxWireVersion": 17, "readOnly": False}
        reply |= self.server.more
        if "saslSupportedMechs" in command:
            reply["saslSupportedMechs"] = ["SCRAM-SHA-256"]
        self.answer(reply | {"ok": 1.0})

    do_ismaster = do_hello

    def do_ping(self, _):
        self.answer({"ok": 1.0})

    def do_endsessions(self, _):
        self.server.note("good-bye")
        self.answer({"ok": 1.0})

    # ---- logging in: RFC 7677 --------------------------------------------------------------------

    def do_saslstart(self, command):
        if self.server.user is None:
            self.answer(error(18, "Authentication failed.", "AuthenticationFailed"))
            return
        first = command["payload"].decode()
        bare = first.split(",", 2)[2]
        fields = dict(word.split("=", 1) for word in bare.split(","))
        salt = hashlib.sha256(self.server.user.encode()).digest()[:28]
        nonce = fields["r"] + base64.b64encode(os.urandom(18)).decode()
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"
        self.login = (fields["n"], nonce, salt, f"{bare},{challenge}")
        self.answer({"conversationId": 1, "done": False, "payload": challenge.encode(), "ok": 1.0})

    def do_saslcontinue(self, command):
        if not command["payload"]:
            self.answer({"conversationId": 1, "done": True, "payload": b"", "ok": 1.0})
            return
        user, nonce, salt, message = self.login
        final, _, proof = command["payload"].decode().rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", self.server.password.encode(), salt, ITERATIONS)
        message = f"{message},{final}".encode()

        def sign(key, text):
            return hmac.new(key, text, "sha256").digest()

        key = sign(salted, b"Client Key")
        signature = sign(hashlib.sha256(key).digest(), message)
        right = bytes(a ^ b for a, b in zip(key, signature))
        if user != self.server.user or not final.endswith(f"r={nonce}") or \
                base64.b64decode(proof) != right:
            self.answer(error(18, "Authentication failed.", "AuthenticationFailed"))
            return
        self.known = True
        verifier = base64.b64encode(sign(sign(salted, b"Server Key"), message))
        self.answer({"conversationId": 1, "done": False, "payload": b"v=" + verifier, "ok": 1.0})

    # ---- questions -------------------------------------------------------------------------------

    def do_find(self, command):
        if not self.known:
            self.answer(error(13, "command find requires authentication", "Unauthorized"))
            return
        query = command.get("filter", {})
        self.server.note(json.dumps(to_plain(command)))
        namespace = f"{command['$db']}.{command['find']}"
        try:
            found = [project(one, command.get("projection", {}))
                     for one in self.server.near(namespace, query) if matches(one, query)]
        except QueryError as why:
            self.answer(error(why.code, str(why)))
            return
        fault = query.get("fault")
        if isinstance(fault, str):
            name, _, words = fault.partition(" ")
            good = pack_reply(self.op, self.request, batch([{"value": "good"}], namespace))
            if name in faults:
                faults[name](self, good, words)
            else:
                self.answer(error(2, "no such fault", "BadValue"))
            return
        size = self.server.batch_size
        cursor = 0
        if len(found) > size:
            cursor = next(self.server.numbers)
            self.cursors[cursor] = (namespace, found[size:])
        self.answer(batch(found[:size], namespace, cursor))

    def do_getmore(self, command):
        number = command["getMore"]
        if number not in self.cursors:
            self.answer(error(43, f"cursor id {number} not found", "CursorNotFound"))
            return
        if number == ENDLESS:
            self.answer(batch([], "mail.users", ENDLESS, "nextBatch"))
            return
        namespace, left = self.cursors.pop(number)
        size = self.server.batch_size
        more = number if len(left) > size else 0
        if more:
            self.cursors[number] = (namespace, left[size:])
        self.answer(batch(left[:size], namespace, more, "nextBatch"))

    def do_killcursors(self, command):
        for number in command["cursors"]:
            self.cursors.pop(number, None)
        self.server.note("killCursors")
        self.answer({"cursorsKilled": command["cursors"], "ok": 1.0})


# ---- the server, in a process of its own -----------------------------------------------------------


class Server:
    def __init__(self, folder):
        plan = json.loads((folder / "plan").read_text())
        self.documents = {name: from_plain(list_) for name, list_ in plan["documents"].items()}
        self.by_address = collections.defaultdict(dict)
        for namespace, documents in self.documents.items():
            for one in documents:
                self.by_address[namespace].setdefault(one.get("address"), []).append(one)
        self.user, self.password = plan["user"], plan["password"]
        self.more = from_plain(plan["more"])
        self.batch_size = plan["batch_size"]
        self.numbers = itertools.count(1000)
        self.seen = set()
        self.lock = threading.Lock()
        self.log = open(folder / "log", "a", encoding="utf-8")
        self.tls = None
        if plan["tls"]:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*plan["tls"])
        if plan["unix"]:
            self.sock = socket.socket(socket.AF_UNIX)
            pathlib.Path(plan["unix"]).unlink(missing_ok=True)
            self.sock.bind(plan["unix"])
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in plan["host"] else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((plan["host"], plan["port"]))
        self.sock.listen(128)

    def near(self, namespace, query):
        """Documents of which some may match: with an index, for the sake of speed."""
        address = query.get("address")
        if isinstance(address, str):
            return self.by_address[namespace].get(address, [])
        return self.documents.get(namespace, [])

    def note(self, line):
        with self.lock:
            self.log.write(line + "\n")
            self.log.flush()

    def run(self):
        while True:
            conn, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
        except OSError:
            conn.close()
            return
        self.note("connection")
        try:
            Session(self, conn).run()
        except (Gone, OSError, ValueError):
            pass
        self.note("end")
        conn.close()


# ---- as a module -----------------------------------------------------------------------------------


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Mongod:
    """One server; a `with` statement starts and stops it."""

    def __init__(self, folder, documents, host="127.0.0.1", unix=None, user=None, password=None,
                 tls=None, more=None, batch_size=101):
        """documents: lists by "DATABASE.COLLECTION". unix: a socket's path. tls: two files.
        more: what the handshake says beside the usual."""
        self.folder = pathlib.Path(folder).absolute()
        self.folder.mkdir(exist_ok=True)
        self.port = free_port(host)
        self.unix = unix and str(unix)
        self.process = None
        if unix:
            self.hosts = self.unix.replace("/", "%2F")
        else:
            self.hosts = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.uri = f"mongodb://{self.hosts}/"
        self.plan = {"documents": to_plain(documents), "host": host, "port": self.port,
                     "unix": self.unix, "user": user, "password": password,
                     "tls": tls and [str(path) for path in tls], "more": to_plain(more or {}),
                     "batch_size": batch_size}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, and waits until it listens."""
        (self.folder / "plan").write_text(json.dumps(self.plan))
        (self.folder / "log").touch()
        self.process = subprocess.Popen([sys.executable, "-B", __file__, "serve", self.folder],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        start_new_session=True)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the server does not start")

    def end(self, sig):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(sig)
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        """As a crash does."""
        self.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def hang(self):
        """Returns when it really is stopped."""
        self.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    # ---- what it saw -----------------------------------------------------------------------------

    def lines(self):
        return (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def asked(self):
        """The commands of all questions."""
        return [from_plain(json.loads(line)) for line in self.lines() if line.startswith("{")]

    def sessions(self):
        """How many connections are open."""
        lines = self.lines()
        lines = lines[len(lines) - lines[::-1].index("start"):]
        return lines.count("connection") - lines.count("end")

    def forget(self):
        (self.folder / "log").write_text("start\n")


# ---- as a program ----------------------------------------------------------------------------------


def serve(folder):
    server = Server(folder)
    server.note("start")
    print("ready", flush=True)
    server.run()


def start(folder):
    documents = [{"_id": Oid(i.to_bytes(12, "big")), "address": f"user{i}@example.org",
                  "goto": f"box{i}@mail.example"} for i in range(1, 2001)]
    server = Mongod(folder, {"mail.users": documents})
    server.start()
    (server.folder / "pid").write_text(f"{server.process.pid}\n")
    print(f"MONGO_URI={shlex.quote(server.uri)}")
    print(f"MONGO_PID={server.process.pid}")


def is_ours(pid):
    """The number may be another's by now."""
    try:
        return b"mongod.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop(folder):
    pid = int((folder / "pid").read_text())
    until = time.monotonic() + PATIENCE
    if is_ours(pid):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    while is_ours(pid) and time.monotonic() < until:
        time.sleep(0.01)
    (folder / "pid").unlink()


def main(words):
    commands = {"start": start, "stop": stop, "serve": serve}
    if len(words) != 2 or words[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 64
    commands[words[0]](pathlib.Path(words[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
