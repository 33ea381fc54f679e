"""Copying items into another mapping: many at once, with progress, past what cannot be copied."""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from holdall._shown import PATH, shown
from holdall.abc import Capability
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    ReadOnlyError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.guards import AppendOnlyPersister
from holdall.store._mapping import StoreMapping
from holdall.store._nested import StorePersister
from holdall.store._progress import Progress

__all__ = ["OnError", "copy_items"]

#: What happens at an item that cannot be copied.
OnError: TypeAlias = Literal["raise", "skip"]

# Items, and bytes of data, that are written together where some may be refused.
_MANY, _LARGE = 1000, 32 << 20
_SHOWN = 3


class _Item(NamedTuple):
    """An item to copy, with the time of its last modification where that is wanted and known."""

    key: Any
    value: Any
    mtime: float


class _Encoded(NamedTuple):
    """An item as the persister takes it."""

    key: Any
    id: Any
    data: Any
    mtime: float


class _LeftOut:
    """The items that could not be copied."""

    def __init__(self, *, skip: bool) -> None:
        self.skip = skip
        self.count = 0
        self.messages: list[str] = []

    def add(self, key: Any, error: Exception) -> None:
        """Note an item, or raise its error."""
        if not self.skip:
            try:
                raise error
            finally:
                del error  # else it would keep itself and open files alive
        self.count += 1
        if len(self.messages) < _SHOWN:
            self.messages.append(f"{shown(key, 120)} ({type(error).__name__}: {error!s:.300})")

    def warn(self, copied: int) -> None:
        """Warn about what is missing, once."""
        if self.count:
            more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
            warnings.warn(
                f"copy_to() copied {copied} items and left out {self.count}: "
                f"{', '.join(self.messages)}{more}",
                RuntimeWarning,
                stacklevel=4,
            )


def copy_items(
    source: StoreMapping[Any, Any],
    target: Any,
    *,
    progress: Callable[[int], Any] | None,
    only_new: bool,
    keep_times: bool,
    on_error: OnError,
) -> int:
    """Copy items as `Store.copy_to` does; return how many were copied."""
    _check(source, target, on_error, keep_times=keep_times)
    done = Progress(progress)
    if not (only_new or keep_times or on_error == "skip"):
        if isinstance(target, StoreMapping):
            target.update(done.over(source.items()))
        else:
            for key, value in done.over(source.items()):
                target[key] = value
        return done.count
    left_out = _LeftOut(skip=on_error == "skip")
    items = _items(source, _is_new(target) if only_new else None, left_out, dated=keep_times)
    if not _goes_by_ids(target):
        _store_each(target, items, done, left_out)
    elif left_out.skip:
        _store_chunks(target, items, done, left_out, dated=keep_times)
    else:
        encoded = done.over(_encoded(target, items, left_out))
        _write(target.pipeline.persister, encoded, dated=keep_times)
    left_out.warn(done.count)
    return done.count


def _check(source: Any, target: Any, on_error: Any, *, keep_times: bool) -> None:
    if isinstance(target, str | bytes) or hasattr(target, "__fspath__"):
        raise InvalidArgumentError(
            f"copy_to() takes a store or another mutable mapping, got {shown(target, PATH)}: open a store "
            f"first, as in copy_to(FileDirStore({shown(target, PATH)}))",
        )
    if isinstance(target, type) or not hasattr(target, "__setitem__"):
        raise InvalidArgumentError(
            f"copy_to() takes a store or another mutable mapping, got {shown(target, PATH)}"
        )
    if on_error not in {"raise", "skip"}:
        raise InvalidArgumentError(f"on_error must be 'raise' or 'skip', got {shown(on_error)}")
    for store in (source, target) if keep_times else ():
        keeps = isinstance(store, StoreMapping) and (store is source or _goes_by_ids(store))
        if not keeps or Capability.MTIME not in store.pipeline.persister.capabilities:
            raise UnsupportedError(
                f"{shown(store, PATH)} keeps no times of its items: copy without keep_times"
            )


def _goes_by_ids(target: Any) -> bool:
    """Return whether ``[] =`` of a mapping is a store's own, so that its persister can take many items."""
    return isinstance(target, StoreMapping) and type(target).__setitem__ is StoreMapping.__setitem__


def _is_new(target: Any) -> Callable[[Any], bool]:
    """Return a function that says whether a mapping lacks a key."""
    if isinstance(target, StoreMapping) and target.pipeline.persister.bulk:
        persister = StorePersister(target)
        there = set(target.pipeline.persister.ids())  # one listing instead of one request per key
        return lambda key: persister.id_of(key) not in there
    return lambda key: key not in target


# ---------------------------------------------------------------------- reading


