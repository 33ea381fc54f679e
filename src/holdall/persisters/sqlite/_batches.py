"""Ids and data in their stored form, and in batches that are written together."""

from collections.abc import Iterable, Iterator
from typing import Any

from holdall._options import check_bytes
from holdall._shown import shown
from holdall.errors import InvalidKeyError
from holdall.persisters.sqlite._ids import as_id
from holdall.persisters.sqlite._schema import INLINE

#: Items, and bytes of large ones, that are sorted and sent at once.
BATCH = 50_000
_BATCH_BYTES = 32 << 20


def by_id(row: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return a key to sort rows as SQLite does: bytes after text."""
    return type(row[0]) is bytes, row[0]


def checked(id: Any, data: Any) -> tuple[str | bytes, Any]:
    """Return id and data in their stored form."""
    key = as_id(id)
    if key is None:
        raise InvalidKeyError(f"ids are text, got {type(id).__name__}: {shown(id)}")
    if type(data) is not bytes:
        check_bytes(id, data)
        data = [memoryview(part).cast("B") for part in (data if type(data) is list else [data])]
    return key, data


class Batch:
    """Ids and data that are written together."""

    def __init__(self) -> None:
        self.keys: list[str | bytes] = []
        self.data: list[Any] = []
        self.large = False  # whether some data do not fit beside their id

    def __iter__(self) -> Iterator[list[Any]]:
        return iter((self.keys, self.data))


def batches(items: Iterable[tuple[str, Any]]) -> Iterator[Batch]:
    """Yield batches of items, with limits of number and bytes."""
    batch = Batch()
    size, count = 0, 0
    for id, data in items:
        if type(data) is bytes and type(id) is str and id.isascii() and len(id) + len(data) <= INLINE:
            batch.keys.append(id)
            batch.data.append(data)
            count += 1
        else:
            key, parts = checked(id, data)
            batch.keys.append(key)
            batch.data.append(parts)
            batch.large = True
            size += size_of(parts)
            count += 1
        if count == BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size, count = Batch(), 0, 0
    if count:
        yield batch


def size_of(data: Any) -> int:
    """Return the bytes of data, whole or in pieces."""
    return len(data) if type(data) is bytes else sum(part.nbytes for part in data)


def fits(key: Any, data: Any) -> bool:
    """Return whether data fit into one row with their key."""
    return type(data) is bytes and len(key) + len(data) <= INLINE
