"""The wrapper that keeps the first value of each key."""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple

from holdall._shown import PATH, shown
from holdall.abc import NOT_MINE, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import ConflictError, InvalidArgumentError, MismatchError
from holdall.persisters.guards import AppendOnlyPersister
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._base import wrapper
from holdall.wrappers._same import same_value

__all__ = ["Checks", "WriteOncePersister", "write_once", "write_once_checks"]


class Checks(NamedTuple):
    """How often repeated writes were compared with the stored value.

    Parameters
    ----------
    attempted, passed, failed
        Counts; the first is the sum of the others.
    """

    attempted: int
    passed: int
    failed: int


class WriteOncePersister(AppendOnlyPersister):
    """Keep the first data of each id, ignore later ones, and optionally compare them.

    Parameters
    ----------
    store
        The wrapped store, which turns data into values.
    check_probability
        The probability that a repeated write is compared, from 0 to 1.
    """

    def __init__(self, store: Any, check_probability: float) -> None:
        super().__init__(store.pipeline.persister)
        self.store = StorePersister(store)
        self.check_probability = check_probability
        self.checks = Checks(0, 0, 0)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if expected is not ANY_ETAG:
            return super().write(id, data, expected)
        while True:
            try:
                return self._first(id, data)
            except ConflictError:
                pass
            compares = random.random() < self.check_probability  # noqa: S311  (a sample, not a secret)
            try:
                if not compares:
                    return self.inner.stat(id)  # type: ignore[no-any-return]
                stored, stat = self.inner.read(id)
            except KeyError:  # deleted meanwhile: write as the first
                continue
            self._check(id, data, stored)
            return stat  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        for id, data in items:
            self.write(id, data)

    def _check(self, id: str, data: Any, stored: Any) -> None:
        key = self.store.key_of(id)
        key = id if key is NOT_MINE else key  # of one-way functions
        same = self._same(key, data, stored)
        with self.lock:
            attempted, passed, failed = self.checks
            self.checks = Checks(attempted + 1, passed + same, failed + (not same))
        if not same:
            raise MismatchError(
                f"the value for {shown(key, 120)} differs from the one that was written first in "
                f"{self.place}, which stays: use another key, or delete it by a handle that is not "
                "write_once",
            )

    def _same(self, key: Any, data: Any, stored: Any) -> bool:
        if self.store.inner.serializer is not None:
            data, stored = join_parts(data), join_parts(stored)
        if same_value(data, stored):
            return True
        # Equal values may have different data, such as pickles of a set.
        return same_value(self.store.value_of(key, data), self.store.value_of(key, stored))


@wrapper
def write_once(store: Store[Any, Any], *, check_probability: float = 0.0) -> Pipeline:
    """Keep the first value of each key; later writes are ignored, or compared with it.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    check_probability
        The probability that a repeated write is compared with the stored value, from 0 (never) to 1 (always).

    Raises
    ------
    MismatchError
        When a repeated write is compared, and differs.
    ReadOnlyError
        When an item is deleted, or a conditional operation would replace it.
    InvalidArgumentError
        If `check_probability` is not a number from 0 to 1.

    Notes
    -----
    The values are compared as they would be read: they are the same if they and all of their parts have the
    same type and are equal, so that ``1``, ``True`` and ``1.0`` differ. The order of a dict does not matter.

    Threads and processes: of several first writers exactly one wins, in the scope in which the store compares
    and swaps, and the others are compared with it. Cost: one more stat per write; comparing a repeated write
    reads the item.

    Examples
    --------
    >>> from holdall.wrappers import write_once
    >>> results = write_once({}, check_probability=1)
    >>> results["run/1"] = 0.25
    >>> results["run/1"] = 0.25
    >>> results["run/1"] = 0.5
    Traceback (most recent call last):
    ...
    holdall.errors.MismatchError: the value for 'run/1' differs ...
    >>> results["run/1"], write_once_checks(results).failed
    (0.25, 1)
    """
    if type(check_probability) not in (int, float) or not 0 <= check_probability <= 1:
        raise InvalidArgumentError(
            f"check_probability must be a number from 0 to 1, got {shown(check_probability)}"
        )
    return store.pipeline.over(WriteOncePersister(store, check_probability))


def write_once_checks(store: Any) -> Checks:
    """Return how often a `write_once` store compared a repeated write.

    Parameters
    ----------
    store
        The store, with any wrappers around it.

    Returns
    -------
    Checks
        The counts of this handle and its views.

    Raises
    ------
    InvalidArgumentError
        If the store is not write_once.
    """
    persister = getattr(getattr(store, "pipeline", None), "persister", None)
    while persister is not None and not isinstance(persister, WriteOncePersister):
        persister = getattr(persister, "inner", None)
        if isinstance(persister, Store):
            persister = persister.pipeline.persister
    if persister is None:
        raise InvalidArgumentError(f"{shown(store, PATH)} is not write_once, and compares nothing")
    return persister.checks