def _items(
    source: StoreMapping[Any, Any],
    wanted: Callable[[Any], bool] | None,
    left_out: _LeftOut,
    *,
    dated: bool,
) -> Iterator[_Item]:
    """Iterate over what is to be copied; items that vanish meanwhile are skipped."""
    if source.pipeline.persister.bulk and not dated:
        yield from _requested(source, wanted, left_out)
        return
    persister = StorePersister(source)
    for key in source:
        mtime = math.nan
        try:
            if wanted is not None and not wanted(key):
                continue
            if dated:
                value, stat = persister.read(key)
                mtime = stat.mtime
            else:
                value = source[key]
        except Exception as error:
            if type(error) is not KeyError:  # KeyError: it vanished
                left_out.add(key, error)
        else:
            yield _Item(key, value, mtime)


def _requested(
    source: StoreMapping[Any, Any], wanted: Callable[[Any], bool] | None, left_out: _LeftOut
) -> Iterator[_Item]:
    """Yield the items of a persister that reads many at once."""
    persister = StorePersister(source)
    keys: dict[Any, Any] = {}  # by the ids that read_many is working on

    def ids() -> Iterator[Any]:
        for key in source:
            try:
                if wanted is None or wanted(key):
                    id = persister.id_of(key)
                    keys[id] = key
                    yield id
            except Exception as error:
                left_out.add(key, error)

    for id, data in source.pipeline.persister.read_many(ids()):
        key = keys.pop(id)
        try:
            value = persister.value_of(key, data)
        except Exception as error:
            left_out.add(key, error)
        else:
            yield _Item(key, value, math.nan)


# ---------------------------------------------------------------------- writing


def _store_each(target: Any, items: Iterator[_Item], done: Progress, left_out: _LeftOut) -> None:
    """Store items by ``[] =``."""
    for key, value, _ in items:
        try:
            target[key] = value
        except Exception as error:
            if _is_of_place(target, error):
                raise
            left_out.add(key, error)
        else:
            done.add()


def _store_chunks(
    target: Any, items: Iterator[_Item], done: Progress, left_out: _LeftOut, *, dated: bool
) -> None:
    """Store items many at once, and one by one where the persister refuses some of them."""
    persister = target.pipeline.persister
    # Items that are there already would be refused when they are written once more, one by one.
    many = 1 if _keeps_what_is_there(persister) else _MANY
    are_bytes = Capability.BYTES in persister.capabilities
    chunk: list[_Encoded] = []
    size = 0

    def store() -> None:
        try:
            _write(persister, iter(chunk), dated=dated)
        except HoldallError as error:
            if _is_of_place(target, error):
                raise
            for item in chunk:
                try:
                    _write(persister, iter([item]), dated=dated)
                except HoldallError as refused:
                    if _is_of_place(target, refused):
                        raise
                    left_out.add(item.key, refused)
                else:
                    done.add()
        else:
            for _ in chunk:
                done.add()

    for item in _encoded(target, items, left_out):
        chunk.append(item)
        size += _size_of(item.data) if are_bytes else 0  # objects have no size
        if len(chunk) >= many or size >= _LARGE:
            store()
            chunk.clear()
            size = 0
    store()


def _encoded(target: Any, items: Iterator[_Item], left_out: _LeftOut) -> Iterator[_Encoded]:
    """Yield items with their ids and data."""
    persister = StorePersister(target)
    for key, value, mtime in items:
        try:
            encoded = _Encoded(key, persister.id_of(key), persister.data_of(key, value), mtime)
        except Exception as error:
            left_out.add(key, error)
        else:
            yield encoded


def _write(persister: Any, items: Iterator[_Encoded], *, dated: bool) -> None:
    """Write items to a persister."""
    if dated:
        persister.write_dated((item.id, item.data, item.mtime) for item in items)
    else:
        persister.write_many((item.id, item.data) for item in items)


def _is_of_place(target: Any, error: Exception) -> bool:
    """Return whether an error of a write concerns the whole store, so that all other items would fail too."""
    if isinstance(error, ReadOnlyError):  # of one item, where the persister is append-only
        is_store = isinstance(target, StoreMapping)
        return is_store and Capability.WRITABLE not in target.pipeline.persister.capabilities
    return isinstance(error, StoreUnavailableError | UnsupportedError)


def _keeps_what_is_there(persister: Any) -> bool:
    while persister is not None:
        if isinstance(persister, AppendOnlyPersister):
            return True
        persister = getattr(persister, "inner", None)
        if isinstance(persister, StoreMapping):
            persister = persister.pipeline.persister
    return False


def _size_of(data: Any) -> int:
    """Return the number of bytes of data, whole or in pieces."""
    return sum(memoryview(part).nbytes for part in (data if isinstance(data, list) else [data]))
