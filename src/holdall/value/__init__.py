"""A persistent value: it is stored in the script that makes it."""

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from holdall._options import Fallback
from holdall._scripts import Origin, caller, check_fallback, is_of_package, origin_of
from holdall.abc import Persister
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.persisters.script import ScriptPersister
from holdall.stores.script import persister_for
from holdall.value._identity import Site, name_of, span_of, still_calls
from holdall.value._operators import Operators, plain
from holdall.value._slot import Slot, slot_of
from holdall.value._statement import IN_PLACE, Change, is_augmented

__all__ = ["Value"]

V = TypeVar("V")

_NOTHING: Any = object()


class Value(Operators, Generic[V]):
    """A value that is there again when the script is run again; it is kept at the end of the script.

    Parameters
    ----------
    default
        The value until something is stored.
    name
        Its name. None for the name that it is assigned to, after the function or class in which that happens:
        ``count``, ``main.count``, ``Game.score``. In loops and comprehensions, for attributes of objects, and
        where it is not assigned, a name is required.
    fallback
        What to do where the script cannot keep values: ``"error"``, ``"memory"`` or ``"sidecar"``, as for
        `ScriptStore`. None for ``"error"``, with a warning in a module of a package, which may be installed
        later.

    Raises
    ------
    InvalidArgumentError
        If it has no name, or another value of the script has the same.
    UnsupportedError
        If the code has no file that can keep values.

    Notes
    -----
    Threads and processes: ``count += 1``, ``count.value += 1``, `transform` and `edit` lose no concurrent
    change. ``count.value = count.value + 1`` reads, then writes: a value stored by others in between is lost,
    with a warning. After a crash: what was stored is there, and the script starts. A list or dict that is
    changed in place without `edit` is stored when the process ends, so not if it is killed. Cost: one system
    call per read; one appended line per write.

    The name is found in the source of the call, never by its line number: lines may be added above. It is an
    item of `ScriptStore` like any other: ``ScriptStore()["count"]``.

    Examples
    --------
    A script of two lines counts how often it was run::

        runs = holdall.Value(0)
        runs += 1

    >>> runs = Value(0, name="runs", fallback="memory")
    >>> runs += 1
    >>> runs.value, runs + 1, runs == 1, f"{runs:03d}"
    (1, 2, True, '001')
    >>> runs(0), runs()
    (0, 0)
    """

    def __init__(self, default: V, *, name: Any = None, fallback: Fallback | None = None) -> None:
        frame = caller(self)
        origin = origin_of(frame)
        if fallback is None:
            fallback = "error"
            if not origin.why and is_of_package(frame):
                _warn_of_delivery(origin)
        check_fallback(fallback)
        if origin.path is None and fallback == "error":
            raise origin.refuse()
        site = Site(origin.path, span_of(frame))
        key = name_of(frame, site) if name is None else name
        known_as, persister = _persister_of(origin, fallback)
        _check_site(known_as, key, site)
        self._setup(known_as, persister, key, default)

    def _setup(self, known_as: str, persister: Persister, key: Any, default: Any) -> None:
        self._known_as = known_as
        self._default = default
        self._slot: Slot = slot_of(known_as, persister, key, default)

    def __reduce__(self) -> tuple[Any, ...]:
        persister = self._slot.persister
        if not isinstance(persister, ScriptPersister):
            raise UnsupportedError(f"{self!r} is kept in memory and cannot go to another process")
        return _remade, (type(self), self._known_as, persister, self.name, self._default)

    @property
    def name(self) -> Any:
        """Its name, which is its key in the store."""
        return self._slot.key

    @property
    def path(self) -> str | None:
        """The file that keeps it; None where it is kept in memory."""
        persister = self._slot.persister
        return persister.path if isinstance(persister, ScriptPersister) else None

    @property
    def value(self) -> V:
        """The present value; assigning stores it.

        ``count.value += 1`` loses no concurrent change, like `transform`. ``count.value = count.value + 1``
        reads, then writes; a value stored by others in between is lost, with a warning.
        """
        frame = sys._getframe(1)  # noqa: SLF001  (the only way to ask)
        if is_augmented(frame):
            return cast("V", IN_PLACE)
        return cast("V", self._slot.get_at(frame))

    @value.setter
    def value(self, value: V) -> None:
        change: Any = value
        if type(change) is Change:
            self._slot.transform(lambda old: change.operation(old, plain(change.operand)))
        else:
            self._slot.set_at(sys._getframe(1), value)  # noqa: SLF001

    @overload
    def __call__(self) -> V: ...
    @overload
    def __call__(self, value: V) -> V: ...
    def __call__(self, value: Any = _NOTHING) -> Any:
        """Return the value; store it first if one is given, even a false one."""
        if value is not _NOTHING:
            self._slot.set(value)
            return value
        return self._slot.get()

    def transform(self, function: Callable[[V], V]) -> V:
        """Replace the value by a function of it, so that no concurrent change is lost.

        Parameters
        ----------
        function
            Called with the value; returns the new one, or ``KEEP_CURRENT`` or ``DELETE_CURRENT``. It is
            called again when another process was faster, so it should have no other effect.

        Returns
        -------
        value
            What is stored now.

        Examples
        --------
        >>> best = Value(0, name="best", fallback="memory")
        >>> best.transform(lambda old: max(old, 7))
        7
        """
        return self._slot.transform(function)  # type: ignore[no-any-return]

    def edit(self) -> AbstractContextManager[V]:
        """Yield the value to be changed in place, and store it at the end; others wait meanwhile.

        After an error nothing is stored.

        Examples
        --------
        >>> scores = Value({}, name="scores", fallback="memory")
        >>> with scores.edit() as table:
        ...     table["ann"] = table.get("ann", 0) + 1
        >>> scores.value
        {'ann': 1}
        """
        return self._slot.edit()

    def save(self) -> bool:
        """Store values that were changed in place now, as is done when the process ends.

        Returns
        -------
        bool
            Whether there were any.
        """
        return self._slot.save()

    def reset(self) -> None:
        """Delete the stored value; the value is the default again."""
        self._slot.reset()

    if not TYPE_CHECKING:  # there is no such attribute for type checkers

        def __getattr__(self, name: str) -> Any:
            hint = ""
            if not name.startswith("_"):
                kept = self._slot.get()
                if hasattr(kept, name):
                    hint = (
                        f"; its value, a {type(kept).__name__}, has: use "
                        f"`with value.edit() as x: x.{name}...` to change it, value.value.{name} to read"
                    )
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self
            )

    def __repr__(self) -> str:
        if "_slot" not in vars(self):  # its constructor failed
            return object.__repr__(self)
        return f"{type(self).__name__}({self.value!r}, name={self.name!r})"


