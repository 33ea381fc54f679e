"""Conditional operations: read, write, insert, delete and transform by the version of an item.

All of them are loops around one compare-and-swap of the persister, so they are linearizable in the scope that
the persister claims. Whether a value is returned depends only on the retrieval flag and on the equality of
the etags, never on whether the condition held.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar, overload

from holdall._shown import shown
from holdall.conditional import (
    ALWAYS_RETRIEVE,
    DELETE_CURRENT,
    ETAG_IS_THE_SAME,
    IF_ETAG_CHANGED,
    ITEM_NOT_AVAILABLE,
    KEEP_CURRENT,
    NEVER_RETRIEVE,
    VALUE_NOT_RETRIEVED,
    Condition,
    ConditionalResult,
    Etag,
    Joker,
    Retrieval,
    TransformResult,
    condition_holds,
)
from holdall.errors import ConflictError, InvalidArgumentError
from holdall.store._base import StoreBase
from holdall.store._compiled import missing
from holdall.store._mutable import can_change, copied

K = TypeVar("K")
V = TypeVar("V")

# Another writer needs tens of microseconds; waiting longer than this helps nobody.
_FIRST_PAUSE, _LONGEST_PAUSE = 50e-6, 20e-3


class StoreConditional(StoreBase[K, V]):
    """The part of `Store` that compares and swaps."""

    def etag(self, key: K) -> str:
        """Return the version of an item: an opaque text that is another one whenever the data changed.

        Parameters
        ----------
        key
            The key of the item.

        Raises
        ------
        KeyError
            If the key is absent.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore()
        >>> store["x"] = 1
        >>> before = store.etag("x")
        >>> store["x"] = 2
        >>> store.etag("x") == before
        False
        """
        id = self._compiled.id(key)
        try:
            return str(self._compiled.stat(key, id).etag)
        except KeyError as error:
            raise missing(key, error) from None

    def get_item_if(
        self,
        key: K,
        *,
        condition: Condition,
        expected_etag: Etag,
        retrieve_value: Retrieval = IF_ETAG_CHANGED,
    ) -> ConditionalResult[V]:
        """Read an item and report whether its version meets a condition.

        Parameters
        ----------
        key
            The key to read.
        condition
            `ANY_ETAG`, `ETAG_IS_THE_SAME` or `ETAG_HAS_CHANGED`.
        expected_etag
            The etag to compare with; `ITEM_NOT_AVAILABLE` for an absent item.
        retrieve_value
            `ALWAYS_RETRIEVE`, `IF_ETAG_CHANGED` or `NEVER_RETRIEVE`.

        Returns
        -------
        ConditionalResult
            Nothing is changed; both etags are the actual one.

        Raises
        ------
        InvalidKeyError
            If the key can have no item.
        InvalidArgumentError
            If a flag is not one of these.
        """
        _check(condition, expected_etag, retrieve_value)
        actual, value = self._look(key, self._compiled.id(key), expected_etag, retrieve_value)
        held = condition_holds(condition, expected_etag, actual)
        return ConditionalResult(held, actual, actual, value)

    def set_item_if(
        self,
        key: K,
        *,
        value: V | Joker,
        condition: Condition,
        expected_etag: Etag,
        retrieve_value: Retrieval = IF_ETAG_CHANGED,
    ) -> ConditionalResult[V]:
        """Write an item if its version meets a condition.

        Parameters
        ----------
        key
            The key to write.
        value
            The new value; `KEEP_CURRENT` to leave the item, `DELETE_CURRENT` to delete it.
        condition, expected_etag, retrieve_value
            As in `get_item_if`.

        Returns
        -------
        ConditionalResult
            After a write, ``new_value`` is the value given, whatever the flag.

        Raises
        ------
        InvalidKeyError
            If the key can have no item.
        SerializationError
            If the value cannot be stored.
        """
        _check(condition, expected_etag, retrieve_value)
        id = self._compiled.id(key)
        data = None if isinstance(value, Joker) else self._compiled.data(key, id, value)
        turns = self._compiled.turns(key)
        actual: Etag | None = None
        if condition is ETAG_IS_THE_SAME and not (
            value is DELETE_CURRENT and expected_etag is ITEM_NOT_AVAILABLE
        ):
            actual = expected_etag  # the swap itself compares, so no look is needed
        while True:
            next(turns)
            if actual is None:
                actual = self._actual(key, id)
            if not condition_holds(condition, expected_etag, actual):
                actual, found = self._look(key, id, expected_etag, retrieve_value, actual)
                if condition_holds(condition, expected_etag, actual):
                    continue  # it changed between the two looks
                return ConditionalResult(False, actual, actual, found)
            if value is KEEP_CURRENT:
                actual, found = self._look(key, id, expected_etag, retrieve_value)
                if not condition_holds(condition, expected_etag, actual):
                    continue
                return ConditionalResult(True, actual, actual, found)
            try:
                if value is DELETE_CURRENT:
                    self._delete(key, id, actual)
                    return ConditionalResult(True, actual, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)
                stat = self._compiled.write(key, id, data, actual)
            except ConflictError as lost:
                actual = lost.actual if lost.actual != actual else None
                continue
            return ConditionalResult(True, actual, stat.etag, _kept(stat.etag, value))

    def setdefault_if(
        self,
        key: K,
        *,
        default_value: V,
        condition: Condition,
        expected_etag: Etag,
        retrieve_value: Retrieval = IF_ETAG_CHANGED,
    ) -> ConditionalResult[V]:
        """Insert an item if it is absent and its absence meets a condition.

        Parameters
        ----------
        key
            The key to insert.
        default_value
            The value to insert; jokers are refused.
        condition, expected_etag, retrieve_value
            As in `get_item_if`; a present item is never changed.
        """
        _check(condition, expected_etag, retrieve_value)
        id = self._compiled.id(key)
        data = self._compiled.data(key, id, default_value)
        turns = self._compiled.turns(key)
        while True:
            next(turns)
            actual, found = self._look(key, id, expected_etag, retrieve_value)
            held = condition_holds(condition, expected_etag, actual)
            if actual is not ITEM_NOT_AVAILABLE or not held:
                return ConditionalResult(held, actual, actual, found)
            try:
                stat = self._compiled.write(key, id, data, ITEM_NOT_AVAILABLE)
            except ConflictError:
                continue
            return ConditionalResult(True, actual, stat.etag, _kept(stat.etag, default_value))

    def discard_if(self, key: K, *, condition: Condition, expected_etag: Etag) -> ConditionalResult[V]:
        """Delete an item if its version meets a condition.

        Parameters
        ----------
        key
            The key to delete; it may be absent.
        condition, expected_etag
            As in `get_item_if`.
        """
        _check(condition, expected_etag, NEVER_RETRIEVE)
        id = self._compiled.id(key)
        turns = self._compiled.turns(key)
        actual: Etag | None = None
        if condition is ETAG_IS_THE_SAME and expected_etag is not ITEM_NOT_AVAILABLE:
            actual = expected_etag
        while True:
            next(turns)
            if actual is None:
                actual = self._actual(key, id)
            held = condition_holds(condition, expected_etag, actual)
            if actual is ITEM_NOT_AVAILABLE:
                return ConditionalResult(held, actual, actual, ITEM_NOT_AVAILABLE)
            if not held:
                return ConditionalResult(False, actual, actual, VALUE_NOT_RETRIEVED)
            try:
                self._delete(key, id, actual)
            except ConflictError as lost:
                actual = lost.actual if lost.actual != actual else None
                continue
            return ConditionalResult(True, actual, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)

    @overload
    def transform_item(
        self, key: K, transformer: Callable[[V], V | Joker], default: V, *, n_retries: int | None = None
    ) -> TransformResult[V]: ...
    @overload
    def transform_item(
        self, key: K, transformer: Callable[[Any], V | Joker], *, n_retries: int | None = None
    ) -> TransformResult[V]: ...
    def transform_item(
        self,
        key: K,
        transformer: Callable[[Any], Any],
        default: Any = ITEM_NOT_AVAILABLE,
        *,
        n_retries: int | None = None,
    ) -> TransformResult[V]:
        """Replace a value by a function of it, so that no concurrent change is lost.

        Parameters
        ----------
        key
            The key to transform.
        transformer
            Called with the value, or the default; returns the new value, `KEEP_CURRENT` or `DELETE_CURRENT`.
            It is called again after each lost race, so it should have no other effect.
        default
            The value to pass where nothing is stored; a copy of it is passed.
        n_retries
            How often to try again when another writer was faster; None for no limit, with growing pauses.

        Returns
        -------
        TransformResult
            What is stored now, whether this call changed it, and how many attempts it took.

        Raises
        ------
        ConflictError
            If the last attempt lost its race too; ``attempts`` says how many there were.
        InvalidArgumentError
            If the transformer is no function, or was passed a value that can change in place and returned
            None, as functions do that forget to return it.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore()
        >>> store.transform_item("runs", lambda n: n + 1, 0).new_value
        1
        """
        if n_retries is not None and (type(n_retries) is not int or n_retries < 0):
            raise InvalidArgumentError(f"n_retries must be 0 or more, or None, got {n_retries!r}")
        if not callable(transformer):
            raise InvalidArgumentError(f"a transformer is a function of the value, got {shown(transformer)}")
        compiled = self._compiled
        id = compiled.id(key)
        attempts = 0
        while True:
            attempts += 1
            try:
                old, stat = compiled.read(key, id)
            except KeyError:
                actual: Etag = ITEM_NOT_AVAILABLE
                old, given = ITEM_NOT_AVAILABLE, copied(key, default)
            else:
                actual, given = stat.etag, old
            try:
                new = transformer(given)
            except Exception as error:
                if given is ITEM_NOT_AVAILABLE:
                    error.add_note(
                        f"Nothing is stored under {shown(key, 120)}, so the transformer got "
                        "ITEM_NOT_AVAILABLE: give default=, the value to start from."
                    )
                raise
            if new is KEEP_CURRENT:
                return TransformResult(actual, old, attempts, actual)
            if new is None and can_change(given):
                raise InvalidArgumentError(
                    f"the transformer of {shown(key, 120)} got a {type(given).__name__} and returned None: "
                    "nothing was stored; return the new value, or use edit() to change one in place",
                ).about(key=key, location=compiled.place, operation="write")
            try:
                if new is DELETE_CURRENT:
                    self._delete(key, id, actual)
                    return TransformResult(ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE, attempts, actual)
                stat = compiled.write(key, id, compiled.data(key, id, new), actual)
                return TransformResult(stat.etag, _kept(stat.etag, new), attempts, actual)
            except ConflictError as lost:
                if n_retries is not None and attempts > n_retries:
                    raise ConflictError(
                        f"{shown(key, 120)} in {self._compiled.place} was changed by others during each of "
                        f"{attempts} attempts: raise n_retries, or leave it away to try until you win",
                        lost.actual,
                        attempts,
                    ).about(key=key, location=self._compiled.place, operation="write") from lost
            pause(attempts)

    # ------------------------------------------------------------------ pieces

    def _actual(self, key: Any, id: Any) -> Etag:
        try:
            return str(self._compiled.stat(key, id).etag)
        except KeyError:
            return ITEM_NOT_AVAILABLE

    def _look(
        self, key: Any, id: Any, expected: Etag, retrieve: Retrieval, seen: Etag | None = None
    ) -> tuple[Etag, Any]:
        """Return the actual etag, and the value where the retrieval flag wants it."""
        if retrieve is not ALWAYS_RETRIEVE:
            actual = self._actual(key, id) if seen is None else seen
            if actual is ITEM_NOT_AVAILABLE:
                return actual, ITEM_NOT_AVAILABLE
            if retrieve is NEVER_RETRIEVE or actual == expected:
                return actual, VALUE_NOT_RETRIEVED
        try:
            value, stat = self._compiled.read(key, id)
        except KeyError:
            return ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE
        if retrieve is IF_ETAG_CHANGED and stat.etag == expected:
            return stat.etag, VALUE_NOT_RETRIEVED
        return stat.etag, value

    def _delete(self, key: Any, id: Any, actual: Etag) -> None:
        """Delete an item that has an etag; raise ConflictError if it was changed or deleted."""
        if actual is ITEM_NOT_AVAILABLE:
            return
        try:
            self._compiled.remove(key, id, actual)
        except KeyError:
            raise ConflictError(
                f"{shown(id, 120)} in {self._compiled.place} is gone", ITEM_NOT_AVAILABLE
            ) from None


def _kept(etag: Etag, value: Any) -> Any:
    """Return what is stored after a write: nothing, in a persister that keeps nothing."""
    return ITEM_NOT_AVAILABLE if etag is ITEM_NOT_AVAILABLE else value


def pause(attempts: int) -> None:
    """Wait a little after a lost race, so that competing writers spread out."""
    if attempts > 1:  # the first race may be chance, the next ones are a crowd
        longest = min(_FIRST_PAUSE * 2 ** min(attempts, 10), _LONGEST_PAUSE)
        import random  # noqa: PLC0415  (only where others were faster)

        time.sleep(random.uniform(0, longest))  # noqa: S311  (jitter, not a secret)


def _check(condition: Any, expected: Any, retrieve: Any) -> None:
    if not isinstance(condition, Condition):
        condition_holds(condition, expected, expected)
    if not (isinstance(expected, str) or expected is ITEM_NOT_AVAILABLE):
        raise InvalidArgumentError(
            f"expected_etag must be an etag (text) or ITEM_NOT_AVAILABLE, got {shown(expected)}",
        )
    if not isinstance(retrieve, Retrieval):
        raise InvalidArgumentError(
            "retrieve_value must be ALWAYS_RETRIEVE, IF_ETAG_CHANGED or NEVER_RETRIEVE, "
            f"got {shown(retrieve)}",
        )
