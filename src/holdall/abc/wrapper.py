"""A persister that forwards the whole contract to another."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final

from holdall.abc.capability import Capability, Unary
from holdall.abc.persister import Persister
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import ReadOnlyError

__all__ = ["PersisterWrapper"]


def _read(self: Any, id: str) -> tuple[Any, Stat]:
    """Return data and stat as one snapshot, where a subclass changes one of the two."""
    while True:
        before = self.stat(id)
        data = self[id]
        if self.stat(id).etag == before.etag:
            return data, before


def _put(self: Any, id: str, data: Any) -> None:
    """Store data by the conditional write that a subclass changes."""
    self.write(id, data)


#: What each verb is made of. A subclass that changes one of these verbs, and not the verb itself, gets the
#: verb's default, once, when the class is made; all other verbs forward.
#: ``tests/conformance/test_wrapper_table.py`` compares the table with the defaults.
STANDS_ON: Final[dict[str, frozenset[str]]] = {
    verb: frozenset(names.split())
    for verb, names in {
        "__contains__": "stat",
        "__len__": "__iter__",
        "read": "__getitem__ stat",
        "read_unless": "stat read __getitem__",
        "ids": "__iter__",
        "pages": "ids __iter__",
        "peek": "pages ids __iter__",
        "glance": "stat read __getitem__",
        "scan": "ids stat __iter__",
        "read_many": "__getitem__",
        "contents": "__getitem__ fetch read_many pages ids __iter__",
        "folders": "pages ids __iter__",
        "by_age": "scan ids stat __iter__",
        "fetch": "__getitem__",
        "reader": "__getitem__",
        "getter": "__getitem__",
        "put": "write",
        "discard": "remove",
        "write_many": "put write",
        "write_dated": "write_many put write",
        "write_new": "write",
        "remove_many": "discard remove",
        "clear": "remove_many discard remove __iter__",
    }.items()
}
# The verbs whose default here differs from a persister's.
_OWN: Final[dict[str, Callable[..., Any]]] = {"read": _read, "put": _put}


def _default(verb: str) -> Any:
    return next(vars(cls)[verb] for cls in Persister.__mro__ if verb in vars(cls))


class PersisterWrapper(Persister):
    """A persister that forwards the whole contract to another; override the one verb that changes.

    Parameters
    ----------
    inner
        The persister, or read-only `Reader`, to forward to.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> class Counting(PersisterWrapper):
    ...     reads = 0
    ...     def __getitem__(self, id):
    ...         self.reads += 1
    ...         return self.inner[id]
    >>> counting = Counting(MappingPersister({"a": 1}))
    >>> counting["a"], counting.reads
    (1, 1)
    """

    def __init__(self, inner: Any) -> None:
        self.inner: Any = inner

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        changed = {verb for verb in _FORWARDED if getattr(cls, verb) is not getattr(PersisterWrapper, verb)}
        for verb, names in STANDS_ON.items():
            if verb not in changed and names & changed:
                setattr(cls, verb, _OWN.get(verb) or _default(verb))

    # ------------------------------------------------------------------ facts

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims now."""
        return self.inner.capabilities  # type: ignore[no-any-return]

    @property
    def place(self) -> str:  # docstring inherited
        return str(self.inner.place)

    def location_of(self, id: str) -> str:  # docstring inherited
        return str(self.inner.location_of(id))

    @property
    def owned(self) -> bool:  # docstring inherited
        return bool(self.inner.owned)

    @property
    def bulk(self) -> bool:  # type: ignore[override]
        """Whether the inner persister sends many requests at once."""
        return bool(self.inner.bulk)

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` of the inner persister makes data for absent ids."""
        return bool(self.inner.makes_missing)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return bool(self.inner.at_hand)

    @property
    def lock_file(self) -> str | None:  # docstring inherited
        return self.inner.lock_file  # type: ignore[no-any-return]

    @property
    def lock(self) -> AbstractContextManager[Any]:  # docstring inherited
        return self.inner.lock  # type: ignore[no-any-return]

    def _writable(self) -> Any:
        """Return the inner persister, or raise if it is read-only."""
        if not hasattr(self.inner, "put"):  # a Reader; others refuse writes with their own error
            raise ReadOnlyError(f"{self.place} can only be read")
        return self.inner

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> Any:
        return self.inner[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.inner)

    def __contains__(self, id: object) -> bool:
        return id in self.inner

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.read(id)  # type: ignore[no-any-return]

    def read_unless(self, id: str, etag: str) -> tuple[Any, Stat] | None:  # docstring inherited
        return self.inner.read_unless(id, etag)  # type: ignore[no-any-return]

    def stat(self, id: str) -> Stat:  # docstring inherited
        return self.inner.stat(id)  # type: ignore[no-any-return]

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return self.inner.ids(prefix)  # type: ignore[no-any-return]

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return self.inner.pages(prefix)  # type: ignore[no-any-return]

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        return self.inner.peek(prefix, limit=limit, seconds=seconds)  # type: ignore[no-any-return]

    def glance(self, id: str, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.glance(id, limit)  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return self.inner.scan(prefix)  # type: ignore[no-any-return]

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        return self.inner.read_many(ids)  # type: ignore[no-any-return]

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        return self.inner.contents(prefix, limit)  # type: ignore[no-any-return]

    def folders(self, prefix: str = "") -> Iterator[str] | None:  # docstring inherited
        return self.inner.folders(prefix)  # type: ignore[no-any-return]

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        return self.inner.fetch(id, limit)

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        return self.inner.reader(id)  # type: ignore[no-any-return]

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.inner.getter  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def __setitem__(self, id: str, data: Any) -> None:
        self.put(id, data)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self._writable().put(id, data)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self._writable().write(id, data, expected)  # type: ignore[no-any-return]

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._writable().remove(id, expected)

    def discard(self, id: str) -> bool:  # docstring inherited
        return self._writable().discard(id)  # type: ignore[no-any-return]

    def transaction(self) -> AbstractContextManager[None]:  # docstring inherited
        return self._writable().transaction()  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        self._writable().write_many(items)

    def write_new(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        self._writable().write_new(items)

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        self._writable().write_dated(items)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self._writable().remove_many(ids)

    def clear(self) -> None:  # docstring inherited
        self._writable().clear()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        return self._writable().purge(owns, prefix)  # type: ignore[no-any-return]

    def refresh(self) -> None:  # docstring inherited
        self.inner.refresh()

    def flush(self) -> None:  # docstring inherited
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        self.inner.close()


#: The verbs that a subclass may change.
_FORWARDED: Final = frozenset(
    {"__getitem__", "__iter__", "__contains__", "__len__"}
    | {name for name in vars(PersisterWrapper) if not name.startswith("_")}
)
