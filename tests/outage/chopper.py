# SPDX-License-Identifier: BSD-2-Clause
"""chopper.py - stands between a client and a server, and cuts connections in mid-reply."""

import contextlib
import random
import selectors
import socket
import struct
import threading


class Chopper:
    """Passes bytes both ways, from a port of its own to `port`. While `chop` is set, a connection
    is reset after some of the bytes of a reply."""

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.chop = False
        self.chopped = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(self.server)
        except OSError:
            client.close()
            return
        with client, server, contextlib.suppress(OSError):
            self.pass_bytes(client, server)

    def pass_bytes(self, client, server):
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for sock in other:
                ready.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if self.chop and key.fileobj is server and len(data) > 1:
                        client.sendall(data[:random.randrange(1, len(data))])
                        self.reset(client)
                        return
                    other[key.fileobj].sendall(data)

    def reset(self, client):
        """Closes with RST instead of FIN."""
        self.chopped += 1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
