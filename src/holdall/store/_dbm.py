"""Databases of `dbm` as mappings of text to bytes."""

from collections.abc import Iterator, MutableMapping
from typing import Any
from weakref import WeakValueDictionary

from holdall._options import check_bytes

__all__ = ["DbmMapping"]

#: One adapter per database, so that all stores over one take part in the same compare-and-swap.
_adapters: WeakValueDictionary[int, "DbmMapping"] = WeakValueDictionary()


class DbmMapping(MutableMapping[str, bytes]):
    """An open database whose keys are text in UTF-8; `dbm` itself returns them as bytes.

    Parameters
    ----------
    database
        The return value of `dbm.open`.
    """

    def __init__(self, database: Any) -> None:
        self.database = database

    @classmethod
    def of(cls, database: Any) -> "DbmMapping":
        """Return the one adapter of a database."""
        return _adapters.setdefault(id(database), cls(database))

    def __getitem__(self, key: str) -> bytes:
        data: bytes = self.database[_encoded(key)]
        return data

    def __setitem__(self, key: str, data: Any) -> None:
        check_bytes(key, data)
        self.database[_encoded(key)] = b"".join(data) if type(data) is list else bytes(data)

    def __delitem__(self, key: str) -> None:
        del self.database[_encoded(key)]

    def __iter__(self) -> Iterator[str]:
        return map(_decoded, self.database.keys())  # not every dbm is iterable

    def __len__(self) -> int:
        return len(self.database.keys())

    def __repr__(self) -> str:
        return f"<{type(self.database).__module__} database>"


def _decoded(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _encoded(key: Any) -> bytes:
    if not isinstance(key, str):
        raise KeyError(key)
    return key.encode("utf-8", "surrogateescape")
