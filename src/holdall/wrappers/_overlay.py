"""Several stores as one."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal, NoReturn, TypeAlias, TypeVar, overload

from holdall._options import refuse_text
from holdall._shown import shown
from holdall.abc import Capability, Persister, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import (
    ConflictError,
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
)
from holdall.store import Store, StorePersister

__all__ = ["OverlayPersister", "overlay"]

_CAS = frozenset({Capability.CAS_THREADS, Capability.CAS_HOST, Capability.CAS_WORLD})
_CAS_BEYOND = _CAS - {Capability.CAS_THREADS}
_NOTHING: Final = object()

K = TypeVar("K")
V = TypeVar("V")


#: Which stores are written to.
Writes: TypeAlias = Literal["first", "all"]


class OverlayPersister(Persister):
    """Stores over each other: the first that has a key supplies its value.

    Parameters
    ----------
    layers
        The stores, the uppermost first.
    write, promote
        As in `overlay`.

    Notes
    -----
    Threads: safe; compare-and-swap is linearizable among the threads that share the object, if nobody writes
    to a lower store meanwhile. Processes: it is as linearizable as in the first store where only that one is
    writable. With ``promote=True`` it is not claimed, since reading changes etags. After a crash: each store
    as it leaves itself; with ``write="all"`` an item may be in only some of them. Cost: a look-up in each
    store down to the one that has the key; listing needs memory for all keys.

    Examples
    --------
    >>> from holdall import Store
    >>> persister = OverlayPersister([Store({"a": 1}), Store({"a": 2, "b": 3})])
    >>> dict(persister)
    {'a': 1, 'b': 3}
    """

    def __init__(
        self,
        layers: Iterable[Store[Any, Any]],
        write: Writes = "first",
        *,
        promote: bool = False,
    ) -> None:
        self.layers = [StorePersister(store) for store in layers]
        self.written = self.layers[:1] if write == "first" else self.layers
        self.promote = promote
        self._warned = False
        if write == "all" or promote:
            self._check_writable()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What all stores claim for reading, and those written to for writing."""
        first, *lower = [layer.capabilities for layer in self.layers]
        every = first.intersection(*lower) - _CAS - {Capability.WRITABLE, Capability.TRANSACTIONS}
        if any(Capability.WRITABLE not in layer.capabilities for layer in self.written):
            return every
        every |= {Capability.WRITABLE}
        if self.promote:
            return every
        every |= first & {Capability.CAS_THREADS}
        if any(Capability.WRITABLE in claims for claims in lower):
            return every
        return every | (first & _CAS_BEYOND)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return all(layer.at_hand for layer in self.layers)

    @property
    def place(self) -> str:  # docstring inherited
        return " over ".join(layer.place for layer in self.layers)

    def __repr__(self) -> str:
        if not hasattr(self, "layers"):  # its constructor failed
            return object.__repr__(self)
        return f"<{self.place}>"

    @property
    def owned(self) -> bool:  # docstring inherited
        return all(layer.owned for layer in self.written)

    # ------------------------------------------------------------------ looking

    def _name(self, key: Any) -> Any:
        """Return a name of a key that separates equal keys of different types where the stores do."""
        for layer in self.layers:
            try:
                return layer.id_of(key)
            except InvalidKeyError:
                continue
        return repr(key)

    def _first(self, id: Any, look: Callable[[StorePersister], Any]) -> tuple[int, Any]:
        """Return the answer of the first store that has an id, and its number."""
        impossible = 0
        for number, layer in enumerate(self.layers):
            try:
                return number, look(layer)
            except InvalidKeyError as error:
                impossible += 1
                if impossible == len(self.layers):
                    raise error from None
            except KeyError:
                continue
        raise KeyError(id)

    def __getitem__(self, id: Any) -> Any:
        if self.promote:
            return self._promoted(id)
        return self._first(id, lambda layer: _present(layer, id))[1]

    def _promoted(self, id: Any) -> Any:
        number, value = self._first(id, lambda layer: _present(layer, id))
        if number:
            try:
                self.layers[0].write(id, value, ITEM_NOT_AVAILABLE)
            except ConflictError:  # written by another meanwhile
                pass
            except Exception as error:
                self._not_promoted(error)
        return value

    def _not_promoted(self, error: Exception) -> None:
        """Continue without a copy, and warn once."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"values found below are not copied to {self.layers[0].place}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        number, (value, stat) = self._first(id, lambda layer: layer.read(id))
        return value, _tagged(number, stat)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        number, stat = self._first(id, lambda layer: layer.stat(id))
        return _tagged(number, stat)

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        number, (value, stat) = self._first(id, lambda layer: layer.glance(id, limit))
        return value, _tagged(number, stat)

    def __contains__(self, id: object) -> bool:
        return any(id in layer for layer in self.layers)

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        if len(self.layers) == 1:
            yield from self.layers[0].ids(prefix)
            return
        met = set()
        for layer in self.layers:
            for id in layer.ids(prefix):
                name = self._name(id)
                if name not in met:
                    met.add(name)
                    yield id

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        share = seconds / len(self.layers)
        found: dict[Any, Any] = {}
        for layer in self.layers:
            for id in layer.peek(prefix, limit=limit, seconds=share):
                found.setdefault(self._name(id), id)
        return list(found.values())[:limit]

    def __iter__(self) -> Iterator[Any]:
        return self.ids()

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        met = set()
        for number, layer in enumerate(self.layers):
            for id, stat in layer.scan(prefix):
                name = self._name(id)
                if name not in met:
                    met.add(name)
                    yield id, _tagged(number, stat)

    # ------------------------------------------------------------------ writing

    def _check_writable(self) -> None:
        for layer in self.written:
            if Capability.WRITABLE not in layer.capabilities:
                raise ReadOnlyError(f"{layer.place} can only be read")

    @contextmanager
    def _swapping(self, id: Any, expected: Expected) -> Iterator[Expected]:
        """Check that an id is in the expected state, and yield the state to expect in the first store."""
        with self.lock:
            self.require(id, expected)
            inner = expected
            if isinstance(expected, str):
                number, _, etag = expected.partition("-")
                inner = etag if number == "0" else ITEM_NOT_AVAILABLE
            try:
                yield inner
            except ConflictError:
                try:
                    actual: Any = self.stat(id).etag
                except KeyError:
                    actual = ITEM_NOT_AVAILABLE
                raise conflict(self, id, expected, actual) from None

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self._check_writable()
        with self.lock:
            for layer in reversed(self.written):  # the first to be read is written last
                layer.put(id, data)

    __setitem__ = put

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        self._check_writable()
        with self._swapping(id, expected) as inner:
            first, *others = self.written
            for layer in reversed(others):
                layer.put(id, data)
            return _tagged(0, first.write(id, data, inner))

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        self._check_writable()
        if len(self.written) > 1:
            super().write_many(items)
        else:
            self.written[0].write_many(items)

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._check_writable()
        with self._swapping(id, expected) as inner:
            for layer in self.layers[len(self.written) :]:
                if id in layer:
                    self._refuse(f"{shown(id, 120)} is", layer)
            self.stat(id)
            first, *others = self.written
            for layer in reversed(others):
                try:
                    layer.remove(id)
                except KeyError:
                    continue
            try:
                first.remove(id, inner)
            except KeyError:
                if not others:
                    raise

    def _refuse(self, what: str, layer: StorePersister) -> NoReturn:
        raise ReadOnlyError(
            f"{what} also in {layer.place}, which this overlay does not write to, and would show from there: "
            "delete it there, or in the first store alone to uncover it",
        )

    def __delitem__(self, id: Any) -> None:
        self.remove(id)

    def clear(self) -> None:  # docstring inherited
        self._check_writable()
        with self.lock:
            for layer in self.layers[len(self.written) :]:
                if any(True for _ in layer):
                    self._refuse("items are", layer)
            for layer in reversed(self.written):
                layer.clear()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        self._check_writable()
        return sum(layer.purge(owns, prefix) for layer in self.written)

    def refresh(self) -> None:  # docstring inherited
        for layer in self.layers:
            layer.refresh()

    def flush(self) -> None:  # docstring inherited
        for layer in self.layers:
            layer.flush()

    def close(self) -> None:  # docstring inherited
        for layer in self.layers:
            layer.close()


def _present(layer: StorePersister, id: Any) -> Any:
    """Return what a store has, without a value that its ``[]`` would make and that would hide those below."""
    if layer.makes_missing and id not in layer:
        raise KeyError(id)
    return layer[id]


def _tagged(number: int, stat: Stat) -> Stat:
    """Return a stat whose etag differs between stores."""
    return stat._replace(etag=f"{number}-{stat.etag}")


@overload
def overlay(*stores: Mapping[K, V], write: Writes = "first", promote: bool = False) -> Store[K, V]: ...
@overload
def overlay(*stores: Any, write: Writes = "first", promote: bool = False) -> Store[Any, Any]: ...
def overlay(*stores: Any, write: Writes = "first", promote: bool = False) -> Store[Any, Any]:
    """Show several stores as one: the first that has a key supplies its value.

    Parameters
    ----------
    *stores
        Stores or mappings, the uppermost first; all but those written to may be read-only. A class is called
        to make a new one.
    write
        ``"first"`` writes to the first store, ``"all"`` to all of them.
    promote
        Whether a value that is found in a lower store is copied into the first one when it is read.

    Returns
    -------
    Store
        A store over them; they keep their keys, serializers and guards.

    Raises
    ------
    InvalidArgumentError
        If there is no store, something else is given, or `write` is invalid.
    UnsupportedError
        If a store that `write` or `promote` write to is read-only; with ``write="first"`` and no promotion,
        only the writes themselves are refused.

    Notes
    -----
    Deleting makes a key absent, or is refused. With ``write="all"`` it is deleted from all stores. With
    ``write="first"`` the lower stores are never changed: a key that is also in one of them cannot be deleted
    here (`ReadOnlyError`), since its old value would come back. To get that value back, use ``del
    first[key]`` on the first store itself. ``clear()`` follows the same rule.

    With ``write="all"`` the lowest store is written first, so that readers see the new value when all have
    it; an error in between leaves it in the lower ones. A promoted copy does not change with the lower store;
    if it cannot be made, there is one `RuntimeWarning`, and reading continues. Etags are those of the store
    that has the key.

    See `OverlayPersister` for threads, processes and costs.

    Examples
    --------
    >>> defaults = {"theme": "light", "size": 12}
    >>> mine = {}
    >>> settings = overlay(mine, defaults)
    >>> settings["theme"] = "dark"
    >>> dict(settings), mine
    ({'theme': 'dark', 'size': 12}, {'theme': 'dark'})
    >>> del mine["theme"]
    >>> settings["theme"]
    'light'
    """
    if not stores:
        raise InvalidArgumentError("overlay needs one store or more")
    if any(store is None for store in stores):  # Store(None) would be a new dict, and hide a mistake
        raise InvalidArgumentError("overlay takes stores, mappings or classes of these, got None")
    if write not in ("first", "all"):
        raise InvalidArgumentError(f'write is "first" or "all", got {shown(write)}')
    layers = [store if isinstance(store, Store) else Store(store) for store in stores]
    refuse_text("overlay", [overlay], {"promote": promote})
    return Store(OverlayPersister(layers, write, promote=promote))
