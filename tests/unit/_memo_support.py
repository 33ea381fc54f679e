"""What the tests of memo share."""

from holdall import FileDirStore, MemoryStore, memoize
from holdall.memo import MEMORY

PLACES = {
    "memory": lambda path: MEMORY,
    "dict": lambda path: {},
    "folder": lambda path: path / "kept",
    "database": lambda path: path / "kept.db",
    "json": lambda path: FileDirStore(path / "json", serializer="json"),
    "tuples": lambda path: FileDirStore(path / "tuples", keys=tuple),
    "store": lambda path: MemoryStore(serializer="pickle"),
}


class Calls(list):
    def function(self, x, y=0):
        self.append((x, y))
        return x + y


def counted(place=MEMORY, **options):
    calls = Calls()

    @memoize(place, name="counted", **options)
    def f(x, y=0):
        return calls.function(x, y)

    return f, calls
