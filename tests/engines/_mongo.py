"""A collection of mongomock behind one lock, which threads and processes ask over a connection.

It is no server of MongoDB, of which none can be had from a registry of packages: it shows that `MongoStore`
sends the right commands, one for each step, and not what a cluster makes of them.
"""

import os
import threading
from multiprocessing.connection import Client, Listener

import mongomock
from pymongo import errors
from pymongo.write_concern import WriteConcern

_KEY = b"tests"
_add_update = mongomock.collection.BulkOperationBuilder.add_update


def _without_sort(self, *args, sort=None, **kwargs):
    """Take the option that newer versions of pymongo send, and none of ours uses."""
    assert sort is None
    return _add_update(self, *args, **kwargs)


mongomock.collection.BulkOperationBuilder.add_update = _without_sort


class Server:
    """Serves collections of one client of mongomock, one command at a time."""

    def __init__(self):
        self.client = mongomock.MongoClient()
        self.lock = threading.Lock()
        self.listener = Listener(("127.0.0.1", 0), backlog=64, authkey=_KEY)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return self.listener.address

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()
            except (OSError, EOFError):
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        while True:
            try:
                name, method, args, kwargs, then = connection.recv()
            except (OSError, EOFError):
                return
            try:
                with self.lock:
                    answer = getattr(self.client["tests"][name], method)(*args, **kwargs)
                    for step, values in then:
                        answer = getattr(answer, step)(*values)
                    if method == "find":
                        answer = list(answer)
                    elif hasattr(answer, "deleted_count") and hasattr(answer, "raw_result"):
                        answer = _Deleted(answer.deleted_count)
                    elif not (answer is None or isinstance(answer, dict)):
                        answer = None
            except errors.BulkWriteError as error:
                connection.send((type(error), (error.details,)))
            except errors.OperationFailure as error:
                connection.send((type(error), (str(error), error.code, error.details)))
            except Exception as error:
                connection.send((type(error), (str(error),)))
            else:
                connection.send((None, answer))

    def stop(self):
        self.listener.close()


class _Deleted:
    def __init__(self, count):
        self.deleted_count = count


class Collection:
    """What a store needs of a collection of pymongo; it goes to other processes."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.full_name = f"tests.{name}"
        self.write_concern = WriteConcern()
        self.chosen = {}
        self._own = {}

    def __reduce__(self):
        return Collection, (self.address, self.name)

    def with_options(self, **chosen):
        other = Collection(self.address, self.name)
        other.chosen, other.write_concern = chosen, chosen["write_concern"]
        return other

    def ask(self, method, args, kwargs, then=()):
        mine = os.getpid(), threading.get_ident()
        connection = self._own.get(mine)
        if connection is None:
            connection = self._own[mine] = Client(self.address, authkey=_KEY)
        connection.send((self.name, method, args, kwargs, then))
        kind, answer = connection.recv()
        if kind is not None:
            raise kind(*answer)
        return answer

    def find(self, *args):
        return _Cursor(self, args, ())

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **kwargs: self.ask(method, args, kwargs)


class _Cursor:
    def __init__(self, collection, args, then):
        self.collection, self.args, self.then = collection, args, then

    def sort(self, *args):
        return _Cursor(self.collection, self.args, (*self.then, ("sort", args)))

    def limit(self, *args):
        return _Cursor(self.collection, self.args, (*self.then, ("limit", args)))

    def __iter__(self):
        return iter(self.collection.ask("find", self.args, {}, self.then))
