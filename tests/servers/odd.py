# SPDX-License-Identifier: BSD-2-Clause
"""odd.py - servers that are not as they should be, on the loopback interface."""

import socket
import struct
import threading


class Odd:
    """Gives `reply` to the first line of each connection (before it, with `speaks_first`), and then
    ends the connection, or resets it. `received` keeps what came."""

    def __init__(self, reply, reset=False, speaks_first=False):
        self.reply = reply
        self.reset = reset
        self.speaks_first = speaks_first
        self.received = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.setting = f"inet:127.0.0.1:{self.sock.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.close()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            if self.speaks_first:
                conn.sendall(self.reply)
            line = conn.makefile("rb").readline()
            self.received.append(line)
            if not self.speaks_first:
                conn.sendall(self.reply)
            if self.reset:
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                conn.shutdown(socket.SHUT_WR)
                while conn.recv(4096):
                    pass
        except OSError:
            pass
        finally:
            conn.close()


class BlackHole:
    """An address at which nobody ever picks up: its queue of connections is full."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(0)
        self.waiting = []
        self.setting = f"inet:127.0.0.1:{self.sock.getsockname()[1]}"

    def __enter__(self):
        while True:
            caller = socket.socket()
            caller.settimeout(0.3)
            self.waiting.append(caller)
            try:
                caller.connect(self.sock.getsockname())
            except OSError:
                return self

    def __exit__(self, *_):
        for caller in self.waiting:
            caller.close()
        self.sock.close()
