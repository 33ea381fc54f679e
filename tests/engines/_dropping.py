"""Proxies that lose answers."""

import contextlib
import socket
import threading


class Dropping:
    """A proxy on loopback that ends some connections when the answer is on its way."""

    def __init__(self, port, every):
        self.port, self.every, self.answers = port, every, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __str__(self):
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.threads[0].join()
        self.listening.close()
        for thread in self.threads:
            thread.join(60)

    def _accept(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            thread = threading.Thread(target=self._serve, args=(client, server))
            self.threads.append(thread)
            thread.start()

    def _serve(self, client, server):
        with client, server:
            back = threading.Thread(target=self._answer, args=(server, client))
            back.start()
            while data := _received(client):
                try:
                    server.sendall(data)
                except OSError:
                    break
            _end(server)
            back.join()

    def _answer(self, server, client):
        while data := _received(server):
            self.answers += 1
            if self.answers % self.every == 0:
                break
            try:
                client.sendall(data)
            except OSError:
                break
        _end(client)
        _end(server)


class Silent(Dropping):
    """A proxy on loopback that can keep all answers to itself, and no connection ends."""

    def __init__(self, port, *, silent):
        self.silent = silent
        super().__init__(port, every=1)

    def _answer(self, server, client):
        while data := _received(server):
            if not self.silent:
                with contextlib.suppress(OSError):
                    client.sendall(data)


def _received(side):
    try:
        return side.recv(65536)
    except OSError:
        return b""


def _end(side):
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
