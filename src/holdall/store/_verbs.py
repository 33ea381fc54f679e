"""Everyday changes, of one value or of several as one, that lose no concurrent change."""

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from holdall._shown import shown
from holdall.conditional import ITEM_NOT_AVAILABLE, Etag
from holdall.errors import ConflictError, HoldallError, InvalidArgumentError, UnsupportedError
from holdall.store._base import StoreBase
from holdall.store._compiled import Compiled
from holdall.store._conditional import pause
from holdall.store._mutable import copied, is_immutable

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Any = object()
_ONE: Any = 1  # whatever the type of the numbers
_ZERO: Any = 0


class _NoSuchVerbError(UnsupportedError, AttributeError):
    """An `UnsupportedError` by which `hasattr` is False."""


class _ForExpiry:
    """In the place of a verb that only stores whose items expire one by one have: tell where to find it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, store: Any, cls: type) -> NoReturn:
        what = cls.__name__ if store is None else f"{cls.__name__} ({store.pipeline.persister.place})"
        raise _NoSuchVerbError(
            f"{what} has no {self._name}(): bounded(store, max_items=...) of holdall.wrappers adds "
            "set(key, value, ttl=...) and touch(key, ttl=...) to a store, RedisStore has a set(), "
            "and expiring(store, ttl=...) gives all items one time; without any, write store[key] = value"
        )


class StoreVerbs(StoreBase[K, V]):
    """The part of `Store` for everyday changes."""

    if not TYPE_CHECKING:  # the names are free for subclasses
        set = _ForExpiry()
        touch = _ForExpiry()

    @contextmanager
    def edit(self, key: K, default: V = _ABSENT) -> Iterator[V]:
        """Yield a value to be changed in place, and store it when the context ends.

        Parameters
        ----------
        key
            The key of the item.
        default
            What to begin with where nothing is stored; a copy of it is yielded. Without one, an absent key is
            a KeyError.

        Yields
        ------
        object
            The value; nobody else holds this object.

        Raises
        ------
        KeyError
            If the key is absent and there is no `default`.
        ConflictError
            When the context ends, if the item was written or deleted since it began, by others or by the
            block itself. Nothing is stored then, and the other change stays. Python cannot run the block
            again: put a loop around it, or give a function to `transform_item`, which tries again by itself.
        InvalidArgumentError
            If the value cannot change in place, such as a number or text: use `increment` or
            `transform_item`.

        Notes
        -----
        Nobody waits for a block: the value is stored by compare-and-swap at its end, in the scope that the
        persister claims. After an error in the block nothing is stored.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore()
        >>> with store.edit("names", default=[]) as names:
        ...     names.append("ann")
        >>> store["names"]
        ['ann']
        """
        id = self._compiled.id(key)
        etag: Etag = ITEM_NOT_AVAILABLE
        try:
            value, stat = self._compiled.read(key, id)
            etag = stat.etag
        except KeyError:
            if default is _ABSENT:
                raise
            value = copied(key, default)
        else:
            if self._compiled.keeps_objects:  # or a cache keeps them
                value = copied(key, value)
        if is_immutable(value):
            raise InvalidArgumentError(
                f"the value of {shown(key, 120)} is {type(value).__name__}, which cannot change in place: "
                "use increment() for a number, transform_item() for any other value",
            ).about(key=key, location=self._compiled.place, operation="write")
        yield value
        try:
            self._compiled.write(key, id, self._compiled.data(key, id, value), etag)
        except ConflictError as lost:
            raise ConflictError(
                f"{shown(key, 120)} in {self._compiled.place} was changed since edit() gave its value: "
                "nothing was stored. Edit it again, or use transform_item(), which tries again by itself",
                lost.actual,
            ).about(key=key, location=self._compiled.place, operation="write") from lost

    def increment(self, key: K, by: V | int = _ONE, default: V | int = _ZERO) -> V:
        """Add to a number, so that no concurrent change is lost.

        Parameters
        ----------
        key
            The key of the number.
        by
            What to add; it may be negative.
        default
            What to add to where nothing is stored.

        Returns
        -------
        number
            What is stored now.

        Raises
        ------
        InvalidArgumentError
            If the stored value, `by` or `default` is not a number; nothing is changed.

        Notes
        -----
        The addition is repeated until no concurrent writer was faster, in the scope of compare-and-swap.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore()
        >>> store.increment("visits"), store.increment("visits", by=10)
        (1, 11)
        """
        if not (_is_number(by) and _is_number(default)):
            raise InvalidArgumentError(
                f"by and default are numbers, got by={shown(by)} and default={shown(default)}"
            )
        compiled = self._compiled
        id = compiled.id(key)
        modify = getattr(compiled.persister, "modify", None)
        if modify is not None:
            change = _Addition(compiled, key, id, by)
            try:
                modify(id, change)
            except (KeyError, _LargeError):
                pass  # absent, or not changeable in one step
            except HoldallError as error:
                self._compiled.add_facts(error, key, "write")
                raise
            else:
                return change.result  # type: ignore[no-any-return]
        for attempt in itertools.count(1):
            try:
                value, stat = compiled.read(key, id)
                etag: Etag = stat.etag
            except KeyError:
                value, etag = default, ITEM_NOT_AVAILABLE
            new = _sum(key, value, by)
            try:
                compiled.write(key, id, compiled.data(key, id, new), etag)
            except ConflictError:
                pause(attempt)
            else:
                return new  # type: ignore[no-any-return]
        raise AssertionError  # itertools.count never ends

    def transaction(self) -> AbstractContextManager[None]:
        """Make one transaction of all writes within the context: after an error, none of them happened.

        This thread reads its own writes within the context; others see nothing of them before it ends.

        Raises
        ------
        UnsupportedError
            If the persister has no transactions: `SQLiteStore`, `LmdbStore` and `SQLStore` have.

        Examples
        --------
        >>> from holdall import SQLiteStore
        >>> accounts = SQLiteStore()
        >>> accounts.update(ann=10, bob=0)
        >>> with accounts.transaction():
        ...     accounts.increment("ann", -5), accounts.increment("bob", 5)
        (5, 5)
        >>> with accounts.transaction():
        ...     del accounts["ann"]
        ...     accounts["bob"] += accounts["ann"]
        Traceback (most recent call last):
        ...
        KeyError: 'ann'
        >>> accounts["ann"]
        5
        """
        return self._compiled.persister.transaction()  # type: ignore[no-any-return]


class _LargeError(Exception):
    """Raised where data are not stored beside their key, so that they cannot be changed in one step."""


class _Addition:
    """Add to a number in its stored form, and keep the sum."""

    __slots__ = ("by", "compiled", "id", "key", "result")

    def __init__(self, compiled: Compiled, key: Any, id: Any, by: Any) -> None:
        self.compiled, self.key, self.id, self.by = compiled, key, id, by
        self.result: Any = None

    def __call__(self, data: Any) -> bytes:
        compiled, key, id = self.compiled, self.key, self.id
        if type(data) is not bytes:
            raise _LargeError
        self.result = _sum(key, compiled.value(key, id, data), self.by)
        changed = compiled.data(key, id, self.result)
        if type(changed) is not bytes:
            raise _LargeError
        return changed


def _sum(key: Any, value: Any, by: Any) -> Any:
    try:
        return value + by
    except TypeError as error:
        raise InvalidArgumentError(
            f"the value of {shown(key, 120)} is {type(value).__name__}: {shown(by)} cannot be added to it",
        ).about(key=key, operation="write") from error


def _is_number(thing: Any) -> bool:
    if type(thing) in {int, float}:
        return True
    from numbers import Number  # noqa: PLC0415  (rarely needed)

    return isinstance(thing, Number)