def _warn_of_delivery(origin: Origin) -> None:
    warnings.warn(
        f"{origin.path} belongs to a package: once it is installed, from a wheel, or lies in a zipapp, this "
        "Value raises there when it is made. Choose what it does then: fallback='sidecar' keeps it in a file "
        "of the user's own, fallback='memory' until the process ends (in a zipapp both with name='...'), and "
        "fallback='error' raises",
        stacklevel=3,
    )


_persisters: dict[str, Persister] = {}
_sites: dict[tuple[str, str], Site] = {}


def _persister_of(origin: Origin, fallback: str) -> tuple[str, Persister]:
    """Return the persister for a piece of code, shared by all of its values."""
    known_as = f"{fallback if origin.why else 'script'}:{origin.known_as}"
    if not origin.why and fallback != "error":
        known_as += f":{fallback}"  # matters if the script is not writable
    persister = _persisters.get(known_as)
    if persister is None:
        persister = _persisters.setdefault(known_as, persister_for(origin, fallback))
    return known_as, persister


def _check_site(known_as: str, key: Any, site: Site) -> None:
    """Raise if another call has made a value of this name."""
    name = (known_as, repr(key))
    first = _sites.setdefault(name, site)
    if first == site or site.path is None:
        return
    if first.path == site.path and still_calls(first):
        raise InvalidArgumentError(
            f"two values are called {key!r}: one is made in {first}, the other in {site}; they would share "
            "what is stored. Give one of them a name of its own: Value(default, name='...')",
        )
    _sites[name] = site


def _remade(cls: type[Value[Any]], known_as: str, persister: Persister, key: Any, default: Any) -> Value[Any]:
    value = cls.__new__(cls)
    value._setup(known_as, persister, key, default)  # noqa: SLF001
    return value
